"""Nonsense is refused, never a fault of the venue."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from typing import Any

import pytest
from hyperliquid.utils import signing as sdk
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.venue.place import Json, Place, Trader, opened
from tests.venue.server import wallet
from tradeagent.simulation.venue.actions import BODIES, FOREIGN

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False),
    st.text(max_size=8),
    st.sampled_from(["BTC", "1", "-1", "0", "0x" + "1" * 40, "0x" + "1" * 32, "1m", "na"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "b", "p", "s", "r", "t", "coin", "x"]), inner)
    ),
    max_leaves=8,
)
KINDS = (
    "meta allMids l2Book candleSnapshot userFills userFillsByTime orderStatus fundingHistory "
    "userFunding clearinghouseState openOrders historicalOrders recentTrades portfolio "
    "activeAssetData userRole maxBuilderFee nonsense"
)
QUERIES = st.sampled_from(KINDS.split())
FIELDS = st.dictionaries(
    st.sampled_from(
        ["user", "coin", "oid", "startTime", "endTime", "req", "nSigFigs", "mantissa", "dex"]
    ),
    VALUES,
)
BORDERS = st.sampled_from(["0", "0.00001", "1", "59999.9", "60000", "99999999", "-5", "1" * 30])
ORDERS = st.fixed_dictionaries(
    {
        "a": st.integers(0, 4),
        "b": st.booleans(),
        "p": BORDERS,
        "s": BORDERS,
        "r": st.booleans(),
        "t": st.sampled_from(["Gtc", "Ioc", "Alo", "FrontendMarket"]).map(
            lambda tif: {"limit": {"tif": tif}}
        )
        | st.builds(
            lambda market, price, kind: {
                "trigger": {"isMarket": market, "triggerPx": price, "tpsl": kind}
            },
            st.booleans(),
            BORDERS,
            st.sampled_from(["tp", "sl"]),
        ),
    }
)
BATCHES = st.fixed_dictionaries(
    {
        "type": st.just("order"),
        "orders": st.lists(ORDERS, max_size=3),
        "grouping": st.sampled_from(["na", "normalTpsl", "positionTpsl"]),
    }
)
NONCES = count(1)
BODY: Any = {"signature": {"r": "0x1", "s": "0x1", "v": 27}}


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    """A loop that outlives the examples of a test."""
    with asyncio.Runner() as made:
        yield made


@pytest.fixture(scope="module")
def place(runner: asyncio.Runner) -> Iterator[Place]:
    """One venue for all that is thrown at it."""
    opening = opened()
    yield runner.run(opening.__aenter__())
    runner.run(opening.__aexit__(None, None, None))


@settings(max_examples=300, deadline=None)
@given(query=st.builds(lambda kind, more: {**more, "type": kind}, QUERIES, FIELDS) | VALUES)
def test_no_query_is_a_fault(place: Place, runner: asyncio.Runner, query: object) -> None:
    """Any JSON gets an answer or 422, whatever its fields hold."""
    assert runner.run(place.ask("/info", query))[0] in (200, 422)


WILD_FIELDS = sorted({name.rstrip("_") for body in BODIES.values() for name in body})
WILD = st.builds(
    lambda kind, more: {"type": kind, **more},
    st.sampled_from(sorted({*BODIES, *FOREIGN})),
    st.dictionaries(st.sampled_from(WILD_FIELDS), VALUES),
)


@settings(max_examples=300, deadline=None)
@given(action=BATCHES | WILD)
def test_no_action_is_a_fault(place: Place, runner: asyncio.Runner, action: Json) -> None:
    """Any action with a good signature is carried out, refused in words, or malformed."""
    master = Trader(place, wallet(70_000), place.floor.now_ms() + next(NONCES))
    nonce = master.nonce()
    body = {"action": action, "nonce": nonce, **BODY}
    with suppress(OverflowError, ValueError, TypeError):  # it is sent all the same
        body = master.signed(action, nonce)
    status, answer = runner.run(place.ask("/exchange", body))
    assert status in (200, 422)
    assert status == 422 or answer["status"] in ("ok", "err")


AMOUNTS = st.sampled_from(["", "0", "-1", "1e5", "nan", "inf", "1" * 60, "0." + "0" * 30 + "1"])


@settings(max_examples=60, deadline=None)
@given(amount=AMOUNTS | st.text(max_size=6))
def test_no_amount_is_a_fault(place: Place, runner: asyncio.Runner, amount: str) -> None:
    """Whatever text stands for money in a user-signed action, no money comes of it."""
    master = Trader(place, wallet(70_001), place.floor.now_ms() + next(NONCES))
    to = wallet(70_002).address
    for kind, sign, fields in (
        ("usdSend", sdk.sign_usd_transfer_action, {"destination": to}),
        ("withdraw3", sdk.sign_withdraw_from_bridge_action, {"destination": to}),
        ("usdClassTransfer", sdk.sign_usd_class_transfer_action, {"toPerp": True}),
        ("approveBuilderFee", sdk.sign_approve_builder_fee, {"builder": to}),
    ):
        named = "maxFeeRate" if kind == "approveBuilderFee" else "amount"
        answer = runner.run(master.send(kind, sign, **fields, **{named: amount}))
        refused = isinstance(answer, str) and answer.startswith("Failed to deserialize")
        assert refused or answer["status"] in ("ok", "err")
    state: Any = runner.run(place.info("clearinghouseState", user=master.user))
    assert float(state["marginSummary"]["accountValue"]) <= 10_000
