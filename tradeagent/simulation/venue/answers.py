"""Answer /info: what is listed and shown of the market, and what does not concern accounts."""

from __future__ import annotations

from typing import Any

from tradeagent.simulation.venue.base import Json, Malformed
from tradeagent.simulation.venue.candles import INTERVALS, MILLISECOND, number
from tradeagent.simulation.venue.house import House
from tradeagent.simulation.venue.listing import Asset
from tradeagent.simulation.venue.rates import Rates
from tradeagent.simulation.venue.records import Answer, Records, Viewed
from tradeagent.simulation.venue.views import Lag, View

HOUR_MS = 3_600_000
MANTISSAS = (1, 2, 5)
MARKET_CAPS = ((25, "15000000.0"), (20, "5000000.0"), (10, "2000000.0"), (1, "500000.0"))
USDC: Json = {
    "name": "USDC",
    "szDecimals": 8,
    "weiDecimals": 8,
    "index": 0,
    "tokenId": "0x6d1e7cde53ba9467b783cb7c530ce054",
    "isCanonical": True,
    "evmContract": None,
    "fullName": None,
    "deployerTradingFeeShare": "0.0",
}
PURR: Json = {
    **USDC,
    "name": "PURR",
    "szDecimals": 0,
    "weiDecimals": 5,
    "index": 1,
    "tokenId": "0xc1fb593aeffbeb02f85e0308e9956a90",
}
SPOT: Json = {
    "universe": [{"tokens": [1, 0], "name": "PURR/USDC", "index": 0, "isCanonical": True}],
    "tokens": [USDC, PURR],
}
"""The least that clients need to start: one pair, which is not traded here."""
SPOT_CTX: Json = {
    "prevDayPx": "0.2",
    "dayNtlVlm": "0.0",
    "markPx": "0.2",
    "midPx": None,
    "circulatingSupply": "1000000.0",
    "coin": "PURR/USDC",
    "totalSupply": "1000000.0",
    "dayBaseVlm": "0.0",
}
AUCTION: Json = {
    "startTimeSeconds": 0,
    "durationSeconds": 111_600,
    "startGas": "500.0",
    "currentGas": "500.0",
    "endGas": None,
}
FIXED: dict[str, object] = {
    "spotMeta": SPOT,
    "spotMetaAndAssetCtxs": [SPOT, [SPOT_CTX]],
    "perpDexs": [None],
    "maxMarketOrderNtls": [list(one) for one in MARKET_CAPS],
    "perpsAtOpenInterestCap": [],
    "userAbstraction": "default",
    "userDexAbstraction": None,
    "subAccounts": None,
    "vaultDetails": None,
    "userToMultiSigSigners": None,
    "userVaultEquities": [],
    "vaultSummaries": [],
    "leadingVaults": [],
    "perpDeployAuctionStatus": AUCTION,
    "spotDeployState": {"states": [], "gasAuction": AUCTION},
    "spotPairDeployAuctionStatus": AUCTION,
    "delegatorSummary": {
        "delegated": "0.0",
        "undelegated": "0.0",
        "totalPendingWithdrawal": "0.0",
        "nPendingWithdrawals": 0,
    },
    "delegations": [],
    "delegatorHistory": [],
    "delegatorRewards": [],
}
"""What is answered alike whoever asks: an exchange without spot trade, vaults and staking."""


def whole(value: object, name: str) -> int:
    """Return an integer of a request; raises Malformed."""
    if type(value) is not int:
        raise Malformed(f"{name} is an integer")
    return value


class Answers:
    """Answers every request to /info; those about accounts are answered by its `records`."""

    def __init__(self, house: House, lag: Lag, records: Records, rates: Rates) -> None:
        self._house = house
        self._lag = lag
        self._rates = rates
        self._plain: dict[str, Answer] = {
            "meta": self._meta,
            "marginTable": self._table,
            **records.plain(),
        }
        self._viewed: dict[str, Viewed] = {
            "metaAndAssetCtxs": self._meta_ctxs,
            "allMids": self._mids,
            "l2Book": self._levels,
            "recentTrades": self._trades,
            "candleSnapshot": self._candles,
            "fundingHistory": self._funding,
            "predictedFundings": self._predicted,
            "exchangeStatus": self._status,
            **records.viewed(),
        }

    def answer(self, request: Json) -> object:
        """Answer a request, ready for JSON; raises Malformed."""
        kind = request.get("type")
        if isinstance(kind, str):
            if kind in FIXED:
                return FIXED[kind]
            if (plain := self._plain.get(kind)) is not None:
                return plain(request)
            if (viewed := self._viewed.get(kind)) is not None:
                return viewed(request, self._lag.view())
        raise Malformed(f"unknown type {kind!r}")

    @staticmethod
    def _status(request: Json, view: View) -> object:  # noqa: ARG004
        return {"time": view.time, "specialStatuses": None}

    def _meta(self, request: Json) -> object:
        if request.get("dex"):
            return {"universe": [], "marginTables": [], "collateralToken": 0}
        return self._house.listings.meta()

    def _meta_ctxs(self, request: Json, view: View) -> object:
        if request.get("dex"):
            return [self._meta(request), []]
        ctxs = [view.ctx(asset.coin) for asset in self._house.listings]
        return [self._house.listings.meta(), ctxs]

    def _mids(self, request: Json, view: View) -> object:
        if request.get("dex"):
            return {}
        listed = (one.coin for one in self._house.listings if not one.delisted)
        return {coin: view.mid(coin) for coin in listed} | {"PURR/USDC": "0.2"}

    def _levels(self, request: Json, view: View) -> object:
        asset = self._coin(request)
        if asset is None:
            return None
        digits, mantissa = request.get("nSigFigs"), request.get("mantissa")
        if digits is None and mantissa is None:
            return {**view.levels(asset.coin), "time": view.time}
        if digits not in (2, 3, 4, 5) or mantissa not in (None, *MANTISSAS):
            raise Malformed("nSigFigs is 2 to 5, mantissa 1, 2 or 5")
        if mantissa is not None and digits != 5:
            raise Malformed("mantissa goes with an nSigFigs of 5")
        stall = self._house.stalls[asset.coin]
        step = None if mantissa is None else whole(mantissa, "mantissa")
        return stall.l2(view.time, whole(digits, "nSigFigs"), step)

    def _trades(self, request: Json, view: View) -> object:
        asset = self._coin(request)
        if asset is None:
            return None
        trades = self._house.stalls[asset.coin].trades
        return [one for one in reversed(trades) if whole(one["time"], "time") <= view.time]

    def _candles(self, request: Json, view: View) -> object:
        wanted: Any = request.get("req")
        if not isinstance(wanted, dict) or wanted.get("interval") not in INTERVALS:
            raise Malformed("candleSnapshot needs a coin and a known interval")
        asset = self._coin(wanted)
        if asset is None:
            return []
        start = whole(wanted.get("startTime"), "startTime")
        end = wanted.get("endTime")
        end = view.time if end is None else min(whole(end, "endTime"), view.time)
        interval = wanted["interval"]
        found = self._house.stalls[asset.coin].candles.between(
            interval, start * MILLISECOND, end * MILLISECOND
        )
        return [one.shown(asset.coin, interval, asset.decimals) for one in found]

    def _funding(self, request: Json, view: View) -> object:
        asset = self._coin(request)
        if asset is None:
            return []
        start, end = whole(request.get("startTime"), "startTime"), request.get("endTime")
        last = view.time if end is None else min(whole(end, "endTime"), view.time)
        return self._rates.between(asset, start, last)

    def _predicted(self, request: Json, view: View) -> object:  # noqa: ARG002
        due = (view.time // HOUR_MS + 1) * HOUR_MS
        told = []
        for asset in self._house.listings:
            rate = number(round(self._house.stalls[asset.coin].funding, 10))
            terms = {"fundingRate": rate, "nextFundingTime": due, "fundingIntervalHours": 1}
            told.append([asset.coin, [["HlPerp", terms]]])
        return told

    def _table(self, request: Json) -> object:
        return self._house.listings.table(whole(request.get("id"), "id"))

    def _coin(self, request: Json) -> Asset | None:
        coin = request.get("coin")
        if not isinstance(coin, str):
            raise Malformed("coin is a string")
        return self._house.listings.by_coin.get(coin)
