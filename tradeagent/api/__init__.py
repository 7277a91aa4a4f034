"""What operators and machines ask of a running daemon."""
