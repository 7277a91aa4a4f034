"""The journal, the state tables folded from it, and the folder they live in."""
