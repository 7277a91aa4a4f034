"""What happens at a time of its own, and what is out of scope."""

from __future__ import annotations

from typing import Any

import pytest

from tests.simulation.venue.hall import OTHER, SECOND, Hall, trigger

DONE = {"status": "ok", "response": {"type": "default"}}


@pytest.fixture
def hall() -> Hall:
    return Hall()


def test_schedule_and_volume_gate() -> None:
    """Until enough was traded the action is refused, to unset as well."""
    hall = Hall(schedule_volume="1000000")
    hall.place(True, 60_010, "0.01", "Ioc")
    answer = hall.act(type="scheduleCancel", time=hall.floor.now_ms() + 60_000)
    assert answer["response"] == (
        "Cannot set scheduled cancel time until enough volume traded. "
        "Required: $1000000. Traded: $600.01."
    )
    assert hall.act(type="scheduleCancel")["status"] == "err"


def test_a_scheduled_cancel_takes_all_orders_once(hall: Hall) -> None:
    """At its time, positions stay; ten times a day; it can be moved and taken back."""
    assert hall.act(type="scheduleCancel", time=hall.floor.now_ms() + 4000)["status"] == "err"
    hall.place(True, 60_010, "0.1", "Ioc")
    hall.orders(trigger(False, 50_000, "0.1"))
    oid = hall.place(True, 59_000, "0.1")["resting"]["oid"]
    assert hall.act(type="scheduleCancel", time=hall.floor.now_ms() + 5000) == DONE
    assert hall.act(type="scheduleCancel", time=hall.floor.now_ms() + 10_000) == DONE
    hall.wait(9)
    assert len(hall.open()) == 2
    hall.wait(1)
    assert hall.open() == {}
    assert hall.status(oid) == "scheduledCancel"
    assert hall.position()["szi"] == "0.1"
    for _ in range(9):
        assert hall.act(type="scheduleCancel", time=hall.floor.now_ms() + 5000) == DONE
        hall.wait(6)
    refused = hall.act(type="scheduleCancel", time=hall.floor.now_ms() + 5000)
    assert "10 times today" in refused["response"]
    assert hall.act(type="scheduleCancel") == DONE
    hall.wait(86_400)
    assert hall.act(type="scheduleCancel", time=hall.floor.now_ms() + 5000) == DONE


def test_a_twap_fills_in_slices(hall: Hall) -> None:
    """Every 30 s a part of it, until it is done; fills carry its number and history tells."""
    wire = {"a": 0, "b": True, "s": "0.1", "r": False, "m": 5, "t": False}
    answer = hall.act(type="twapOrder", twap=wire)
    number = answer["response"]["data"]["status"]["running"]["twapId"]
    hall.wait(0)
    for _ in range(9):
        hall.clock.time += 29 * SECOND
        hall.tick(59_999, 60_001)
    assert hall.position()["szi"] == "0.1"
    slices = hall.ask("userTwapSliceFills")
    assert {one["twapId"] for one in slices} == {number}
    assert {one["fill"]["sz"] for one in slices} == {"0.01"}
    ends = [one["status"]["status"] for one in hall.ask("twapHistory")]
    assert ends == ["finished", "activated"]


def test_twaps_are_refused_and_canceled_in_the_venues_words(hall: Hall) -> None:
    """Too short, too small, reduce-only without a position, unknown."""

    def status(**wire: object) -> Any:
        twap = {"a": 0, "b": True, "s": "0.1", "r": False, "m": 30, "t": True, **wire}
        return hall.act(type="twapOrder", twap=twap)["response"]["data"]["status"]

    assert status(m=1) == {"error": "Invalid TWAP duration: 1 min(s)"}
    assert status(m=120, s="0.01") == {
        "error": "TWAP order value too small. Min is $1200, which is $10 per minute."
    }
    assert status(r=True) == {"error": "Reduce-only TWAP order would increase position."}
    number = status()["running"]["twapId"]
    done = hall.act(type="twapCancel", a=0, t=number)
    assert done["response"] == {"type": "twapCancel", "data": {"status": "success"}}
    again = hall.act(type="twapCancel", a=0, t=number)["response"]["data"]["status"]
    assert again == {"error": "TWAP was never placed, already canceled, or filled."}


def test_what_is_out_of_scope_is_refused(hall: Hall) -> None:
    """With the venue's words where they are known."""
    answers = {
        kind: hall.act(type=kind, **more)["response"]
        for kind, more in {
            "createSubAccount": {"name": "x"},
            "vaultTransfer": {"vaultAddress": OTHER, "isDeposit": True, "usd": 1},
            "spotSend": {},
            "tokenDelegate": {},
        }.items()
    }
    assert answers["createSubAccount"].startswith("Cannot create sub-accounts until enough volume")
    assert answers["vaultTransfer"] == f"Vault not registered: {OTHER}"
    assert answers["spotSend"] == answers["tokenDelegate"]
    assert hall.act(type="noop") == hall.act(type="setReferrer", code="X") == DONE
