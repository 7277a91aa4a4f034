"""Trigger orders, alone and in groups: when they act, as what, and who goes with them."""

from __future__ import annotations

import pytest

from tests.simulation.venue.hall import Hall, named, order, trigger


@pytest.fixture
def hall() -> Hall:
    """Return a hall whose account is long 1 BTC from 60,001."""
    hall = Hall()
    hall.place(True, 60_010, 1, "Ioc")
    return hall


def test_a_stop_acts_on_the_mark_and_takes_what_there_is(hall: Hall) -> None:
    """The last price and the touch trigger nothing; the mark does, and the position is gone."""
    (placed,) = hall.orders(trigger(False, 59_000, 1, cloid=named(1)))
    oid = placed["resting"]["oid"]
    hall.tick(58_000, 58_002, mark=60_000.0)
    assert hall.status(oid) == "open"
    hall.tick(58_900, 58_902, mark=58_999.0)
    assert hall.status(oid) == "filled"
    assert hall.position()["szi"] == "0.0"
    statuses = [one["status"] for one in hall.ask("historicalOrders")[:3]]
    assert statuses == ["filled", "triggered", "open"]


def test_a_market_trigger_is_not_held_back_by_a_limit_at_its_trigger(hall: Hall) -> None:
    """The limit that clients send with it, often the trigger itself, leaves 10% of room [?]."""
    hall.orders(trigger(False, 59_000, 1))
    hall.tick(57_000, 57_002)
    assert hall.position()["szi"] == "0.0"


def test_a_market_trigger_that_finds_nothing_within_a_tenth_is_rejected(hall: Hall) -> None:
    """Then there was no liquidity, and the position stays."""
    (placed,) = hall.orders(trigger(False, 59_000, 1))
    hall.tick(50_000, 62_000, mark=58_000.0)
    assert hall.status(placed["resting"]["oid"]) == "marketOrderNoLiquidityRejected"
    assert hall.position()["szi"] == "1.0"


def test_a_limit_trigger_rests_at_its_limit(hall: Hall) -> None:
    """It is `triggered` until it fills."""
    (placed,) = hall.orders(trigger(False, 61_000, 1, "tp", limit=61_500))
    oid = placed["resting"]["oid"]
    shown = hall.open()[oid]
    assert (shown["orderType"], shown["triggerCondition"]) == (
        "Take Profit Limit",
        "Price above 61000",
    )
    assert (shown["isTrigger"], shown["triggerPx"], shown["tif"]) == (True, "61000.0", None)
    hall.tick(61_100, 61_102)
    assert hall.status(oid) == "triggered"
    hall.tick(61_500, 61_502)
    assert hall.status(oid) == "filled"


def test_a_stop_entry_opens_a_position(hall: Hall) -> None:
    """Triggers need not be reduce-only; their margin is judged when they act."""
    (entry,) = hall.orders(trigger(True, 61_000, "0.5", reduce=False))
    (huge,) = hall.orders(trigger(True, 61_000, 50, reduce=False))
    hall.tick(61_000, 61_002)
    assert hall.status(entry["resting"]["oid"]) == "filled"
    assert hall.status(huge["resting"]["oid"]) == "perpMarginRejected"
    assert hall.position()["szi"] == "1.5"


def test_stops_go_with_the_position(hall: Hall) -> None:
    """A reduce-only trigger is canceled when there is nothing left to reduce."""
    (placed,) = hall.orders(trigger(False, 59_000, 1))
    hall.place(False, 59_000, "0.5", "Ioc")
    assert hall.status(placed["resting"]["oid"]) == "open"
    hall.place(False, 59_000, "0.5", "Ioc")
    assert hall.status(placed["resting"]["oid"]) == "reduceOnlyCanceled"


def test_a_stop_that_is_too_large_closes_what_there_is(hall: Hall) -> None:
    """It never flips the position."""
    hall.orders(trigger(False, 59_000, 5))
    hall.tick(58_900, 58_902)
    assert hall.position()["szi"] == "0.0"


def test_position_triggers_follow_the_position(hall: Hall) -> None:
    """Both answer `waitingForTrigger`; one closes all there is then, and the other goes."""
    answers = hall.orders(
        trigger(False, 59_000, 0), trigger(False, 62_000, 0, "tp"), grouping="positionTpsl"
    )
    assert answers == ["waitingForTrigger", "waitingForTrigger"]
    stop, target = hall.open()
    assert hall.open()[stop]["isPositionTpsl"]
    hall.place(True, 60_010, "0.5", "Ioc")
    hall.tick(62_000, 62_002)
    assert hall.position()["szi"] == "0.0"
    assert hall.status(target) == "filled"
    assert hall.status(stop) == "siblingFilledCanceled"


def test_children_wait_for_their_parent_and_cancel_each_other(hall: Hall) -> None:
    """They are armed when it has filled whole; the fill of one ends the other."""
    answers = hall.orders(
        order(True, 59_000, 1),
        trigger(False, 58_000, 1, cloid=named(1)),
        trigger(False, 63_000, 1, "tp", cloid=named(2)),
        grouping="normalTpsl",
    )
    assert answers[1:] == ["waitingForFill", "waitingForFill"]
    (parent,) = hall.open().values()
    assert [one["cloid"] for one in parent["children"]] == [named(1), named(2)]
    hall.tick(58_990, 58_992)
    assert hall.position()["szi"] == "2.0"
    assert {one["cloid"] for one in hall.open().values()} == {named(1), named(2)}
    hall.tick(57_990, 57_992)
    assert hall.status(named(1)) == "filled"
    assert hall.status(named(2)) == "siblingFilledCanceled"
    assert hall.position()["szi"] == "1.0"


def test_children_go_with_a_parent_that_is_canceled(hall: Hall) -> None:
    """Even when it has filled in part."""
    (parent, _) = hall.orders(
        order(True, 60_002, 2), trigger(False, 58_000, 2, cloid=named(1)), grouping="normalTpsl"
    )
    assert hall.position()["szi"] == "2.4"
    assert hall.cancel(parent["resting"]["oid"]) == ["success"]
    assert hall.status(named(1)) == "canceled"


def test_children_stay_with_a_parent_that_is_modified(hall: Hall) -> None:
    """The new order has them, and its fill arms them."""
    (parent, _) = hall.orders(
        order(True, 59_000, 1), trigger(False, 57_000, 1, cloid=named(1)), grouping="normalTpsl"
    )
    wire = order(True, 58_500, 1)
    hall.act(type="batchModify", modifies=[{"oid": parent["resting"]["oid"], "order": wire}])
    (moved,) = hall.open().values()
    assert [one["cloid"] for one in moved["children"]] == [named(1)]
    hall.tick(58_400, 58_402)
    assert [one["cloid"] for one in hall.open().values()] == [named(1)]


@pytest.mark.parametrize(
    ("wires", "grouping", "text"),
    [
        ([order(True, 59_000, 1)], "normalTpsl", "Unexpected number of trigger orders"),
        ([order(True, 59_000, 1)] * 2, "normalTpsl", "Unexpected number of trigger orders"),
        ([order(False, 59_000, 1)], "positionTpsl", "Unexpected number of trigger orders"),
        (
            [order(True, 59_000, 1), trigger(False, 58_000, 1, reduce=False)],
            "normalTpsl",
            "TP/SL orders must be reduce only",
        ),
        ([trigger(False, 58_000, 1, reduce=False)], "positionTpsl", "TP/SL orders must be reduce"),
    ],
)
def test_groups_that_are_none_are_refused_whole(
    hall: Hall, wires: list[dict[str, object]], grouping: str, text: str
) -> None:
    """One error for the whole action, and nothing is placed."""
    answer = hall.act(type="order", orders=wires, grouping=grouping)
    assert answer["status"] == "err"
    assert answer["response"].startswith(text)
    assert hall.open() == {}


def test_a_child_on_the_wrong_side_of_its_parent_refuses_the_group(hall: Hall) -> None:
    """There is one entry for all of it, with the reason."""
    answers = hall.orders(order(True, 59_000, 1), trigger(False, 59_500, 1), grouping="normalTpsl")
    assert answers == [{"error": "Invalid TP/SL price. asset=0"}]
    assert hall.open() == {}


def test_children_of_a_market_order_are_judged_at_the_mark(hall: Hall) -> None:
    """Its limit is far beyond what it will pay; they are armed at once."""
    (parent, *children) = hall.orders(
        order(True, 63_000, "0.5", "Ioc"),
        trigger(False, 59_000, "0.5"),
        trigger(False, 61_000, "0.5", "tp"),
        grouping="normalTpsl",
    )
    assert "filled" in parent
    assert children == ["waitingForFill"] * 2
    assert len(hall.open()) == 2


def test_a_stop_that_is_modified_stays_a_stop_of_its_group(hall: Hall) -> None:
    """It needs `a`, and its sibling still goes with it."""
    hall.orders(trigger(False, 59_000, 0), trigger(False, 62_000, 0, "tp"), grouping="positionTpsl")
    stop, target = hall.open()
    wire = trigger(False, 59_500, 1)
    hall.act(type="batchModify", modifies=[{"oid": stop, "order": wire}], a=True)
    hall.tick(59_400, 59_402)
    assert hall.status(target) == "siblingFilledCanceled"
    assert hall.position()["szi"] == "0.0"
