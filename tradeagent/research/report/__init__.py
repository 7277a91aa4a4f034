"""The report of a result: in the terminal, and as one page that needs nothing but itself."""
