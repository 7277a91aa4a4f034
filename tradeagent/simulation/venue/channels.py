"""Know every channel of the WebSocket: what a subscription names, its first messages, its news.

A subscription is kept in normal form: its type, then its fields in this order, absent ones as null
where the venue says so.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal

from tradeagent.simulation.venue.actions import Shape, count, flag, one_of, record, text
from tradeagent.simulation.venue.base import (
    CancelNews,
    FillNews,
    FundingNews,
    Json,
    LedgerNews,
    LiquidationNews,
    Malformed,
    MarketNews,
    News,
    OrderNews,
    TwapNews,
)
from tradeagent.simulation.venue.floor import Floor
from tradeagent.simulation.venue.wire import address, decimal_text

Key = tuple[str, str, str]
"""What news are routed by: the subscription's type, its user or coin, its interval."""
View = Callable[[Floor, Json], object]
FAST_LEVELS = 5
INTERVALS: Mapping[str, int] = {
    "1m": 60_000,
    "3m": 180_000,
    "5m": 300_000,
    "15m": 900_000,
    "30m": 1_800_000,
    "1h": 3_600_000,
    "2h": 7_200_000,
    "4h": 14_400_000,
    "8h": 28_800_000,
    "12h": 43_200_000,
    "1d": 86_400_000,
    "3d": 259_200_000,
    "1w": 604_800_000,
    "1M": 2_678_400_000,
}
"""Each interval of candles and its length in ms; a month's is that of the longest."""


def dex(value: object) -> str:
    """Accept the first dex only: the venue has no other."""
    if value != "":
        raise Malformed(f"there is no dex {value!r}")
    return ""


COIN = {"coin": text}
USER = {"user": address}
FIELDS: Mapping[str, Mapping[str, Shape]] = {
    "allMids": {"dex_": dex},
    "l2Book": {**COIN, "nSigFigs_": count, "mantissa_": count, "fast_": flag},
    "bbo": COIN,
    "trades": COIN,
    "candle": {**COIN, "interval": one_of(*INTERVALS)},
    "activeAssetCtx": COIN,
    "assetCtxs": {"dex_": dex},
    "allDexsAssetCtxs": {},
    "spotAssetCtxs": {},
    "fastAssetCtxs": {},
    "outcomeMetaUpdates": {},
    "activeAssetData": {**USER, **COIN},
    "orderUpdates": USER,
    "userEvents": USER,
    "userFills": {**USER, "aggregateByTime_": flag},
    "userFundings": USER,
    "userNonFundingLedgerUpdates": USER,
    "userHistoricalOrders": USER,
    "userTwapHistory": USER,
    "userTwapSliceFills": USER,
    "clearinghouseState": {**USER, "dex_": dex},
    "allDexsClearinghouseState": USER,
    "openOrders": {**USER, "dex_": dex},
    "spotState": {**USER, "isPortfolioMargin_": flag, "ignorePortfolioMargin_": flag},
    "twapStates": {**USER, "dex_": dex},
    "webData2": USER,
    "webData3": USER,
    "notification": USER,
}
SHAPES = {name: record(type=text, **fields) for name, fields in FIELDS.items()}
NULLS: Mapping[str, Json] = {
    "l2Book": {"nSigFigs": None, "mantissa": None},
    "userFills": {"aggregateByTime": False},
}
"""What an acknowledgement shows for fields that the subscription left out."""
CALLED = {"userEvents": "user"}
"""The channels whose data come under another name than their subscription's."""


def normal(subscription: object, floor: Floor) -> Json:
    """Return a subscription in normal form; raises Malformed for one that cannot be."""
    kind = subscription.get("type") if isinstance(subscription, dict) else None
    if kind not in SHAPES:
        raise Malformed(f"{kind!r} is no subscription")
    found = SHAPES[kind](subscription)
    assert isinstance(found, dict)
    coin = found.get("coin")
    if coin is not None and floor.answer({"type": "l2Book", "coin": coin}) is None:
        raise Malformed(f"{coin!r} is not listed")
    return {**found, **{name: found.get(name, none) for name, none in NULLS.get(kind, {}).items()}}


def key_of(subscription: Json) -> Key:
    """Return what news a subscription is for."""
    whose = subscription.get("user") or subscription.get("coin") or ""
    return str(subscription["type"]), str(whose), str(subscription.get("interval", ""))


def told(news: News) -> Iterator[tuple[Key, object]]:
    """Yield what happened as the data of each channel that tells of it."""
    if isinstance(news, MarketNews):
        interval = str(news.data["i"]) if isinstance(news.data, dict) and "i" in news.data else ""
        yield (news.kind, news.coin, interval), news.data
    elif isinstance(news, OrderNews):
        stamped = {"status": news.status, "statusTimestamp": news.time}
        yield ("orderUpdates", news.user, ""), [{"order": news.order, **stamped}]
        history: Json = {"user": news.user, "orderHistory": [{"order": news.full, **stamped}]}
        yield ("userHistoricalOrders", news.user, ""), history
    elif isinstance(news, FillNews):
        fills = list(news.fills)
        yield ("userFills", news.user, ""), {"user": news.user, "fills": fills}
        yield ("userEvents", news.user, ""), {"fills": fills}
    elif isinstance(news, FundingNews):
        yield ("userFundings", news.user, ""), {"user": news.user, "fundings": [news.funding]}
        event = {name: value for name, value in news.funding.items() if name != "time"}
        yield ("userEvents", news.user, ""), {"funding": event}
    elif isinstance(news, LedgerNews):
        yield (
            ("userNonFundingLedgerUpdates", news.user, ""),
            {"user": news.user, "nonFundingLedgerUpdates": [news.update]},
        )
    elif isinstance(news, LiquidationNews):
        yield ("userEvents", news.user, ""), {"liquidation": news.liquidation}
    elif isinstance(news, CancelNews):
        yield (
            ("userEvents", news.user, ""),
            {"nonUserCancel": [{"coin": news.coin, "oid": news.oid}]},
        )
    elif isinstance(news, TwapNews):
        yield from _twap(news)


def _twap(news: TwapNews) -> Iterator[tuple[Key, object]]:
    if news.kind == "history":
        yield ("userTwapHistory", news.user, ""), {"user": news.user, "history": [news.data]}
        yield ("userEvents", news.user, ""), {"twapHistory": [news.data]}
    else:
        slices = {"user": news.user, "twapSliceFills": [news.data]}
        yield ("userTwapSliceFills", news.user, ""), slices
        yield ("userEvents", news.user, ""), {"twapSliceFills": [news.data]}


def _ask(floor: Floor, kind: str, **more: object) -> object:
    return floor.answer({"type": kind, **more})


def _book(floor: Floor, sub: Json) -> object:
    """Return the book as the subscription wants it aggregated."""
    asked = {name: sub[name] for name in ("nSigFigs", "mantissa") if sub[name] is not None}
    book = _ask(floor, "l2Book", coin=sub["coin"], **asked)
    assert isinstance(book, dict)
    if sub.get("fast"):
        book = {**book, "levels": [side[:FAST_LEVELS] for side in book["levels"]]}
    return book


def _touch(floor: Floor, sub: Json) -> object:
    book = _ask(floor, "l2Book", coin=sub["coin"])
    assert isinstance(book, dict)
    touch = [side[0] if side else None for side in book["levels"]]
    return {"coin": sub["coin"], "time": book["time"], "bbo": touch}


def _candle(floor: Floor, sub: Json) -> object:
    interval = str(sub["interval"])
    since = floor.now_ms() - INTERVALS[interval]
    asked = {"coin": sub["coin"], "interval": interval, "startTime": since}
    candles = _ask(floor, "candleSnapshot", req=asked)
    assert isinstance(candles, list)
    return candles[-1] if candles else None


def _contexts(floor: Floor) -> tuple[list[str], list[Json]]:
    both = _ask(floor, "metaAndAssetCtxs")
    assert isinstance(both, list)
    meta, contexts = both
    return [one["name"] for one in meta["universe"]], contexts


def _context(floor: Floor, sub: Json) -> object:
    names, contexts = _contexts(floor)
    return {"coin": sub["coin"], "ctx": contexts[names.index(str(sub["coin"]))]}


def _fast_contexts(floor: Floor, _: Json) -> object:
    """Return mark and mid of every coin, deflated and in base64 as this one channel has them."""
    shown = {
        name: {"markPx": context["markPx"], "midPx": context["midPx"]}
        for name, context in zip(*_contexts(floor), strict=True)
    }
    deflate = zlib.compressobj(wbits=-15)
    raw = deflate.compress(json.dumps(shown).encode()) + deflate.flush()
    return base64.b64encode(raw).decode()


def _funding(floor: Floor, sub: Json) -> object:
    paid = _ask(floor, "userFunding", user=sub["user"], startTime=0)
    assert isinstance(paid, list)
    rows = [
        {"time": one["time"], **{k: v for k, v in one["delta"].items() if k != "type"}}
        for one in paid
    ]
    return {"user": sub["user"], "isSnapshot": True, "fundings": rows}


def _history(field: str, kind: str, **more: object) -> View:
    """Return a snapshot of what a query lists."""

    def view(floor: Floor, sub: Json) -> object:
        rows = _ask(floor, kind, user=sub["user"], **more)
        return {"user": sub["user"], "isSnapshot": True, field: rows}

    return view


def _state(field: str, kind: str, dexes: bool = True) -> View:
    """Return the whole state that a query tells."""

    def view(floor: Floor, sub: Json) -> object:
        shown = {"user": sub["user"], field: _ask(floor, kind, user=sub["user"])}
        return {"dex": "", **shown} if dexes else shown

    return view


OPENINGS: Mapping[str, View] = {
    "allMids": lambda floor, _: {"mids": _ask(floor, "allMids")},
    "l2Book": _book,
    "bbo": _touch,
    "trades": lambda floor, sub: _ask(floor, "recentTrades", coin=sub["coin"]),
    "candle": _candle,
    "activeAssetCtx": _context,
    "outcomeMetaUpdates": lambda *_: [],
    "userFills": _history("fills", "userFills"),
    "userFundings": _funding,
    "userNonFundingLedgerUpdates": _history(
        "nonFundingLedgerUpdates", "userNonFundingLedgerUpdates", startTime=0
    ),
    "userHistoricalOrders": _history("orderHistory", "historicalOrders"),
    "userTwapHistory": _history("history", "twapHistory"),
    "userTwapSliceFills": _history("twapSliceFills", "userTwapSliceFills"),
}
"""What the first message after the acknowledgement shows, where there is one and news follow."""


def _web_data(floor: Floor, sub: Json) -> object:
    """Return the legacy page's data; it keeps what bots read of it."""
    user = sub["user"]
    both = _ask(floor, "metaAndAssetCtxs")
    assert isinstance(both, list)
    return {
        "user": user,
        "clearinghouseState": _ask(floor, "clearinghouseState", user=user),
        "openOrders": _ask(floor, "frontendOpenOrders", user=user),
        "meta": both[0],
        "assetCtxs": both[1],
        "serverTime": floor.now_ms(),
        "cumLedger": _ledger_sum(floor, user),
        "agentAddress": None,
        "agentValidUntil": None,
        "isVault": False,
        "leadingVaults": [],
        "totalVaultEquity": "0.0",
        "twapStates": _twaps(floor, user),
        "spotState": _ask(floor, "spotClearinghouseState", user=user),
        "spotAssetCtxs": _spot(floor),
        "perpsAtOpenInterestCap": _ask(floor, "perpsAtOpenInterestCap"),
    }


def _web_data_3(floor: Floor, sub: Json) -> object:
    user = sub["user"]
    shown = {
        "agentAddress": None,
        "agentValidUntil": None,
        "cumLedger": _ledger_sum(floor, user),
        "serverTime": floor.now_ms(),
        "isVault": False,
        "user": user,
    }
    return {"userState": shown, "perpDexStates": [{"totalVaultEquity": "0.0"}]}


def _ledger_sum(floor: Floor, user: object) -> str:
    """Return what an account has paid in: its value less what it earned."""
    history = _ask(floor, "portfolio", user=user)
    assert isinstance(history, list)
    periods = dict(history)
    values, gains = (periods["allTime"][key] for key in ("accountValueHistory", "pnlHistory"))
    if not values or not gains:
        return "0.0"
    return decimal_text(Decimal(values[-1][1]) - Decimal(gains[-1][1]))


def _twaps(floor: Floor, user: object) -> object:
    return _ask(floor, "twapStates", user=user)


def _spot(floor: Floor) -> object:
    both = _ask(floor, "spotMetaAndAssetCtxs")
    assert isinstance(both, list)
    return both[1]


STATES: Mapping[str, View] = {
    "clearinghouseState": _state("clearinghouseState", "clearinghouseState"),
    "openOrders": _state("orders", "frontendOpenOrders"),
    "spotState": _state("spotState", "spotClearinghouseState", dexes=False),
    "activeAssetData": lambda floor, sub: _ask(
        floor, "activeAssetData", user=sub["user"], coin=sub["coin"]
    ),
    "allDexsClearinghouseState": lambda floor, sub: {
        "user": sub["user"],
        "clearinghouseStates": [["", _ask(floor, "clearinghouseState", user=sub["user"])]],
    },
    "twapStates": lambda floor, sub: {
        "dex": "",
        "user": sub["user"],
        "states": _twaps(floor, sub["user"]),
    },
    "webData2": _web_data,
    "webData3": _web_data_3,
}
"""The channels of an account that show everything each time, whenever it has changed."""
MARKED = frozenset(
    {"clearinghouseState", "allDexsClearinghouseState", "activeAssetData", "webData2"}
)
"""Those of them that change with the marks."""
MARKET_STATES: Mapping[str, View] = {
    "assetCtxs": lambda floor, _: {"dex": "", "ctxs": _contexts(floor)[1]},
    "allDexsAssetCtxs": lambda floor, _: {"ctxs": [["", _contexts(floor)[1]]]},
    "spotAssetCtxs": lambda floor, _: _spot(floor),
    "fastAssetCtxs": _fast_contexts,
}
"""The channels of the whole market that show everything each time."""
VIEWS: Mapping[str, View] = {**OPENINGS, **STATES, **MARKET_STATES}
