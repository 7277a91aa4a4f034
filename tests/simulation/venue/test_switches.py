"""What the floor lets a tester spoil: listings, fills, stops, positions."""

from __future__ import annotations

import pytest

from tests.simulation.venue.hall import USER, Hall, trigger

DONE = {"status": "ok", "response": {"type": "default"}}


@pytest.fixture
def hall() -> Hall:
    return Hall()


def test_delisting_settles_and_refuses(hall: Hall) -> None:
    """Orders are canceled, positions settled at the mark, and nothing new is taken."""
    hall.place(True, 60_010, "0.5", "Ioc")
    hall.orders(trigger(False, 59_000, "0.5"))
    resting = hall.place(True, 59_000, "0.1")["resting"]["oid"]
    hall.floor.relist("BTC", delisted=True)
    assert hall.ask("clearinghouseState")["assetPositions"] == []
    assert hall.status(resting) == "delistedCanceled"
    assert hall.ask("userFills")[0]["dir"] == "Settlement"
    assert hall.open() == {}
    assert "delisted" in hall.place(True, 59_000, "0.1")["error"]
    assert hall.floor.answer({"type": "meta"})["universe"][0]["isDelisted"]  # type: ignore[index]


def test_metadata_changes_what_fits(hall: Hall) -> None:
    """Fewer size decimals refuse sizes that were fine, and allow finer prices."""
    assert "resting" in hall.place(True, 59_000, "0.001")
    hall.floor.relist("BTC", decimals=2, leverage=10)
    assert hall.place(True, 59_000, "0.001") == {"error": "Order has invalid size. asset=0"}
    assert (
        hall.act(type="updateLeverage", asset=0, isCross=True, leverage=11)["response"]
        == "Invalid leverage value"
    )


def test_an_account_can_be_liquidated_by_hand(hall: Hall) -> None:
    """All of it or one coin; without a position there is nothing to do."""
    assert not hall.floor.liquidate(USER)
    hall.place(True, 60_010, "0.1", "Ioc")
    hall.place(True, 3010, "0.1", "Ioc", asset=1)
    assert hall.floor.liquidate(USER, "ETH")
    assert [
        one["position"]["coin"] for one in hall.ask("clearinghouseState")["assetPositions"]
    ] == ["BTC"]
    assert hall.floor.liquidate(USER)
    assert hall.ask("clearinghouseState")["assetPositions"] == []


def test_only_a_part_of_what_would_match_fills(hall: Hall) -> None:
    """Takers get the fraction at once, over all levels; resting orders the fraction of the rest."""
    hall.floor.fill_parts(0.5, USER)
    assert hall.place(True, 60_020, "1.2", "Ioc")["filled"]["totalSz"] == "0.6"
    oid = hall.place(True, 59_990, "0.8")["resting"]["oid"]
    hall.tick(59_980, 59_982)
    assert hall.open()[oid]["sz"] == "0.4"
    hall.floor.fill_parts(1, USER)
    hall.tick(59_980, 59_983)
    assert hall.status(oid) == "filled"


def test_stops_are_refused_as_often_as_asked(hall: Hall) -> None:
    """Others pass, and so do stops afterwards."""
    hall.place(True, 60_010, "1", "Ioc")
    hall.floor.reject_stops(2)
    (no, also, yes) = hall.orders(*[trigger(False, 59_000, "0.1")] * 3)
    assert no == also == {"error": "Invalid TP/SL price. asset=0"}
    assert "resting" in yes
