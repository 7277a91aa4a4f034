"""Fixtures of the bus tests."""

from tests.bus.server import operator, own_server, server, shared_server

__all__ = ["operator", "own_server", "server", "shared_server"]
