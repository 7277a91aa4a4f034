"""Agents: who may sign for whom, since when and how long; nonces that were used."""

from __future__ import annotations

from typing import Any

import pytest

from tests.simulation.venue.hall import OTHER, USER, Hall
from tradeagent.simulation.venue import Actor

DONE = {"status": "ok", "response": {"type": "default"}}
NOBODY = "0x" + "0" * 40


@pytest.fixture
def hall() -> Hall:
    return Hall()


def key(number: int) -> str:
    """Return an address."""
    return f"0x{number:040x}"


def approve(hall: Hall, address: str, name: str = "", user: str = USER) -> Any:
    """Approve an agent; returns the answer."""
    return hall.act(user, type="approveAgent", agentAddress=address, agentName=name)


def test_an_agent_signs_for_its_master(hall: Hall) -> None:
    """It is known by role and, if it has a name, in the list; its own address has nothing."""
    assert approve(hall, key(1), "bot") == approve(hall, key(2)) == DONE
    assert hall.floor.master_of(key(1)) == hall.floor.master_of(key(2)) == USER
    assert hall.ask("userRole", key(1)) == {"role": "agent", "data": {"user": USER}}
    (shown,) = hall.ask("extraAgents")
    assert (shown["name"], shown["address"]) == ("bot", key(1))
    assert shown["validUntil"] == hall.floor.now_ms() + 90 * 86_400_000
    assert hall.ask("openOrders", key(1)) == []


def test_a_name_has_one_agent(hall: Hall) -> None:
    """Another of the same name, or a second unnamed one, takes its place; the first is nobody."""
    for name in ("bot", ""):
        first, second = key(10 + len(name)), key(20 + len(name))
        approve(hall, first, name)
        assert approve(hall, second, name) == DONE
        assert hall.floor.master_of(first) is None
        assert hall.floor.master_of(second) == USER
        answer = hall.floor.act(Actor(first, first, 5), {"type": "noop"})
        text = f"Must deposit before performing actions. User: {first}"
        assert answer == {"status": "err", "response": text}
        assert hall.ask("userRole", first) == {"role": "missing"}


def test_address_zero_removes_an_agent_and_others_wait(hall: Hall) -> None:
    """For five seconds no other agent is approved."""
    approve(hall, key(1), "bot")
    assert approve(hall, NOBODY, "bot") == DONE
    assert hall.floor.master_of(key(1)) is None
    assert approve(hall, key(2), "bot")["response"] == "User has pending agent removal"
    hall.wait(5)
    assert approve(hall, key(2), "bot") == DONE


def test_an_address_is_an_agent_once(hall: Hall) -> None:
    """Neither an agent of anybody, nor a former one, nor an account is approved."""
    approve(hall, key(1), "bot")
    approve(hall, key(2), "bot")
    hall.act(OTHER, type="noop")
    for taken in (key(1), key(2), OTHER, USER):
        assert approve(hall, taken, "new")["response"] == "Extra agent already used."
        assert approve(hall, taken, user=OTHER)["response"] == "Extra agent already used."


def test_an_account_has_three_named_agents(hall: Hall) -> None:
    """A fourth is one too many, an unnamed one is not counted."""
    for number in range(3):
        assert approve(hall, key(number + 1), f"bot{number}") == DONE
    assert "Current limit is 3" in approve(hall, key(4), "bot4")["response"]
    assert approve(hall, key(4)) == DONE


def test_an_approval_ends(hall: Hall) -> None:
    """At the time in its name, which may be neither past nor too far away."""
    now = hall.floor.now_ms()
    assert approve(hall, key(1), f"bot valid_until {now + 60_000}") == DONE
    assert hall.ask("extraAgents")[0]["name"] == "bot"
    hall.wait(61)
    assert hall.floor.master_of(key(1)) is None
    assert hall.ask("extraAgents") == []
    past = approve(hall, key(2), f"bot valid_until {now}")["response"]
    assert past == "Agent valid_until already expired."
    assert approve(hall, key(2), f"bot valid_until {now + 181 * 86_400_000}")["status"] == "err"
    assert approve(hall, key(2), "a name that is too long")["status"] == "err"


def test_used_nonces_are_remembered(hall: Hall) -> None:
    """The hundred highest of each signer; refused actions burn theirs only when told so."""
    actor = Actor(USER, key(1), 50)
    hall.floor.turn_away(actor, {"type": "noop"}, "no", burns=False)
    hall.floor.turn_away(Actor(USER, key(1), 60), {"type": "noop"}, "no", burns=True)
    hall.floor.act(Actor(USER, key(1), 55), {"type": "noop"})
    assert hall.floor.nonces(key(1)) == [55, 60]
    for nonce in range(1000, 1120):
        hall.floor.act(Actor(USER, key(1), nonce), {"type": "noop"})
    assert hall.floor.nonces(key(1)) == list(range(1020, 1120))
    assert hall.floor.nonces(USER) == []
