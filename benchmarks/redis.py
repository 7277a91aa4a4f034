"""Measure the bus over Redis between two processes: throughput and one-way latency.

Run `python benchmarks/redis.py [--uvloop] [--rounds N] [--peer PYTHON SCRIPT]`; it starts a
`redis-server` of its own and prints one line of JSON. A message has the eight fields the peer's
has, is a pydantic model at both ends, and travels in our envelope through both run queues. With
`--peer` the script SCRIPT is run by PYTHON in turn with each round (`SCRIPT WHAT --port PORT`, WHAT
being fs_pubsub_tp, fs_stream_tp, fs_pubsub_lat and fs_stream_lat; a line of JSON on its output).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Coroutine
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from typing import Any

from tradeagent.bus.base import Subscriber
from tradeagent.bus.options import BusOptions
from tradeagent.bus.redis import RedisBus
from tradeagent.clock import SECOND, WallClock
from tradeagent.messages import Delivery, Envelope, Message

COUNT = 50_000
PACED = 5_000
RATE = 1_000
BURST = 100
AHEAD = 2_000


class LossyProbe(Message, delivery=Delivery.LOSSY):
    """The peer's payload, on a channel."""

    id: str
    ts: int
    source: str
    symbol: str
    side: str
    price: float
    size: float
    reduce_only: bool = False


class LosslessProbe(LossyProbe, delivery=Delivery.LOSSLESS):
    """The peer's payload, on a stream."""


KINDS: dict[str, type[LossyProbe]] = {"lossy": LossyProbe, "lossless": LosslessProbe}


class Loud:
    """A host that lets every fault end the run."""

    def failed(self, subscriber: Subscriber, envelope: Envelope[Message], error: Exception) -> None:
        raise RuntimeError(f"{subscriber.name} failed on {envelope}") from error

    def overflowed(self, subscriber: Subscriber, envelope: Envelope[Message]) -> None:
        raise OverflowError(f"{subscriber.name} with {envelope}")

    def ran_away(self, envelope: Envelope[Message]) -> None:
        raise RuntimeError(envelope)

    def operate(
        self, subscriber: Subscriber, envelope: Envelope[Message], work: Coroutine[Any, Any, Any]
    ) -> None:
        work.close()
        raise RuntimeError(f"{subscriber.name} has no slow handler for {envelope}")


def open_at(port: int, identity: str) -> RedisBus:
    """Return the bus of one of the two processes."""

    def spawn(work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        return asyncio.get_running_loop().create_task(work, name=name)

    options = BusOptions(
        f"redis://127.0.0.1:{port}/0", group=identity, identity=identity, spawn=spawn
    )
    return RedisBus(options, WallClock(), Loud())


def probe(kind: type[LossyProbe]) -> LossyProbe:
    """Return a message that carries when it was made."""
    return kind(
        id="a1b2c3d4e5f6",
        ts=time.monotonic_ns(),
        source="analysis",
        symbol="BTC-PERP",
        side="buy",
        price=30012.25,
        size=0.125,
    )


async def receive(port: int, kind: type[LossyProbe], count: int, ready: Event) -> dict[str, Any]:
    """Return when the last of `count` messages came, and how long each was under way (ns)."""
    bus = open_at(port, "receiver")
    done = asyncio.Event()
    latencies: list[int] = []

    def hear(message: LossyProbe) -> None:
        latencies.append(time.monotonic_ns() - message.ts)
        if len(latencies) == count:
            done.set()

    bus.subscribe(Subscriber("receiver", {kind: hear}))
    await bus.start()
    ready.set()
    await asyncio.wait_for(done.wait(), 60)
    last = time.monotonic_ns()
    await bus.close()
    return {"last": last, "latencies": latencies}


async def produce(port: int, kind: type[LossyProbe], count: int, rate: int) -> int:
    """Publish `count` messages, `rate` a second or as fast as they leave; return the start (ns)."""
    bus = open_at(port, "producer")
    await bus.start()
    start = time.monotonic_ns()
    for number in range(count):
        if rate:
            early = start + number * SECOND // rate - time.monotonic_ns()
            if early > 0:
                await asyncio.sleep(early / SECOND)
        elif number % BURST == 0:
            await asyncio.sleep(0)
            while bus.outgoing > AHEAD:
                await asyncio.sleep(0)
        bus.publish(probe(kind), "analysis")
    while bus.outgoing:
        await asyncio.sleep(0.001)
    await bus.close()
    return start


def run(work: Coroutine[Any, Any, Any], uvloop: bool) -> Any:
    """Run `work` on the chosen event loop."""
    if uvloop:
        import uvloop as fast

        return fast.run(work)
    return asyncio.run(work)


def child(port: int, name: str, count: int, ready: Event, answer: Connection, uv: bool) -> None:
    """Be the second process."""
    answer.send(run(receive(port, KINDS[name], count, ready), uv))


def measure(port: int, name: str, count: int, rate: int, uvloop: bool) -> dict[str, float]:
    """Run both processes once; returns messages a second, and p50 and p99 in us."""
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    near, far = context.Pipe()
    process = context.Process(target=child, args=(port, name, count, ready, far, uvloop))
    process.start()
    assert ready.wait(20)
    start = run(produce(port, KINDS[name], count, rate), uvloop)
    found = near.recv()
    process.join()
    settled = sorted(found["latencies"][count // 10 :])
    return {
        "per_s": round(count / (found["last"] - start) * SECOND),
        "p50_us": round(settled[len(settled) // 2] / 1e3, 1),
        "p99_us": round(settled[len(settled) * 99 // 100] / 1e3, 1),
    }


def peer(command: list[str], what: str, port: int, uvloop: bool) -> dict[str, Any]:
    """Run the peer's side once and return its line."""
    loop = ["--uvloop"] if uvloop else []
    done = subprocess.run(
        [*command, what, "--port", str(port), *loop], capture_output=True, text=True, check=True
    )
    line: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return line


def spread(values: list[float]) -> dict[str, float]:
    """Return median, least and most."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def side(rounds: list[dict[str, float]], key: str) -> dict[str, float]:
    """Return the spread of one figure over the rounds."""
    return spread([one[key] for one in rounds])


def compare(port: int, rounds: int, uvloop: bool, command: list[str] | None) -> dict[str, Any]:
    """Measure everything `rounds` times, ours and the peer's in turn."""
    result: dict[str, Any] = {}
    for name, transport in (("lossy", "pubsub"), ("lossless", "stream")):
        fast, paced, peers_fast, peers_paced = [], [], [], []
        for _ in range(rounds):
            fast.append(measure(port, name, COUNT, 0, uvloop))
            if command:
                line = peer(command, f"fs_{transport}_tp", port, uvloop)
                peers_fast.append({"per_s": line["batch1"]["e2e_per_s"]["median"]})
            paced.append(measure(port, name, PACED, RATE, uvloop))
            if command:
                line = peer(command, f"fs_{transport}_lat", port, uvloop)
                peers_paced.append(line["lat_median_run"])
        latency = {key: side(paced, key) for key in ("p50_us", "p99_us")}
        result[name] = {"per_s": side(fast, "per_s"), **latency}
        if command:
            result[name]["peer"] = {
                "per_s": side(peers_fast, "per_s"),
                **{key: side(peers_paced, key) for key in ("p50_us", "p99_us")},
            }
            both = zip(fast + paced + paced, peers_fast + peers_paced + peers_paced, strict=True)
            keys = ["per_s"] * rounds + ["p50_us"] * rounds + ["p99_us"] * rounds
            ratios: dict[str, list[float]] = {}
            for key, (own, other) in zip(keys, both, strict=True):
                ratios.setdefault(key, []).append(round(own[key] / other[key], 2))
            result[name]["ratio"] = {key: spread(values) for key, values in ratios.items()}
    return result


def main() -> None:
    """Start a server, measure, print one line of JSON and end the server."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--uvloop", action="store_true")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--peer", nargs=2, metavar=("PYTHON", "SCRIPT"))
    chosen = options.parse_args()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        where = ["--port", str(port), "--bind", "127.0.0.1", "--dir", folder]
        server = subprocess.Popen(
            ["redis-server", *where, "--save", "", "--appendonly", "no"],
            stdout=subprocess.DEVNULL,
        )
        try:
            wait_for(port)
            result = compare(port, chosen.rounds, chosen.uvloop, chosen.peer)
        finally:
            server.terminate()
            server.wait()
    print(json.dumps({"bench": "redis", "uvloop": chosen.uvloop, "rate": RATE, **result}))


def wait_for(port: int) -> None:
    """Return once the server answers."""
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise TimeoutError("redis-server did not start")


if __name__ == "__main__":
    main()
