"""Pure arithmetic of trading: indicators, sizing, risk rules, positions and performance."""
