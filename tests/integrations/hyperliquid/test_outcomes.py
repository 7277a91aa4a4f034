"""Only what the venue says of an order itself proves anything about it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.integrations.hyperliquid.scripted import err, ok
from tradeagent.errors import OrderRefused, VenueUnavailable
from tradeagent.integrations.hyperliquid.outcomes import (
    CANCELED,
    REJECTED,
    FailedEntry,
    FilledEntry,
    RestingEntry,
    entries,
    is_post_only,
    standing,
)
from tradeagent.messages import OrderStatus

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["status", "response", "data", "statuses", "type", "error", "ok"])
            | st.text(max_size=5),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


def raw(told: object) -> bytes:
    """Return an answer as bytes."""
    return json.dumps(told).encode()


@pytest.mark.parametrize(
    ("entry", "kind"),
    [
        ({"resting": {"oid": 77738308}}, RestingEntry),
        ({"resting": {"oid": 1, "cloid": "0x" + "a" * 32}}, RestingEntry),
        ({"filled": {"totalSz": "0.02", "avgPx": "1891.4", "oid": 77747314}}, FilledEntry),
        ({"error": "Order must have minimum value of $10. asset=1"}, FailedEntry),
        ("waitingForFill", str),
        ("waitingForTrigger", str),
        ("success", str),
    ],
)
def test_every_documented_entry_is_known(entry: object, kind: type) -> None:
    """What the venue may say of one order is read as such."""
    (found,) = entries(raw(ok(entry)), 1)

    assert isinstance(found, kind)


def test_a_refusal_of_the_first_sending_is_proof() -> None:
    """`status: err` on the first sending says that the request was refused for certain."""
    with pytest.raises(OrderRefused, match="does not exist"):
        entries(raw(err("User or API Wallet 0x1 does not exist.")), 1)


@pytest.mark.parametrize("text", ["Action already expired", "Invalid nonce: nonce too low 1 < 2"])
def test_a_refusal_of_a_second_sending_proves_nothing(text: str) -> None:
    """The first sending may have arrived: that must be asked for."""
    with pytest.raises(VenueUnavailable, match="may have arrived"):
        entries(raw(err(text)), 1, again=True)


@pytest.mark.parametrize("again", [False, True])
def test_a_nonce_that_was_used_is_evidence_of_arrival(again: bool) -> None:
    """A duplicate nonce is never a rejection of the order that bears it."""
    with pytest.raises(VenueUnavailable, match="duplicate nonce"):
        entries(raw(err("Invalid nonce: duplicate nonce 1741107452532")), 1, again=again)


def test_one_error_is_that_of_every_order() -> None:
    """A batch refused with one error is refused whole; any other lack proves nothing."""
    error = {"error": "Price too far from oracle asset=4"}
    resting = {"resting": {"oid": 1}}

    assert [type(one) for one in entries(raw(ok(error)), 3)] == [FailedEntry] * 3
    for told in (ok(resting), ok(resting, resting), ok(resting, resting, error, resting), ok()):
        with pytest.raises(VenueUnavailable):
            entries(raw(told), 3)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"garbage",
        b'{"status":"ok"}',
        b'{"status":"ok","response":{"type":"default"}}',
        b'{"status":"ok","response":{"type":"order","data":{"statuses":[{"resting":{}}]}}}',
        b'{"status":"ok","response":{"type":"order","data":{"statuses":[{"novel":{"oid":1}}]}}}',
        b'{"status":"err"}',
        b'{"error":"Could not parse JSON"}',
    ],
)
def test_an_unknown_shape_proves_nothing(data: bytes) -> None:
    """What nobody told us of is neither success nor refusal."""
    with pytest.raises(VenueUnavailable):
        entries(data, 1)


@given(JSON)
def test_no_json_at_all_is_taken_for_a_refusal_by_mistake(told: object) -> None:
    """Any JSON is an entry, a refusal by `status: err`, or no proof; nothing else is raised."""
    try:
        found = entries(raw(told), 1)
    except VenueUnavailable:
        return
    except OrderRefused:
        assert isinstance(told, dict)
        assert told["status"] == "err"
        return
    assert len(found) == 1


def test_every_documented_status_is_known() -> None:
    """Each word for how an order stands has its meaning; an IOC without a match is canceled."""
    assert standing("open") is OrderStatus.OPEN
    assert standing("triggered") is OrderStatus.TRIGGERED
    assert standing("filled") is OrderStatus.FILLED
    assert {standing(word) for word in CANCELED} == {OrderStatus.CANCELED}
    assert {standing(word) for word in REJECTED} == {OrderStatus.REJECTED}
    assert standing("iocCancelRejected") is OrderStatus.CANCELED
    assert standing("scheduledCancel") is OrderStatus.CANCELED
    assert standing("aNovelWord") is None


def test_post_only_windows_are_told_from_refused_post_only_orders() -> None:
    """That an own post-only order would have matched says nothing about the venue."""
    assert is_post_only("Only post-only orders allowed immediately after a network upgrade")
    assert not is_post_only("Post only order would have immediately matched, bbo was 1@2. asset=0")
