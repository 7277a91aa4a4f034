"""No order of ours is off the grid, and rounding never adds risk."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.integrations.hyperliquid.scripted import META
from tests.integrations.recordings import real
from tradeagent.errors import OrderRefused, VenueUnavailable
from tradeagent.integrations.hyperliquid import HyperliquidSettings
from tradeagent.integrations.hyperliquid.answers import Meta
from tradeagent.integrations.hyperliquid.listing import Listing
from tradeagent.integrations.hyperliquid.wording import Wording, number
from tradeagent.messages import InstrumentUpdate, Order

SETTINGS = HyperliquidSettings()
LISTING = Listing(Meta.model_validate(META))
PRICES = st.decimals("0.0000001", "2000000", allow_nan=False, places=9).filter(lambda p: p > 0)
SIDES = st.sampled_from(["buy", "sell"])
KINDS = st.sampled_from(["limit", "market", "stop", "take_profit"])


def recorded_universe() -> list[tuple[int, Any]]:
    """Return every recorded asset with its number."""
    for line in real("hyperliquid_info_samples.jsonl").read_text().splitlines():
        sample = json.loads(line)
        if sample["request"]["type"] == "meta":
            return list(enumerate(sample["response"]["universe"]))
    raise AssertionError("the samples hold no meta")


def price_stands(text: str, decimals: int) -> bool:
    """Tell whether the venue takes a price, by its own rule rather than by ours."""
    if "." not in text:
        return True
    whole, part = text.split(".")
    return len((whole + part).lstrip("0")) <= 5 and len(part) <= 6 - decimals


def order(side: str, kind: str, price: Decimal, size: Decimal, **changes: object) -> Order:
    """Return an order of one kind at a price: its limit, its trigger, or none."""
    values: dict[str, object] = {"limit": price} if kind == "limit" else {}
    if kind in ("stop", "take_profit"):
        values["trigger"] = price
    return Order.model_validate(
        {
            "cloid": "0x" + "a" * 32,
            "intent_id": "i",
            "symbol": "BTC",
            "side": side,
            "size": size,
            "type": kind,
            **values,
            **changes,
        }
    )


def test_no_order_is_off_the_grid_of_the_recorded_universe() -> None:
    """For every recorded asset, kind, side and price: what is worded stands on the venue's grid."""
    universe = recorded_universe()
    listing = Listing(Meta.model_validate({"universe": [asset for _, asset in universe]}))

    @given(st.sampled_from(universe), SIDES, KINDS, PRICES, st.integers(1, 10**7))
    def check(asset: tuple[int, Any], side: str, kind: str, price: Decimal, lots: int) -> None:
        place, shown = asset
        instrument = listing.find(shown["name"])
        assert instrument is not None
        wording = Wording(place, instrument, SETTINGS)
        asked = order(side, kind, price, lots * instrument.lot)
        try:
            wire = cast(Any, wording.place(asked, price))["orders"][0]
        except OrderRefused:
            assert price < instrument.tick * 2  # it rounds to nothing
            return

        decimals = shown["szDecimals"]
        assert wire["a"] == place
        assert price_stands(wire["p"], decimals)
        assert price_stands(wire["t"].get("trigger", {"triggerPx": "1"})["triggerPx"], decimals)
        assert len(wire["s"].partition(".")[2]) <= decimals
        assert Decimal(wire["s"]) == asked.size
        assert not any(text.endswith("0") and "." in text for text in (wire["p"], wire["s"]))

    check()


def btc() -> tuple[int, InstrumentUpdate]:
    """Return the number and the grid of BTC."""
    return LISTING.require("BTC")


@given(SIDES, PRICES)
def test_a_limit_is_never_worse_than_asked(side: str, price: Decimal) -> None:
    """Buys are rounded down and sells up."""
    wording = Wording(*btc(), SETTINGS)
    try:
        wire = cast(Any, wording.place(order(side, "limit", price, Decimal(1)), None))
    except OrderRefused:
        assert side == "buy"
        return
    rounded = Decimal(wire["orders"][0]["p"])

    assert rounded <= price if side == "buy" else rounded >= price


@given(SIDES, st.sampled_from(["stop", "take_profit"]), st.decimals("10", "100000", places=3))
def test_a_trigger_is_reached_no_later_than_asked(side: str, kind: str, price: Decimal) -> None:
    """A trigger below the market is rounded up, one above it down."""
    wire = cast(Any, Wording(*btc(), SETTINGS).place(order(side, kind, price, Decimal(1)), None))
    trigger = Decimal(wire["orders"][0]["t"]["trigger"]["triggerPx"])

    falls = (side == "sell") == (kind == "stop")
    assert trigger >= price if falls else trigger <= price


@pytest.mark.parametrize(
    ("changes", "price", "kind"),
    [
        ({"type": "limit", "limit": Decimal(60000)}, "60000", {"limit": {"tif": "Gtc"}}),
        (
            {"type": "limit", "limit": Decimal(60000), "tif": "ALO"},
            "60000",
            {"limit": {"tif": "Alo"}},
        ),
        (
            {"type": "limit", "limit": Decimal(60000), "tif": "IOC"},
            "60000",
            {"limit": {"tif": "Ioc"}},
        ),
        ({"type": "market"}, "63536", {"limit": {"tif": "Ioc"}}),
        ({"type": "market", "limit": Decimal(61000)}, "61000", {"limit": {"tif": "Ioc"}}),
        (
            {"type": "stop", "trigger": Decimal(62000), "reduce_only": True},
            "68200",
            {"trigger": {"isMarket": True, "triggerPx": "62000", "tpsl": "sl"}},
        ),
        (
            {"type": "take_profit", "trigger": Decimal(55000), "reduce_only": True},
            "60500",
            {"trigger": {"isMarket": True, "triggerPx": "55000", "tpsl": "tp"}},
        ),
    ],
)
def test_the_words_for_each_kind_of_order(
    changes: dict[str, object], price: str, kind: object
) -> None:
    """Kinds, times in force and worst prices are worded as the venue wants them, keys in order."""
    asked = order("buy", "market", Decimal(1), Decimal("0.01000"), **changes)
    wire = cast(Any, Wording(*btc(), SETTINGS).place(asked, Decimal("60510.5")))["orders"][0]

    assert list(wire) == ["a", "b", "p", "s", "r", "t", "c"]
    assert (wire["p"], wire["s"], wire["t"]) == (price, "0.01", kind)
    assert wire["r"] is asked.reduce_only


def test_what_cannot_be_worded_is_refused() -> None:
    """No price, a foreign size or a foreign name goes out rounded into something else."""
    wording = Wording(*btc(), SETTINGS)

    with pytest.raises(VenueUnavailable, match="no fresh price"):
        wording.place(order("buy", "market", Decimal(1), Decimal(1)), None)
    with pytest.raises(OrderRefused, match="GRID: size"):
        wording.place(order("buy", "limit", Decimal(1), Decimal("0.000001")), None)
    with pytest.raises(OrderRefused, match="MALFORMED"):
        wording.place(order("buy", "limit", Decimal(1), Decimal(1), cloid="c1"), None)
    with pytest.raises(OrderRefused, match="MALFORMED"):
        wording.place(order("buy", "limit", Decimal(1), Decimal(1), limit=None), None)
    with pytest.raises(OrderRefused, match="UNLISTED"):
        LISTING.require("OLD")


def test_a_replacement_names_the_order_it_takes_the_place_of() -> None:
    """The old order is named by cloid or number; what may trade at once is marked."""
    wording = Wording(*btc(), SETTINGS)
    stop = order("sell", "stop", Decimal(50000), Decimal(1), replaces="0x" + "b" * 32)
    quote = order("sell", "limit", Decimal(50000), Decimal(1), tif="ALO", replaces="91")

    moved, quoted = wording.replace(stop, None), wording.replace(quote, None)
    assert cast(Any, moved)["modifies"][0]["oid"] == "0x" + "b" * 32
    assert list(moved) == ["type", "modifies", "a"]
    assert cast(Any, quoted)["modifies"][0]["oid"] == 91
    assert "a" not in quoted


def test_margin_tiers_come_from_the_venue() -> None:
    """Leverage falls with the position's value as the margin table says."""
    _, instrument = btc()

    assert instrument.leverage(Decimal(1000)) == 40
    assert instrument.leverage(Decimal(200_000_000)) == 20
    assert LISTING.number("OLD") == 2


@pytest.mark.parametrize(
    ("value", "text"),
    [("60000.0", "60000"), ("1E+5", "100000"), ("0.00001000", "0.00001"), ("1E-7", "0.0000001")],
)
def test_numbers_are_plain(value: str, text: str) -> None:
    """What is signed has no trailing zeros and no exponent."""
    assert number(Decimal(value)) == text
