"""The agents: each handles messages and returns messages."""
