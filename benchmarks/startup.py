"""How long the daemon takes until it is ready, and what it holds in memory when it is.

Usage: python benchmarks/startup.py [--rounds N] [--peer COMMAND ...]     (prints one JSON line)
Each round starts the demo in an empty folder and asks `/readyz` until the answer is 200; memory is
read some seconds later. The peer's command is run in turn with each of our rounds and its line is
shown beside ours. The first round of both warms the caches and is not counted.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

IDLE = 5.0
"""Seconds of running after which memory is read."""
PATIENCE = 60.0


def free_port() -> int:
    """Return a port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def ready(port: int) -> bool:
    """Ask the daemon whether it is ready."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def resident_mb(pid: int) -> float:
    """Return the memory a process holds."""
    with open(f"/proc/{pid}/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def start_once() -> tuple[float, float]:
    """Return seconds until ready, and MB once idle."""
    port = free_port()
    command = [sys.executable, "-m", "tradeagent", "run"]
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        daemon = subprocess.Popen(
            [*command, "--state", folder],
            env={**os.environ, "TRADEAGENT__API__PORT": str(port)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            while not ready(port):
                if daemon.poll() is not None or time.perf_counter() - began > PATIENCE:
                    raise RuntimeError("the daemon did not become ready")
                time.sleep(0.005)
            took = time.perf_counter() - began
            time.sleep(IDLE)
            return took, resident_mb(daemon.pid)
        finally:
            daemon.send_signal(signal.SIGINT)
            daemon.wait(PATIENCE)


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--peer", nargs=argparse.REMAINDER, default=[])
    asked = options.parse_args()
    found: list[tuple[float, float]] = []
    theirs: list[object] = []
    for _ in range(asked.rounds + 1):
        found.append(start_once())
        if asked.peer:
            shown = subprocess.run(asked.peer, capture_output=True, text=True, check=True)
            theirs.append(json.loads(shown.stdout.splitlines()[-1]))
    times, sizes = zip(*found[1:], strict=True)
    result: dict[str, object] = {
        "bench": "startup",
        "ready_s": round(statistics.median(times), 3),
        "idle_mb": round(statistics.median(sizes), 1),
        "runs": [(round(took, 3), round(size, 1)) for took, size in found[1:]],
    }
    if theirs:
        result["peer"] = theirs[1:]
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
