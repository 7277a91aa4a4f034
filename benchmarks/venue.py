"""What the venue takes for an order: a signed action over loopback, with its state on disk.

Usage: python benchmarks/venue.py      (prints one JSON line)
Orders and cancels take turns over one connection; each is signed beforehand and waited for. The
last figure is for several accounts at once.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from typing import Any

from eth_account import Account
from hyperliquid.utils.signing import sign_l1_action

PAIRS = 500
AT_ONCE = 4
HEADERS = {"Content-Type": "application/json"}


def bodies(price: str, account: int) -> list[bytes]:
    """Return orders far from the market, each with its cancel behind it, signed."""
    key = Account.from_key(bytes([account]) * 32)
    made = []
    for number in range(PAIRS):
        cloid = f"0x{number:032x}"
        wire: dict[str, Any] = {"a": 0, "b": True, "p": price, "s": "0.001", "r": False}
        wire |= {"t": {"limit": {"tif": "Gtc"}}, "c": cloid}
        order = {"type": "order", "orders": [wire], "grouping": "na"}
        cancel = {"type": "cancelByCloid", "cancels": [{"asset": 0, "cloid": cloid}]}
        for turn, action in enumerate((order, cancel)):
            nonce = int(time.time() * 1000) + 2 * number + turn
            signature = sign_l1_action(key, action, None, nonce, None, False)
            body = {"action": action, "nonce": nonce, "signature": signature}
            made.append(json.dumps(body).encode())
    return made


def sent(place: str, several: list[bytes]) -> list[float]:
    """Send all over one connection, one after the other; returns how long each took, in ms."""
    connection = HTTPConnection(place)
    taken = []
    for body in several:
        begun = time.perf_counter()
        connection.request("POST", "/exchange", body, HEADERS)
        answer = connection.getresponse().read()
        taken.append((time.perf_counter() - begun) * 1000)
        assert b'"ok"' in answer, answer
    connection.close()
    return taken


def measure(place: str) -> dict[str, float]:
    """Return what an order and a cancel take, and how many of both a second takes."""
    connection = HTTPConnection(place)
    connection.request("POST", "/info", b'{"type":"allMids"}', HEADERS)
    mid = float(json.loads(connection.getresponse().read())["BTC"])
    connection.close()
    price = str(int(mid * 0.8))
    taken = sent(place, bodies(price, 1))
    orders, cancels = (statistics.quantiles(taken[turn::2], n=100) for turn in (0, 1))
    together = [bodies(price, 2 + lane) for lane in range(AT_ONCE)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        begun = time.perf_counter()
        list(pool.map(sent, [place] * AT_ONCE, together))
        passed = time.perf_counter() - begun
    return {
        "order_p50_ms": round(orders[49], 2),
        "order_p99_ms": round(orders[98], 2),
        "cancel_p50_ms": round(cancels[49], 2),
        "cancel_p99_ms": round(cancels[98], 2),
        "actions_a_second": round(2 * PAIRS * AT_ONCE / passed),
    }


def main() -> None:
    """Start a venue, measure it, end it."""
    with tempfile.TemporaryDirectory() as state:
        command = [sys.executable, "-m", "tradeagent", "exchange", "--port", "0", "--no-limits"]
        venue = subprocess.Popen([*command, "--state", state], stdout=subprocess.PIPE, text=True)
        assert venue.stdout is not None
        url = json.loads(venue.stdout.readline())["url"]
        try:
            print(json.dumps(measure(url.removeprefix("http://"))))
        finally:
            venue.terminate()
            venue.wait()


if __name__ == "__main__":
    main()
