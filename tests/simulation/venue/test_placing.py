"""Orders: what is taken, refused and answered, and how each stands afterwards."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.simulation.venue.hall import BTC, OTHER, USER, Hall, named, order, trigger
from tradeagent.simulation.venue import CancelNews, FillNews, Malformed, OrderNews, StateNews


@pytest.fixture
def hall() -> Hall:
    return Hall()


def test_an_order_that_crosses_fills_and_one_that_does_not_rests(hall: Hall) -> None:
    """The answers are `filled` with size and average, and `resting`, each with its cloid."""
    taken = hall.place(True, 60_010, "0.5", "Ioc", cloid=named(1))
    assert taken == {
        "filled": {
            "totalSz": "0.5",
            "avgPx": "60001.0",
            "oid": taken["filled"]["oid"],
            "cloid": named(1),
        }
    }
    waits = hall.place(True, 59_000, "0.5")
    assert list(waits["resting"]) == ["oid"]
    assert hall.status(named(1)) == "filled"
    assert hall.status(waits["resting"]["oid"]) == "open"
    assert list(hall.open()) == [waits["resting"]["oid"]]


def test_a_taker_walks_the_levels_that_are_shown(hall: Hall) -> None:
    """An IOC takes level by level, as l2Book shows them, and what is left is dropped silently."""
    asks = hall.ask("l2Book", coin="BTC")["levels"][1]
    shown = sum(Decimal(one["sz"]) for one in asks[:2])
    found = hall.place(True, asks[1]["px"].removesuffix(".0"), 3, "Ioc")["filled"]
    fills = hall.ask("userFills")
    assert Decimal(found["totalSz"]) == shown
    assert [one["px"] for one in reversed(fills)] == [one["px"] for one in asks[:2]]
    assert len({one["hash"] for one in fills}) == 1
    assert hall.status(found["oid"]) == "canceled"


def test_a_gtc_that_fills_in_part_rests_with_what_is_left(hall: Hall) -> None:
    """It answers `resting`; open orders show the rest, its status the size at the last change."""
    oid = hall.place(True, 60_001, 3)["resting"]["oid"]
    (shown,) = hall.open().values()
    assert (shown["sz"], shown["origSz"]) == ("2.0", "3.0")
    assert hall.position()["szi"] == "1.0"
    assert hall.status(oid) == "open"


REFUSED: list[tuple[dict[str, Any], str, str]] = [
    (order(True, "60000.55", "0.1"), "Price must be divisible by tick size.", "tickRejected"),
    (order(True, "0.1234567", "100"), "Price must be divisible by tick size.", "tickRejected"),
    (order(True, 60_000, "0.000001"), "Order has invalid size.", "rejected"),
    (order(True, 60_000, 0), "Order has zero size.", "rejected"),
    (order(True, 0, 1), "Order has invalid price.", "tickRejected"),
    (order(True, 60_000, "0.0001"), "Order must have minimum value of $10.", "minTradeNtlRejected"),
    (
        order(True, 120_000, 1),
        "Order price cannot be more than 80% away from the reference price",
        "oracleRejected",
    ),
    (
        order(False, 70_000, 1, reduce=True),
        "Reduce only order would increase position.",
        "reduceOnlyRejected",
    ),
    (order(True, 59_000, 100), "Insufficient margin to place order.", "perpMarginRejected"),
    (
        order(True, 60_001, 1, "Alo"),
        "Post only order would have immediately matched, bbo was 59999.0@60001.0.",
        "badAloPxRejected",
    ),
    (
        order(True, 59_999, 1, "Ioc"),
        "Order could not immediately match against any resting orders.",
        "iocCancelRejected",
    ),
    (
        order(True, 59_999, 1, "FrontendMarket"),
        "No liquidity available for market order.",
        "marketOrderNoLiquidityRejected",
    ),
    (trigger(False, 61_000, 1, reduce=False), "Invalid TP/SL price.", "badTriggerPxRejected"),
    (trigger(False, 59_000, 1, "tp", reduce=False), "Invalid TP/SL price.", "badTriggerPxRejected"),
    (trigger(False, 59_000, 1), "Reduce only order would increase position.", "reduceOnlyRejected"),
]


@pytest.mark.parametrize(("wire", "text", "status"), REFUSED)
def test_a_refusal_names_reason_and_asset_and_stands_in_history(
    hall: Hall, wire: dict[str, Any], text: str, status: str
) -> None:
    """Every refused order answers its documented text and is found by its cloid afterwards."""
    (answer,) = hall.orders({**wire, "c": named(9)})
    assert answer == {"error": f"{text} asset=0"}
    assert hall.status(named(9)) == status
    assert hall.open() == {}


def test_one_refused_order_of_a_batch_leaves_the_others_alone(hall: Hall) -> None:
    """A batch answers entry by entry, in its order."""
    answers = hall.orders(
        order(True, 59_000, "0.1"), order(True, "1.23456789", 1), order(True, 58_000, "0.1")
    )
    assert [next(iter(one)) for one in answers] == ["resting", "error", "resting"]
    assert len(hall.open()) == 2


def test_an_unknown_asset_and_an_empty_batch_are_refused(hall: Hall) -> None:
    """The first is an error of the order, the second of the action."""
    assert hall.place(True, 1, 1, asset=7) == {"error": "Invalid asset. asset=7"}
    assert hall.act(type="order", orders=[], grouping="na")["status"] == "err"
    assert hall.act(type="cancel", cancels=[])["status"] == "err"


def test_what_is_no_order_is_malformed_and_changes_nothing(hall: Hall) -> None:
    """A batch with one order that cannot be read raises before any of it is placed."""
    with pytest.raises(Malformed):
        hall.orders(order(True, 59_000, 1), {"a": 0})
    with pytest.raises(Malformed):
        hall.act(type="order", orders=[order(True, "many", 1)], grouping="na")
    with pytest.raises(Malformed):
        hall.act(orders=[])
    assert hall.open() == {}
    assert "resting" in hall.place(True, 59_000, "0.1")


def test_a_live_cloid_is_not_given_twice(hall: Hall) -> None:
    """The second order is refused and the first stands; when it has ended, the name is free."""
    first = hall.place(True, 59_000, "0.1", cloid=named(5))["resting"]["oid"]
    assert hall.place(True, 58_000, "0.1", cloid=named(5)) == {
        "error": "Duplicate client order id. asset=0"
    }
    assert hall.ask("orderStatus", oid=named(5))["order"]["order"]["oid"] == first
    assert hall.place(True, 58_000, "0.1", cloid=named(5), user=OTHER)["resting"]
    hall.cancel(first)
    second = hall.place(True, 58_000, "0.1", cloid=named(5))["resting"]["oid"]
    assert hall.ask("orderStatus", oid=named(5))["order"]["order"]["oid"] == second


def test_the_smallest_order_is_exempt_when_it_closes_the_whole_position(hall: Hall) -> None:
    """Below $10 the exact close passes, and a larger reduce-only one; a partial close does not."""
    hall.place(True, 60_010, "0.00018", "Ioc")
    hall.tick(50_000, 50_002)
    assert "error" in hall.place(False, 50_000, "0.0001", "Ioc")
    assert "error" in hall.place(False, 50_000, "0.0001", "Ioc", reduce=True)
    assert "filled" in hall.place(False, 50_000, "0.0002", "Ioc", reduce=True)
    hall.place(True, 60_010, "0.0002", "Ioc")
    hall.tick(40_000, 40_002)
    assert "filled" in hall.place(False, 40_000, "0.0002", "Ioc")
    assert hall.position()["szi"] == "0.0"


def test_cancels_tell_success_or_that_there_is_no_such_order(hall: Hall) -> None:
    """By oid and by cloid; a wrong asset, an ended and an unknown order are all missing."""
    one = hall.place(True, 59_000, "0.1")["resting"]["oid"]
    hall.place(True, 58_000, "0.1", cloid=named(2))
    missing = {"error": "Order was never placed, already canceled, or filled. asset=0"}
    assert hall.cancel(one, one, 4) == ["success", missing, missing]
    assert hall.cancel(one, asset=1) == [{"error": missing["error"].replace("=0", "=1")}]
    answer = hall.act(type="cancelByCloid", cancels=[{"asset": 0, "cloid": named(2)}])
    assert answer["response"] == {"type": "cancel", "data": {"statuses": ["success"]}}
    assert hall.status(one) == hall.status(named(2)) == "canceled"


def test_a_modify_is_a_new_order_under_the_old_name(hall: Hall) -> None:
    """The old oid is canceled, the new one keeps the cloid; by oid or by cloid it is found."""
    old = hall.place(True, 59_000, "0.1", cloid=named(1))["resting"]["oid"]
    wire = order(True, 58_000, "0.2", cloid=named(1))
    answer = hall.act(type="batchModify", modifies=[{"oid": old, "order": wire}])
    new = answer["response"]["data"]["statuses"][0]["resting"]["oid"]
    assert new > old
    assert (hall.status(old), hall.status(new)) == ("canceled", "open")
    assert hall.act(type="modify", oid=named(1), order=order(True, 57_000, "0.2")) == {
        "status": "ok",
        "response": {"type": "default"},
    }
    assert [one["limitPx"] for one in hall.open().values()] == ["57000.0"]


def test_a_modify_of_what_has_ended_is_refused(hall: Hall) -> None:
    """With the venue's words, in the form of each action."""
    wire = order(True, 58_000, "0.2")
    gone = "Cannot modify canceled or filled order asset=0"
    answer = hall.act(type="batchModify", modifies=[{"oid": 5, "order": wire}])
    assert answer["response"]["data"]["statuses"] == [{"error": gone}]
    assert hall.act(type="modify", oid=5, order=wire) == {"status": "err", "response": gone}


def test_a_modify_must_say_that_it_may_trade_at_once(hall: Hall) -> None:
    """Without `a` an executable replacement is refused and the old order stands."""
    old = hall.place(True, 59_000, "0.1")["resting"]["oid"]
    crossing = order(True, 60_100, "0.1")
    refused = hall.act(type="batchModify", modifies=[{"oid": old, "order": crossing}])
    assert "error" in refused["response"]["data"]["statuses"][0]
    assert hall.status(old) == "open"
    done = hall.act(type="batchModify", modifies=[{"oid": old, "order": crossing}], a=True)
    assert "filled" in done["response"]["data"]["statuses"][0]


def test_a_modify_that_fails_has_canceled_the_old_order(hall: Hall) -> None:
    """`Error placing new order during modify` means the cancel leg did happen."""
    old = hall.place(True, 59_000, "0.1")["resting"]["oid"]
    wire = order(True, 59_000, 1000)
    answer = hall.act(type="batchModify", modifies=[{"oid": old, "order": wire}])
    (error,) = answer["response"]["data"]["statuses"]
    assert error["error"].startswith("Error placing new order during modify: Insufficient margin")
    assert hall.status(old) == "canceled"


def test_an_account_does_not_trade_with_itself(hall: Hall) -> None:
    """The resting order is canceled, the aggressor goes on; farther ones stay."""
    near = hall.place(False, 60_001, "0.5")["resting"]["oid"]
    far = hall.place(False, 60_500, "0.5")["resting"]["oid"]
    hall.heard.clear()
    assert "filled" in hall.place(True, 60_010, "0.2", "Ioc")
    assert (hall.status(near), hall.status(far)) == ("selfTradeCanceled", "open")
    assert CancelNews(USER, "BTC", near) in hall.heard


def test_a_post_only_order_meets_the_own_book_too(hall: Hall) -> None:
    """An own resting order inside the spread is part of the touch it is judged by."""
    hall.place(False, 60_000, "0.5")
    answer = hall.place(True, 60_000, "0.5", "Alo")
    assert "bbo was 59999.0@60000.0." in answer["error"]


def test_resting_orders_fill_as_maker_when_the_market_comes(hall: Hall) -> None:
    """Whole when the other side crosses, in part by trades that the queue leaves something of."""
    oid = hall.place(True, 59_999, "0.5")["resting"]["oid"]
    hall.trade("sell", 59_999, 0.9)
    assert hall.open()[oid]["sz"] == "0.5"
    hall.trade("sell", 59_999, 0.3)
    assert hall.open()[oid]["sz"] == "0.3"
    hall.tick(59_990, 59_998)
    assert hall.status(oid) == "filled"
    first, second = reversed(hall.ask("userFills"))
    assert [first["crossed"], second["crossed"]] == [False, False]
    assert Decimal(second["fee"]) == Decimal("0.3") * 59_999 * Decimal("0.00015")


def test_reduce_only_orders_are_cut_to_the_position(hall: Hall) -> None:
    """A larger one rests with the position's size, shrinks with it and goes when it is gone."""
    hall.place(True, 60_010, 1, "Ioc")
    oid = hall.place(False, 61_000, 3, reduce=True)["resting"]["oid"]
    assert (hall.open()[oid]["sz"], hall.open()[oid]["origSz"]) == ("1.0", "3.0")
    hall.place(False, 59_000, "0.4", "Ioc")
    assert hall.open()[oid]["sz"] == "0.6"
    hall.heard.clear()
    hall.place(False, 59_000, "0.6", "Ioc")
    assert hall.status(oid) == "reduceOnlyCanceled"
    assert not any(isinstance(one, CancelNews) for one in hall.heard)


def test_a_reduce_only_ioc_never_flips(hall: Hall) -> None:
    """It fills the position only and is done."""
    hall.place(True, 60_010, "0.3", "Ioc")
    found = hall.place(False, 59_000, 2, "Ioc", reduce=True)["filled"]
    assert found["totalSz"] == "0.3"
    assert hall.status(found["oid"]) == "filled"
    assert hall.position()["szi"] == "0.0"


def test_of_reduce_only_orders_that_are_too_much_together_the_older_goes(hall: Hall) -> None:
    """The newest is served first."""
    hall.place(True, 60_010, 1, "Ioc")
    older = hall.place(False, 61_000, "0.6", reduce=True)["resting"]["oid"]
    newer = hall.place(False, 62_000, "0.6", reduce=True)["resting"]["oid"]
    assert hall.status(older) == "reduceOnlyCanceled"
    assert hall.status(newer) == "open"


def test_news_come_as_the_venue_sends_them(hall: Hall) -> None:
    """Trades, then fills, then orders, then that the account has changed; all at one time."""
    hall.heard.clear()
    hall.place(True, 60_010, "0.5", "Ioc")
    kinds = [type(one) for one in hall.heard]
    assert kinds.index(FillNews) < kinds.index(OrderNews) < kinds.index(StateNews)
    (fill,) = next(one for one in hall.heard if isinstance(one, FillNews)).fills
    told = next(one for one in hall.heard if isinstance(one, OrderNews))
    assert (told.status, told.time, told.order["sz"]) == ("filled", fill["time"], "0.0")


def test_fills_chain_and_tell_direction_and_result(hall: Hall) -> None:
    """Start positions follow each other; the result is before fees and 0 where one opens."""
    for buy, size in ((True, "0.5"), (True, "0.1"), (False, "0.2"), (False, "0.7"), (True, "0.3")):
        hall.place(buy, 60_010 if buy else 59_990, size, "Ioc")
    fills = list(reversed(hall.ask("userFills")))
    assert [(one["dir"], one["startPosition"], one["closedPnl"]) for one in fills] == [
        ("Open Long", "0.0", "0.0"),
        ("Open Long", "0.5", "0.0"),
        ("Close Long", "0.6", "-0.4"),
        ("Long > Short", "0.4", "-0.8"),
        ("Close Short", "-0.3", "-0.6"),
    ]


def test_more_open_orders_than_allowed_are_refused(hall: Hall) -> None:
    """A thousand may rest; neither another one nor a reduce-only one is taken then."""
    hall.place(True, 60_010, "0.1", "Ioc")
    for start in range(0, 1000, 100):
        hall.orders(*(order(True, 30_000 + start + i, "0.001") for i in range(100)))
    for wire in (order(True, 29_000, "0.001"), order(False, 61_000, "0.01", reduce=True)):
        assert hall.orders(wire) == [{"error": "Too many open orders. asset=0"}]


def test_a_builder_gets_the_fee_that_was_approved(hall: Hall) -> None:
    """It is told apart and is part of the fee; without approval the action is refused."""
    builder = {"b": "0x" + "c" * 40, "f": 10}
    wire = order(True, 60_010, 1, "Ioc")
    refused = hall.act(type="order", orders=[wire], grouping="na", builder=builder)
    assert refused == {"status": "err", "response": "Builder fee has not been approved."}
    hall.act(type="approveBuilderFee", maxFeeRate="0.01%", builder=builder["b"])
    assert hall.ask("maxBuilderFee", builder=builder["b"]) == 10
    hall.orders(wire, builder=builder)
    (fill,) = hall.ask("userFills")
    assert Decimal(fill["builderFee"]) == Decimal("6.0001")
    assert Decimal(fill["fee"]) == Decimal("6.0001") + 60_001 * Decimal("0.00045")


def test_accounts_are_apart(hall: Hall) -> None:
    """Orders of one are unknown to the other."""
    oid = hall.place(True, 59_000, "0.1")["resting"]["oid"]
    assert hall.status(oid, OTHER) == "unknownOid"
    assert "error" in hall.cancel(oid, user=OTHER)[0]
    assert hall.ask("clearinghouseState", OTHER)["withdrawable"] == "10000.0"


def test_the_listing_is_the_feeds_on_the_venues_grid(hall: Hall) -> None:
    """Ids follow the feed, prices have five digits and six decimals less those of the size."""
    meta = hall.floor.answer({"type": "meta", "dex": ""})
    assert isinstance(meta, dict)
    assert [(one["name"], one["szDecimals"]) for one in meta["universe"]] == [
        ("BTC", 5),
        ("ETH", 4),
    ]
    assert meta["universe"][0]["maxLeverage"] == BTC.max_leverage
    for price, fits in (("123456", True), ("12345.6", False), ("1234.5", True), ("0.1", True)):
        answer = str(hall.place(True, price, 1))
        assert ("tick size" in answer) != fits
