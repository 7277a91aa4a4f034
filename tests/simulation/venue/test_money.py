"""Margin, leverage, transfers, funding, liquidation: the account to the last digit."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.simulation.venue.hall import OTHER, USER, Hall
from tradeagent.simulation.venue import CancelNews, FundingNews, LedgerNews, LiquidationNews

DONE = {"status": "ok", "response": {"type": "default"}}


@pytest.fixture
def hall() -> Hall:
    return Hall()


def state(hall: Hall, user: str = USER) -> Any:
    """Return the clearinghouse's state."""
    return hall.ask("clearinghouseState", user)


def leverage(hall: Hall, value: int, *, cross: bool = True, asset: int = 0) -> Any:
    """Change the leverage; returns the answer."""
    return hall.act(type="updateLeverage", asset=asset, isCross=cross, leverage=value)


def check_algebra(shown: Any, marks: dict[str, Decimal]) -> None:
    """Check every equation of the protocol's section 2.3, exactly."""
    held = [one["position"] for one in shown["assetPositions"]]
    for kind, chosen in (
        ("marginSummary", held),
        ("crossMarginSummary", [one for one in held if one["leverage"]["type"] == "cross"]),
    ):
        summary = {name: Decimal(value) for name, value in shown[kind].items()}
        signed = [(Decimal(one["szi"]), marks[one["coin"]]) for one in chosen]
        worth = sum((size * mark for size, mark in signed), Decimal(0))
        assert summary["accountValue"] == summary["totalRawUsd"] + worth
        assert summary["totalNtlPos"] == sum(abs(size) * mark for size, mark in signed)
        assert summary["totalMarginUsed"] == sum(Decimal(one["marginUsed"]) for one in chosen)
    for one in held:
        size, mark, entry = Decimal(one["szi"]), marks[one["coin"]], Decimal(one["entryPx"])
        result, value = Decimal(one["unrealizedPnl"]), Decimal(one["positionValue"])
        ratio = one["leverage"]["value"]
        assert value == abs(size) * mark
        assert abs(result - size * (mark - entry)) < Decimal("1e-6")
        used = Decimal(one["marginUsed"])
        if one["leverage"]["type"] == "cross":
            assert abs(used - value / ratio) <= Decimal("5e-7")
        else:
            assert used == size * mark + Decimal(one["leverage"]["rawUsd"])
        back = result / (entry * abs(size) / ratio)
        assert abs(Decimal(one["returnOnEquity"]) - back) < Decimal("1e-6")
    total = {name: Decimal(value) for name, value in shown["marginSummary"].items()}
    free = total["accountValue"] - max(total["totalMarginUsed"], total["totalNtlPos"] / 10)
    assert Decimal(shown["withdrawable"]) == max(free, Decimal(0))


def test_the_state_of_a_new_account_is_its_balance(hall: Hall) -> None:
    """It is shown before the account exists, and asking opens nothing."""
    shown = state(hall)
    assert shown["marginSummary"]["accountValue"] == shown["withdrawable"] == "10000.0"
    assert shown["assetPositions"] == []
    assert hall.ask("userRole") == {"role": "missing"}
    assert hall.floor.master_of(USER) is None
    hall.act(type="noop")
    assert hall.ask("userRole") == {"role": "user"}
    assert hall.floor.master_of(USER) == USER


def test_the_algebra_of_cross_and_isolated_positions_holds(hall: Hall) -> None:
    """Long cross BTC beside short isolated ETH, in profit and in loss."""
    leverage(hall, 10, cross=False, asset=1)
    hall.place(True, 60_010, "0.7", "Ioc")
    hall.place(False, 2990, "0.9", "Ioc", asset=1)
    for price in (60_300, 58_700):
        hall.tick(price - 1, price + 1, mark=price + 0.5)
        hall.tick(2950, 2951, "ETH", mark=2950.7)
        marks = {"BTC": Decimal(str(price + 0.5)), "ETH": Decimal("2950.7")}
        check_algebra(state(hall), marks)
    kinds = {one["position"]["coin"]: one["position"] for one in state(hall)["assetPositions"]}
    assert kinds["ETH"]["leverage"]["type"] == "isolated"
    assert Decimal(kinds["ETH"]["marginUsed"]) > Decimal("0.9") * 2999 / 10


def test_a_recorded_liquidation_price_is_met(hall: Hall) -> None:
    """An isolated long of 0.0335 ETH with 4.967826 of margin at a mark of 2985.9: 2866.269."""
    hall.floor.relist("ETH", leverage=50)
    leverage(hall, 25, cross=False, asset=1)
    hall.tick(2985.8, 2985.9, "ETH", mark=2985.9)
    hall.place(True, "2985.9", "0.0335", "Ioc", asset=1)
    used = Decimal(hall.position("ETH")["marginUsed"])
    wanted = Decimal("4.967826")
    ntli = int((wanted - used) * 1_000_000)
    assert hall.act(type="updateIsolatedMargin", asset=1, isBuy=True, ntli=ntli) == DONE
    shown = hall.position("ETH")
    assert abs(Decimal(shown["marginUsed"]) - wanted) < Decimal("1e-5")
    assert abs(Decimal(shown["liquidationPx"]) - Decimal("2866.26936529")) < Decimal("0.001")


def test_leverage_is_changed_while_a_position_is_open(hall: Hall) -> None:
    """Up and down within what the asset allows and the account can carry; its kind cannot."""
    assert leverage(hall, 41) == {"status": "err", "response": "Invalid leverage value"}
    assert leverage(hall, 0)["status"] == "err"
    assert leverage(hall, 5) == DONE
    hall.place(True, 60_010, "0.5", "Ioc")
    assert Decimal(hall.position()["marginUsed"]) == 6000
    assert leverage(hall, 40) == DONE
    assert Decimal(hall.position()["marginUsed"]) == 750
    assert leverage(hall, 2)["response"] == "Insufficient margin to change leverage."
    assert hall.position()["leverage"] == {"type": "cross", "value": 40}
    answer = leverage(hall, 40, cross=False)
    assert answer["response"] == "Cannot switch leverage type with open position."


def test_isolated_margin_is_added_and_taken_off(hall: Hall) -> None:
    """In millionths; what must stay is initial margin and a tenth of the value."""
    move = {"type": "updateIsolatedMargin", "asset": 0, "isBuy": True}
    hall.place(True, 60_010, "0.1", "Ioc")
    assert hall.act(**move, ntli=1)["response"] == "Position does not use isolated margin."
    hall.place(False, 59_990, "0.1", "Ioc")
    leverage(hall, 5, cross=False)
    hall.place(True, 60_010, "0.1", "Ioc")
    before = Decimal(hall.position()["marginUsed"])
    free = Decimal(state(hall)["crossMarginSummary"]["accountValue"])
    assert hall.act(**move, ntli=500_000_000) == DONE
    assert Decimal(hall.position()["marginUsed"]) == before + 500
    assert Decimal(state(hall)["crossMarginSummary"]["accountValue"]) == free - 500
    assert hall.act(**move, ntli=-499_000_000) == DONE
    assert hall.act(**move, ntli=-5_000_000)["status"] == "err"
    assert hall.act(**move, ntli=10**12)["status"] == "err"
    topped = {"type": "topUpIsolatedOnlyMargin", "asset": 0, "leverage": "2"}
    assert hall.act(**topped) == DONE
    assert abs(Decimal(hall.position()["marginUsed"]) - 3000) < Decimal("1e-6")


def test_a_lower_leverage_gives_an_isolated_position_more_margin(hall: Hall) -> None:
    """It comes from the account; a higher leverage takes none away."""
    leverage(hall, 20, cross=False)
    hall.place(True, 60_010, "0.1", "Ioc")
    assert leverage(hall, 5) == {
        "status": "err",
        "response": "Cannot switch leverage type with open position.",
    }
    assert leverage(hall, 5, cross=False) == DONE
    assert Decimal(hall.position()["marginUsed"]) == 1200
    assert leverage(hall, 40, cross=False) == DONE
    assert Decimal(hall.position()["marginUsed"]) == 1200


def test_resting_orders_reserve_margin(hall: Hall) -> None:
    """What rests already counts against what is added."""
    hall.place(True, 59_000, 3)
    assert "Insufficient margin" in hall.place(True, 59_000, 1)["error"]


def test_funding_is_paid_at_the_full_hour(hall: Hall) -> None:
    """Size x mark x rate: the long pays, both channels and the history show it."""
    hall.tick(59_999, 60_001, funding=0.0001)
    hall.place(True, 60_010, "0.5", "Ioc")
    before = Decimal(state(hall)["marginSummary"]["totalRawUsd"])
    hall.wait(3600)
    hall.tick(59_999, 60_001, mark=60_000.0, funding=0.0001)
    (paid,) = hall.ask("userFunding", startTime=0)
    assert paid["delta"] == {
        "type": "funding",
        "coin": "BTC",
        "usdc": "-3.0",
        "szi": "0.5",
        "fundingRate": "0.0001",
        "nSamples": None,
    }
    assert paid["time"] % 3_600_000 == 0
    assert [one.funding["usdc"] for one in hall.heard if isinstance(one, FundingNews)] == ["-3.0"]
    assert Decimal(state(hall)["marginSummary"]["totalRawUsd"]) == before - 3
    sums = hall.position()["cumFunding"]
    assert sums == {"allTime": "3.0", "sinceOpen": "3.0", "sinceChange": "3.0"}
    hall.place(True, 60_010, "0.1", "Ioc")
    assert hall.position()["cumFunding"]["sinceChange"] == "0.0"
    (hourly,) = hall.ask("fundingHistory", coin="BTC", startTime=paid["time"])
    assert hourly["fundingRate"] == "0.0001"


def test_a_liquidation_cancels_closes_and_is_told(hall: Hall) -> None:
    """Orders go as `liquidatedCanceled`, the fill says who and at what mark, the ledger too."""
    leverage(hall, 40)
    hall.place(True, 60_010, "1.0", "Ioc")
    resting = hall.place(True, 40_000, "0.5")["resting"]["oid"]
    hall.heard.clear()
    hall.tick(50_500, 50_502)
    assert state(hall)["assetPositions"] == []
    (fill, *_) = hall.ask("userFills")
    assert fill["dir"] == "Liquidated Cross Long"
    assert fill["liquidation"] == {
        "liquidatedUser": USER,
        "markPx": "50501.0",
        "method": "market",
    }
    assert hall.status(fill["oid"]) == "filled"
    assert hall.status(resting) == "liquidatedCanceled"
    delta = hall.ask("userNonFundingLedgerUpdates", startTime=0)[-1]["delta"]
    assert (delta["type"], delta["leverageType"]) == ("liquidation", "Cross")
    assert delta["liquidatedPositions"] == [{"coin": "BTC", "szi": "1.0"}]
    told = [type(one) for one in hall.heard]
    assert told.count(LiquidationNews) == told.count(LedgerNews) == 1
    assert CancelNews(USER, "BTC", resting) in hall.heard


def test_an_isolated_position_falls_alone(hall: Hall) -> None:
    """What stands cross is not touched."""
    leverage(hall, 25, cross=False, asset=1)
    hall.place(True, 60_010, "0.1", "Ioc")
    hall.place(True, 3010, "0.9", "Ioc", asset=1)
    hall.tick(2800, 2801, "ETH")
    assert [one["position"]["coin"] for one in state(hall)["assetPositions"]] == ["BTC"]
    assert hall.ask("userFills")[0]["dir"] == "Liquidated Isolated Long"


def test_money_is_sent_and_withdrawn(hall: Hall) -> None:
    """It arrives with the other, a withdrawal costs a dollar, and the ledger lists both."""
    assert hall.act(type="usdSend", destination=OTHER, amount="250.5") == DONE
    assert state(hall)["withdrawable"] == "9749.5"
    assert state(hall, OTHER)["withdrawable"] == "10250.5"
    assert hall.act(type="withdraw3", destination=USER, amount="100") == DONE
    assert state(hall)["withdrawable"] == "9649.5"
    kinds = [
        (one["delta"]["type"], one["delta"]["usdc"])
        for one in hall.ask("userNonFundingLedgerUpdates", startTime=0)
    ]
    assert kinds == [("deposit", "10000.0"), ("internalTransfer", "250.5"), ("withdraw", "99.0")]
    assert hall.act(type="withdraw3", destination=USER, amount="9700")["response"] == (
        "Insufficient balance for withdrawal."
    )
    assert hall.act(type="usdSend", destination=OTHER, amount="9700")["response"] == (
        "Insufficient balance for token transfer."
    )
    assert hall.act(type="usdSend", destination=USER, amount="1")["response"] == "Invalid send"


def test_money_moves_to_spot_and_back(hall: Hall) -> None:
    """The spot balance shows what the perpetuals lack."""
    assert hall.act(type="usdClassTransfer", amount="100", toPerp=False) == DONE
    assert hall.ask("spotClearinghouseState")["balances"][0]["total"] == "100.0"
    assert state(hall)["withdrawable"] == "9900.0"
    assert hall.act(type="usdClassTransfer", amount="101", toPerp=True)["status"] == "err"
    assert hall.act(type="usdClassTransfer", amount="100", toPerp=True) == DONE
    assert state(hall)["withdrawable"] == "10000.0"


def test_requests_are_bought_from_the_balance(hall: Hall) -> None:
    """They add to what is left, and an agent may not buy them."""
    assert hall.ask("userRateLimit") == {
        "cumVlm": "0.0",
        "nRequestsUsed": 0,
        "nRequestsCap": 10_000,
        "nRequestsSurplus": 0,
    }
    assert hall.act(type="reserveRequestWeight", weight=1000) == DONE
    assert state(hall)["withdrawable"] == "9999.5"
    hall.floor.spent(USER, 400)
    assert hall.ask("userRateLimit")["nRequestsSurplus"] == 600
    hall.floor.spent(USER, 700)
    assert hall.floor.budget(USER) == (100, 10_000)
    hall.place(True, 60_010, "0.5", "Ioc")
    assert hall.floor.budget(USER) == (100, 40_000)
    answer = hall.act(signer=OTHER, type="reserveRequestWeight", weight=1)
    assert answer["status"] == "err"


def test_fees_fall_with_volume_and_are_told(hall: Hall) -> None:
    """The schedule is the venue's; the rates of an account follow its 14 days."""
    fees = hall.ask("userFees")
    assert (fees["userCrossRate"], fees["userAddRate"]) == ("0.00045", "0.00015")
    assert len(fees["feeSchedule"]["tiers"]["vip"]) == 6
    hall.place(True, 60_010, "0.5", "Ioc")
    hall.wait(86_400)
    (day,) = hall.ask("userFees")["dailyUserVlm"][-1:]
    assert (day["userCross"], day["userAdd"]) == ("30000.5", "0.0")


def test_the_portfolio_tells_worth_and_result(hall: Hall) -> None:
    """What came from outside is no result."""
    hall.act(type="usdSend", destination=OTHER, amount="1000")
    hall.place(True, 60_010, "0.5", "Ioc")
    hall.wait(3600)
    told = dict(hall.ask("portfolio"))
    assert set(told) == {f"{p}{n}" for p in ("", "perp") for n in ("day", "week", "month")} - {
        "perpday",
        "perpweek",
        "perpmonth",
    } | {"allTime", "perpDay", "perpWeek", "perpMonth", "perpAllTime"}
    history = told["allTime"]["pnlHistory"]
    assert Decimal(history[-1][1]) == Decimal("-0.5") - Decimal("30000.5") * Decimal("0.00045")
    assert told["allTime"]["vlm"] == "30000.5"


def test_what_can_be_traded_is_told_by_side(hall: Hall) -> None:
    """What closes a position has its margin to use as well."""
    hall.place(True, 60_010, "0.5", "Ioc")
    told = hall.ask("activeAssetData", coin="BTC")
    buy, sell = map(Decimal, told["availableToTrade"])
    assert sell == buy + 2 * Decimal(hall.position()["marginUsed"])
    most = told["maxTradeSzs"][0]
    assert "filled" in hall.place(True, 60_100, most, "Ioc")
