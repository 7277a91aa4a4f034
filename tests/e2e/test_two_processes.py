"""Two processes trade one account over Redis, and survive what Redis and the machine may do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bus.server import Server, running_server
from tests.e2e.daemon import Process, books, run, summary

pytestmark = pytest.mark.timeout(150)
PATIENT = {
    "TRADEAGENT__RISK__LIMITS__MAX_PRICE_AGE_S": "900",
    "TRADEAGENT__RISK__APPROVAL_TTL_S": "60",
}
"""At this speed a second of a busy machine is a quarter of an hour."""
EYES, HANDS = "data,analysis", "trading,risk,execution,monitor"


@pytest.fixture
def server() -> Iterator[Server]:
    """Start a Redis server of our own; skip where there is none."""
    yield from running_server()


def _start(state: Path, agents: str, server: Server) -> Process:
    where = ("--bus", server.url, "--agents", agents)
    return Process(state, "--speed", "900", "--seed", "3", *where, **PATIENT)


def test_kills_flushes_and_restarts_lose_and_double_nothing(tmp_path: Path, server: Server) -> None:
    """Kill -9 of either process and of the server, and FLUSHALL: every fill is booked once.

    What each process decided follows from its own journal.
    """
    eyes = _start(tmp_path / "eyes", EYES, server)
    hands = _start(tmp_path / "hands", HANDS, server)
    hands.until_said("fill ")

    eyes.kill()
    eyes = _start(tmp_path / "eyes", EYES, server)
    eyes.until_said("signal ")
    hands.kill()
    hands = _start(tmp_path / "hands", HANDS, server)
    hands.until_said("fill ")
    server.client().flushall()
    hands.until_said("fill ", times=2)
    server.kill()
    server.start()
    hands.until_said("fill ", times=4)

    assert eyes.interrupt() == 0
    assert hands.interrupt() == 0
    venue, ours = books(tmp_path / "hands")
    assert venue == ours
    assert ours["fills"]
    for name in ("eyes", "hands"):
        proven = run("replay", "--verify", "--state", str(tmp_path / name))
        assert proven.returncode == 0, proven.stdout


def test_the_bus_changes_nothing_in_a_simulation(tmp_path: Path, server: Server) -> None:
    """For one seed the summary over Redis equals the one in memory, hash and all."""
    found = []
    for name, bus in (("memory", "memory://"), ("redis", server.url)):
        out = tmp_path / f"{name}.json"
        ended = run(
            *("--speed", "max", "--for", "6h", "--seed", "4", "--bus", bus),
            *("--state", str(tmp_path / name), "--summary", str(out)),
        )
        assert ended.returncode == 0, ended.stderr
        found.append(summary(out))

    assert found[0] == found[1]
    streams = [name for name in server.client().keys("*") if ":FILL:" in name]
    total = sum(int(server.client().xlen(name)) for name in streams)
    assert total == found[0]["fills"]


def test_an_operator_may_speak_and_a_forger_may_not(tmp_path: Path, server: Server) -> None:
    """An alert added by hand halts trading, and an override locks it or lifts a rule; an approval
    added by hand is refused, and so is a word that would let trading go on."""
    daemon = Process(tmp_path / "state", "--speed", "300", "--bus", server.url)
    daemon.until_said("equity")
    client = server.client()

    forged = (
        '{"type":"RISK_ASSESSMENT","payload":{"intent_id":"x","symbol":"BTC","verdict":"approved",'
        '"strategy":"x","expires_at":9000000000000000000,"seal":"00","order":{"cloid":"0x1",'
        '"intent_id":"x","symbol":"BTC","side":"buy","size":"1","type":"market"}}}'
    )
    client.publish("tradeagent:RISK_ASSESSMENT", forged)
    daemon.until_said("FORGED_MESSAGE")
    alert = '{"type":"RISK_ALERT","payload":{"code":"BY_HAND","severity":"CRITICAL"}}'
    client.publish("tradeagent:RISK_ALERT", alert)
    daemon.until_said("trading is HALTED")
    word = '{"type":"RISK_OVERRIDE","payload":{"rule":"%s","reason":"by hand","actor":"me"%s}}'
    client.publish("tradeagent:RISK_OVERRIDE", word % ("STATE", ',"mode":"ACTIVE"'))
    daemon.until_said("RISK_OVERRIDE came from outside")
    client.publish("tradeagent:RISK_OVERRIDE", word % ("GRID", ""))
    daemon.until_said("OVERRIDE_REFUSED")
    client.publish("tradeagent:RISK_OVERRIDE", word % ("STATE", ',"mode":"LOCKED"'))
    daemon.until_said("trading is LOCKED (was HALTED)")
    assert "trading is ACTIVE" not in daemon.log.read_text(encoding="utf-8")

    assert daemon.interrupt() == 0
    venue, ours = books(tmp_path / "state")
    assert venue == ours
    held = ours["fills"]
    assert isinstance(held, list)
    assert all(cloid != "0x1" for cloid, *_ in held)
