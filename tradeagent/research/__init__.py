"""Research: backtests by the very same agents, their reports, and what they are worth."""
