"""The shape of actions."""

from __future__ import annotations

import pytest

from tradeagent.simulation.venue.actions import canonical, is_cancel, posts_only, weight_of
from tradeagent.simulation.venue.base import Json, Malformed

ORDER: Json = {"a": 0, "b": True, "p": "60000", "s": "0.01", "r": False}
GTC: Json = {**ORDER, "t": {"limit": {"tif": "Gtc"}}}
ALO: Json = {**ORDER, "t": {"limit": {"tif": "Alo"}}}
STOP: Json = {**ORDER, "t": {"trigger": {"isMarket": True, "triggerPx": "55000", "tpsl": "sl"}}}


def orders(*several: Json, **more: object) -> Json:
    """Return an order action."""
    return {"type": "order", "orders": list(several), "grouping": "na", **more}


@pytest.mark.parametrize(
    "action",
    [
        orders(GTC, STOP),
        orders(GTC, grouping={"p": 3}),
        orders({**GTC, "c": "0x" + "0a" * 16}),
        {"type": "cancel", "cancels": [{"a": 1, "o": 5}], "f": True},
        {"type": "modify", "oid": "0x" + "0a" * 16, "order": GTC, "a": True},
        {"type": "batchModify", "modifies": [{"oid": 7, "order": ALO}]},
        {"type": "scheduleCancel"},
        {"type": "scheduleCancel", "time": 1800000000000},
        {"type": "updateIsolatedMargin", "asset": 0, "isBuy": True, "ntli": -1500000},
        {"type": "noop"},
        {"type": "spotDeploy", "anything": {"goes": 1}},
    ],
)
def test_a_canonical_action_is_left_as_it_is(action: Json) -> None:
    """What is in canonical form already keeps its keys and their order."""
    assert list(canonical(action).items()) == list(action.items())


@pytest.mark.parametrize(
    "action",
    [
        None,
        [],
        {},
        {"type": "dance"},
        {"type": "noop", "more": 1},
        orders({k: v for k, v in GTC.items() if k != "r"}),
        orders({**GTC, "a": "0"}),
        orders({**GTC, "a": -1}),
        orders({**GTC, "a": True}),
        orders({**GTC, "b": 1}),
        orders({**GTC, "p": 60000}),
        orders({**GTC, "p": "6e4"}),
        orders({**GTC, "x": 1}),
        orders({**GTC, "c": "0x1"}),
        orders({**GTC, "t": {"limit": {"tif": "Fok"}}}),
        orders({**GTC, "t": {**GTC["t"], **STOP["t"]}}),
        orders(GTC, grouping="all"),
        {"type": "order", "orders": GTC, "grouping": "na"},
        {"type": "updateLeverage", "asset": 0, "isCross": True, "leverage": 5.0},
        {"type": "usdSend", "destination": "0x1", "amount": "1", "time": 1}
        | {"signatureChainId": "0x1", "hyperliquidChain": "Mainnet"},
    ],
)
def test_another_shape_is_malformed(action: object) -> None:
    """A missing, unknown or mistyped field is refused, at any depth."""
    with pytest.raises(Malformed):
        canonical(action)


def test_null_is_as_good_as_absent() -> None:
    """An optional key that is null is left out of what is hashed."""
    assert canonical(orders({**GTC, "c": None}, builder=None)) == orders(GTC)


def test_a_batch_weighs_as_many_as_it_holds() -> None:
    """Orders, cancels and changes count each; anything else counts one."""
    assert weight_of(orders(GTC, GTC, STOP)) == 3
    assert weight_of({"type": "cancel", "cancels": []}) == 0
    assert weight_of({"type": "noop"}) == 1
    assert is_cancel({"type": "cancelByCloid", "cancels": []})
    assert not is_cancel(orders(GTC))


def test_only_post_only_orders_are_post_only() -> None:
    """One order of another kind in a batch, or behind a change, is enough to be refused."""
    assert posts_only(orders(ALO, ALO))
    assert posts_only({"type": "cancel", "cancels": [{"a": 0, "o": 1}]})
    assert not posts_only(orders(ALO, GTC))
    assert not posts_only({"type": "modify", "oid": 1, "order": STOP})
    assert not posts_only({"type": "batchModify", "modifies": [{"oid": 1, "order": GTC}]})
