"""A real Redis server for the tests: on a free port of this machine, without files."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator

import pytest
import redis


class Server:
    """A `redis-server` of our own."""

    def __init__(self) -> None:
        binary = shutil.which("redis-server")
        if binary is None:
            pytest.skip("redis-server is not installed")
        self._binary = binary
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self._folder = tempfile.TemporaryDirectory()
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def url(self) -> str:
        """Return where the server is."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it empty and wait until it answers."""
        where = ("--port", str(self.port), "--bind", "127.0.0.1", "--dir", self._folder.name)
        self._process = subprocess.Popen(
            (self._binary, *where, "--save", "", "--appendonly", "no"), stdout=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 10
        while True:
            try:
                with socket.create_connection(("127.0.0.1", self.port), 1):
                    return
            except OSError:
                if time.monotonic() > deadline:
                    raise

    def kill(self) -> None:
        """End it at once."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def close(self) -> None:
        """End it and remove its folder."""
        self.kill()
        self._folder.cleanup()

    def client(self) -> redis.Redis:
        """Return what an operator would use."""
        return redis.Redis(port=self.port, decode_responses=True, protocol=2)


def running_server() -> Iterator[Server]:
    """Yield a server and end it."""
    server = Server()
    try:
        yield server
    finally:
        server.close()


shared_server = pytest.fixture(scope="session", name="shared_server")(running_server)
own_server = pytest.fixture(name="own_server")(running_server)


@pytest.fixture
def server(shared_server: Server) -> Server:
    """Yield the server that tests share, emptied."""
    with shared_server.client() as client:
        client.flushall()
    return shared_server


@pytest.fixture
def operator(server: Server) -> Iterator[redis.Redis]:
    """Yield a client of the shared server."""
    with server.client() as client:
        yield client
