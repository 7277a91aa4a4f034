"""Answer what /info is asked about accounts: state, orders, fills, money, keys, limits."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

from tradeagent.messages import ZERO
from tradeagent.simulation.fees import DAY as DAY_NS
from tradeagent.simulation.fees import WINDOW
from tradeagent.simulation.settings import ExchangeSettings
from tradeagent.simulation.venue.base import Json, Malformed
from tradeagent.simulation.venue.clearinghouse import Clearinghouse
from tradeagent.simulation.venue.house import House
from tradeagent.simulation.venue.portfolio import Portfolio
from tradeagent.simulation.venue.seat import Seat
from tradeagent.simulation.venue.texts import LIVE
from tradeagent.simulation.venue.timed import Timed
from tradeagent.simulation.venue.views import View
from tradeagent.simulation.venue.wire import address, decimal_text

Answer = Callable[[Json], object]
Viewed = Callable[[Json, View], object]
KEPT = 2000
"""The orders of an account that are remembered, and the fills and statuses of one answer."""
PAGE = 500
"""The other entries of one answer."""
FOREVER = 1 << 62
NO_MARGIN: Json = dict.fromkeys(
    ("accountValue", "totalNtlPos", "totalRawUsd", "totalMarginUsed"), "0.0"
)
NO_STATE: Json = {
    "marginSummary": NO_MARGIN,
    "crossMarginSummary": NO_MARGIN,
    "crossMaintenanceMarginUsed": "0.0",
    "withdrawable": "0.0",
    "assetPositions": [],
}
"""What an account has on another exchange."""
NO_DISCOUNT: Json = {"bpsOfMaxSupply": "0.0", "discount": "0.0"}


def user_of(request: Json) -> str:
    """Return the account a request is about, in lower case; raises Malformed."""
    return address(request.get("user"))


def span(request: Json) -> tuple[int, int]:
    """Return the times a request is about (ms), without an end all there is; raises Malformed."""
    start, end = request.get("startTime"), request.get("endTime")
    for time in (start, end):
        if time is not None and type(time) is not int:
            raise Malformed("times are integers")
    return int(str(start or 0)), FOREVER if end is None else int(str(end))


class Records:
    """What is known of each account."""

    def __init__(
        self, house: House, clearinghouse: Clearinghouse, timed: Timed, portfolio: Portfolio
    ) -> None:
        self._house = house
        self._clearinghouse = clearinghouse
        self._timed = timed
        self._portfolio = portfolio

    def plain(self) -> dict[str, Answer]:
        """Return what answers requests that always show the present."""
        return {
            "spotClearinghouseState": self._spot,
            "activeAssetData": self._active,
            "userRateLimit": self._limit,
            "maxBuilderFee": self._builder,
            "portfolio": lambda request: self._portfolio.answer(self._seat(request)),
            "referral": self._referral,
            "twapHistory": lambda request: self._twaps(request, "history"),
            "userTwapSliceFills": lambda request: self._twaps(request, "slice"),
            "userTwapSliceFillsByTime": lambda request: self._twaps(request, "slice"),
            "twapStates": self._running,
        }

    def viewed(self) -> dict[str, Viewed]:
        """Return what answers requests that show what the info node has seen by now."""
        return {
            "clearinghouseState": self._state,
            "openOrders": lambda request, view: self._orders(request, view)[0],
            "frontendOpenOrders": lambda request, view: self._orders(request, view)[1],
            "orderStatus": self._status,
            "historicalOrders": self._history,
            "userFills": self._fills,
            "userFillsByTime": self._fills_by_time,
            "userFunding": self._funding,
            "userNonFundingLedgerUpdates": self._updates,
            "userFees": self._fees,
            "userRole": self._role,
            "extraAgents": self._agents,
        }

    def _seat(self, request: Json) -> Seat:
        return self._house.peek(user_of(request))

    def _state(self, request: Json, view: View) -> object:
        if request.get("dex"):
            return {**NO_STATE, "time": view.time}
        return {**view.state(user_of(request)), "time": view.time}

    @staticmethod
    def _orders(request: Json, view: View) -> tuple[list[Json], list[Json]]:
        user = user_of(request)
        return ([], []) if request.get("dex") else view.orders(user)

    def _spot(self, request: Json) -> object:
        total = self._seat(request).choices.spot
        usdc = {"coin": "USDC", "token": 0, "total": decimal_text(total), "hold": "0.0"}
        return {"balances": [{**usdc, "entryNtl": "0.0"}]}

    def _active(self, request: Json) -> object:
        asset = self._house.listings.by_coin.get(str(request.get("coin")))
        return None if asset is None else self._clearinghouse.active(self._seat(request), asset)

    # -- orders

    def _status(self, request: Json, view: View) -> object:
        """Answer `orderStatus`: how an order stood at its last change, by oid or cloid."""
        user, key = user_of(request), request.get("oid")
        ledger = self._house.ledger
        if isinstance(key, str):
            query = "SELECT max(oid) FROM orders WHERE user = ? AND cloid = ?"
            key = ledger.rows(query, user, key.lower())[0][0]
        unknown = {"status": "unknownOid"}
        if type(key) is not int or not -FOREVER < key < FOREVER:
            if key is None or type(key) is int:
                return unknown
            raise Malformed("oid is a number or a cloid")
        query = (
            "SELECT status, time, body FROM statuses WHERE oid = ? AND user = ? AND seq <= ? "
            "ORDER BY seq DESC LIMIT 1"
        )
        rows = ledger.rows(query, key, user, view.upto)
        if not rows or (rows[0][0] not in LIVE and key < self._oldest(user)):
            return unknown
        status, time, body = rows[0]
        shown = {"order": json.loads(str(body)), "status": status, "statusTimestamp": time}
        return {"status": "order", "order": shown}

    def _oldest(self, user: str) -> int:
        """Return the oldest order of an account that is remembered."""
        query = "SELECT oid FROM orders WHERE user = ? ORDER BY oid DESC LIMIT 1 OFFSET ?"
        rows = self._house.ledger.rows(query, user, KEPT - 1)
        return int(rows[0][0] or 0) if rows else 0

    def _history(self, request: Json, view: View) -> object:
        query = (
            "SELECT status, time, body FROM statuses WHERE user = ? AND seq <= ? "
            "ORDER BY seq DESC LIMIT ?"
        )
        rows = self._house.ledger.rows(query, user_of(request), view.upto, KEPT)
        return [
            {"order": json.loads(str(body)), "status": status, "statusTimestamp": time}
            for status, time, body in rows
        ]

    # -- fills

    def _fills(self, request: Json, view: View) -> object:
        query = "SELECT body FROM fills WHERE user = ? AND seq <= ? ORDER BY seq DESC LIMIT ?"
        rows = self._house.ledger.rows(query, user_of(request), view.upto, KEPT)
        return _fills([str(body) for (body,) in rows], request)

    def _fills_by_time(self, request: Json, view: View) -> object:
        """Answer `userFillsByTime`: the first of the span, oldest first, or the last of it."""
        start, end = span(request)
        turned = "DESC" if request.get("reversed") is True else "ASC"
        query = (
            "SELECT body FROM fills WHERE user = ? AND seq <= ? AND time BETWEEN ? AND ? "  # noqa: S608
            f"ORDER BY time {turned}, seq {turned} LIMIT ?"
        )
        rows = self._house.ledger.rows(query, user_of(request), view.upto, start, end, KEPT)
        return _fills([str(body) for (body,) in rows], request)

    # -- money

    def _funding(self, request: Json, view: View) -> object:
        return self._flows(request, view, "kind = 'funding'")

    def _updates(self, request: Json, view: View) -> object:
        return self._flows(request, view, "kind NOT IN ('funding', 'requests')")

    def _flows(self, request: Json, view: View, kind: str) -> object:
        start, end = span(request)
        query = (
            f"SELECT body FROM flows WHERE user = ? AND seq <= ? AND {kind} "  # noqa: S608
            "AND time BETWEEN ? AND ? ORDER BY time, seq LIMIT ?"
        )
        rows = self._house.ledger.rows(query, user_of(request), view.upto, start, end, PAGE)
        return [json.loads(str(body)) for (body,) in rows]

    def _fees(self, request: Json, view: View) -> object:
        seat, terms = self._seat(request), self._house.settings.exchange
        today = view.time * 1_000_000 // DAY_NS
        traded = [(day, *seat.days.get(day, (ZERO, ZERO))) for day in range(today - WINDOW, today)]
        maker, taker = terms.maker_fee, terms.taker_fee
        volume = sum((both for _, both, _ in traded), ZERO)
        for tier in terms.fee_tiers:
            if volume > tier.volume:
                maker, taker = min(terms.maker_fee, tier.maker), min(terms.taker_fee, tier.taker)
        return {
            "dailyUserVlm": [_day(day, both, taken) for day, both, taken in traded],
            "feeSchedule": _schedule(terms),
            "userCrossRate": decimal_text(taker),
            "userAddRate": decimal_text(maker),
            "userSpotCrossRate": "0.0007",
            "userSpotAddRate": "0.0004",
            "activeReferralDiscount": "0.0",
            "trial": None,
            "feeTrialEscrow": "0.0",
            "nextTrialAvailableTimestamp": None,
            "stakingLink": None,
            "activeStakingDiscount": NO_DISCOUNT,
        }

    # -- keys and limits

    def _limit(self, request: Json) -> object:
        seat = self._seat(request)
        reserved = seat.choices.reserved
        return {
            "cumVlm": decimal_text(seat.traded),
            "nRequestsUsed": max(seat.used - reserved, 0),
            "nRequestsCap": seat.allowed,
            "nRequestsSurplus": max(reserved - seat.used, 0),
        }

    def _role(self, request: Json, view: View) -> object:
        user = user_of(request)
        for master, seat in self._house.seats.items():
            for agent in seat.choices.agents:
                if agent.address == user and agent.until > view.time:
                    return {"role": "agent", "data": {"user": master}}
        return {"role": "user" if user in self._house.seats else "missing"}

    def _agents(self, request: Json, view: View) -> object:
        return [
            {"name": one.name, "address": one.address, "validUntil": one.until}
            for one in self._seat(request).choices.agents
            if one.name and one.until > view.time
        ]

    def _builder(self, request: Json) -> object:
        builder = address(request.get("builder"))
        return self._seat(request).choices.builders.get(builder, 0)

    def _referral(self, request: Json) -> object:
        seat = self._seat(request)
        code = seat.choices.referrer
        return {
            "referredBy": {"referrer": "0x" + "0" * 40, "code": code} if code else None,
            "cumVlm": decimal_text(seat.traded),
            "unclaimedRewards": "0.0",
            "claimedRewards": "0.0",
            "builderRewards": "0.0",
            "referrerState": None,
            "rewardHistory": [],
        }

    # -- TWAPs

    def _twaps(self, request: Json, kind: str) -> object:
        query = "SELECT body FROM twaps WHERE user = ? AND kind = ? ORDER BY seq DESC LIMIT ?"
        rows = self._house.ledger.rows(query, user_of(request), kind, KEPT)
        return [json.loads(str(body)) for (body,) in rows]

    def _running(self, request: Json) -> object:
        seat = self._seat(request)
        return [[one.number, self._timed.state(seat, one)] for one in seat.choices.twaps]


def _schedule(terms: ExchangeSettings) -> Json:
    """Return what fills cost by volume, as `userFees` shows it."""
    spot: Json = {"spotCross": "0.0007", "spotAdd": "0.0004"}
    tiers = [
        {
            "ntlCutoff": decimal_text(one.volume),
            "cross": decimal_text(one.taker),
            "add": decimal_text(one.maker),
            **spot,
        }
        for one in terms.fee_tiers
    ]
    return {
        "cross": decimal_text(terms.taker_fee),
        "add": decimal_text(terms.maker_fee),
        **spot,
        "tiers": {"vip": tiers, "mm": []},
        "referralDiscount": "0.04",
        "stakingDiscountTiers": [NO_DISCOUNT],
    }


def _day(day: int, both: Decimal, taken: Decimal) -> Json:
    """Return a day's volume as `userFees` shows it."""
    date = datetime.fromtimestamp(day * 86_400, UTC).date().isoformat()
    shown = {"userCross": decimal_text(taken), "userAdd": decimal_text(both - taken)}
    return {"date": date, **shown, "exchange": decimal_text(both)}


def _fills(bodies: list[str], request: Json) -> list[Json]:
    """Return fills; with `aggregateByTime` those of one order and moment as one."""
    fills: list[Json] = [json.loads(body) for body in bodies]
    if request.get("aggregateByTime") is not True:
        return fills
    merged: list[Json] = []
    for one in fills:
        last = merged[-1] if merged else None
        if last is not None and (last["oid"], last["time"]) == (one["oid"], one["time"]):
            merged[-1] = _joined(last, one)
        else:
            merged.append(one)
    return merged


def _joined(one: Json, other: Json) -> Json:
    sizes = [Decimal(str(fill["sz"])) for fill in (one, other)]
    paid = sum(
        (size * Decimal(str(fill["px"])) for size, fill in zip(sizes, (one, other), strict=True)),
        ZERO,
    )
    total = sum(sizes, ZERO)
    joined = {**one, "sz": decimal_text(total)}
    joined["px"] = decimal_text((paid / total).quantize(Decimal("1e-8")))
    for name in ("fee", "closedPnl", "builderFee"):
        if name in one:
            added = Decimal(str(one[name])) + Decimal(str(other[name]))
            joined[name] = decimal_text(added)
    return joined
