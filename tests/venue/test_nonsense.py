"""Nonsense is refused, never a fault of the venue."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.venue.place import Json, Trader, opened, trader
from tradeagent.simulation.venue.actions import BODIES

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
BODY: Any = {"signature": {"r": "0x1", "s": "0x1", "v": 27}}


def test_no_query_is_a_fault() -> None:
    """Any JSON gets an answer or 422, whatever its fields hold."""

    async def ask(queries: list[Any]) -> set[int]:
        async with opened() as place:
            return {(await place.ask("/info", one))[0] for one in queries}

    @settings(max_examples=30, deadline=None)
    @given(st.lists(st.builds(lambda kind, more: {**more, "type": kind}, QUERIES, FIELDS) | VALUES))
    def check(queries: list[Any]) -> None:
        assert asyncio.run(ask(queries)) <= {200, 422}

    check()


def test_no_action_is_a_fault() -> None:
    """Any action with a good signature is carried out, refused in words, or malformed."""

    async def send(actions: list[Json]) -> set[int]:
        async with opened() as place:
            master: Trader = trader(place)
            seen = set()
            for action in actions:
                nonce = master.nonce()
                body = {"action": action, "nonce": nonce, **BODY}
                with suppress(OverflowError, ValueError, TypeError):  # it is sent all the same
                    body = master.signed(action, nonce)
                status, answer = await place.ask("/exchange", body)
                assert status != 200 or answer["status"] in ("ok", "err")
                seen.add(status)
            return seen

    fields = st.dictionaries(
        st.sampled_from(sorted({n.rstrip("_") for b in BODIES.values() for n in b})), VALUES
    )
    wild = st.builds(
        lambda kind, more: {"type": kind, **more}, st.sampled_from(sorted(BODIES)), fields
    )

    @settings(max_examples=30, deadline=None)
    @given(st.lists(BATCHES | wild, max_size=12))
    def check(actions: list[Json]) -> None:
        assert asyncio.run(send(actions)) <= {200, 422}

    check()
