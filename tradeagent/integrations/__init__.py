"""The outside world, each part behind a port of `base`."""
