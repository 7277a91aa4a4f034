"""Which columns a recorded file has, and so what it holds."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from tradeagent.errors import DataError

Content = Literal["bars", "quotes", "trades", "book", "quote_bars", "funding"]
TimeUnit = Literal["s", "ms", "us", "ns"]

UNITS: dict[str, int] = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}
"""How many ns each unit of time has."""

_UNIT_SUFFIX = re.compile(r"(.+)_(s|ms|us|ns)")

_ALIASES: dict[str, tuple[str, ...]] = {
    "open": ("open", "o"),
    "high": ("high", "h"),
    "low": ("low", "l"),
    "close": ("close", "c"),
    "volume": ("volume", "vol", "v", "base_volume"),
    "bid": ("bid", "bid_price", "best_bid", "best_bid_price", "bid_px"),
    "ask": ("ask", "ask_price", "best_ask", "best_ask_price", "ask_px"),
    "bid_size": ("bid_size", "bid_qty", "bid_amount", "best_bid_qty", "best_bid_size", "bid_sz"),
    "ask_size": ("ask_size", "ask_qty", "ask_amount", "best_ask_qty", "best_ask_size", "ask_sz"),
    "last": ("last", "last_price"),
    "price": ("price", "px"),
    "size": ("size", "qty", "quantity", "amount", "sz"),
    "side": ("aggressor", "side", "taker_side"),
    "trade_id": ("trade_id", "tid", "id"),
    "kind": ("kind", "type"),
    "level": ("level", "depth"),
    "last_update_id": ("last_update_id", "final_update_id", "u"),
    "prev_last_update_id": ("prev_last_update_id", "pu"),
    "bid_close": ("bid_close",),
    "ask_close": ("ask_close",),
    "rate": ("funding_rate", "fundingrate", "rate"),
}
"""Our name of each column and the names files give it, in lower case, the likeliest first."""

_BAR_TIMES = ("open_time", "timestamp", "time", "date", "datetime", "ts", "t")
_TICK_TIMES = (
    *("recv", "received", "recv_time", "receive_time", "local_timestamp", "ts_recv", "timestamp"),
    *("exchange_time", "event_time", "exchange", "time", "date", "datetime", "ts", "t"),
    "fundingtime",
)
"""What the time of a tick is called: when it was received, else when the venue sent it."""

FIELDS = frozenset(_ALIASES) | {"time"}
"""Every column name of ours."""


@dataclass(frozen=True)
class Schema:
    """The columns of one kind of file: `marks` tell it from the others, `needed` must be there."""

    content: Content
    marks: tuple[str, ...]
    needed: tuple[str, ...]
    optional: tuple[str, ...] = ()
    clash: str = ""
    """What is wrong with a row whose values are fine one by one."""


_OHLC = ("open", "high", "low", "close")
_LEVEL = ("price", "size", "side")

BARS = Schema(
    "bars", _OHLC, (*_OHLC, "volume"), clash="high and low do not hold open and close between them"
)
QUOTES = Schema(
    "quotes", ("bid", "ask"), ("bid", "ask"), ("bid_size", "ask_size", "last"), "bid is above ask"
)
QUOTE_BARS = Schema(
    "quote_bars",
    ("bid_close", "ask_close"),
    ("bid_close", "ask_close"),
    ("bid_size", "ask_size"),
    "bid_close is above ask_close",
)
TRADES = Schema("trades", ("price", "size"), _LEVEL, ("trade_id",))
LEVELS = Schema("book", (*_LEVEL, "level"), (*_LEVEL, "level"))
CHANGES = Schema(
    "book",
    (*_LEVEL, "kind"),
    (*_LEVEL, "kind", "last_update_id", "prev_last_update_id"),
    clash="an update needs prev_last_update_id",
)
"""Snapshots and the changes to them; LEVELS is one snapshot after another."""
FUNDING = Schema("funding", ("rate",), ("rate",))
"""Rates of perpetuals, each paid at its time as a part of the position's value."""

_SCHEMAS = (CHANGES, LEVELS, QUOTE_BARS, BARS, QUOTES, TRADES, FUNDING)


@dataclass(frozen=True)
class Layout:
    """What a file holds, and the file's column for each name of ours."""

    schema: Schema
    columns: dict[str, str]


def unit_of(column: str) -> int | None:
    """Return the ns in the unit of time that ends a column's name, if one does."""
    found = _UNIT_SUFFIX.fullmatch(column.strip().lower())
    return UNITS[found[2]] if found else None


def lay_out(
    file: str, header: Sequence[str], content: Content | None, chosen: Mapping[str, str]
) -> Layout:
    """Return what the file called `file` holds, by its header and the operator's choice.

    Raises DataError for a chosen column that is not there, a header that fits no kind of file, or
    one that lacks a needed column.
    """
    there = ", ".join(header)
    for ours, column in chosen.items():
        if column not in header:
            raise DataError(
                f"{file}: columns (--column) maps {ours} to {column!r}, which is not in row 1: "
                f"{there}"
            )
    known = _known(header, chosen)
    fitting = [one for one in _SCHEMAS if content in (None, one.content)]
    schema = next((one for one in fitting if known.keys() >= set(one.marks)), None)
    if schema is None and content is None:
        raise DataError(
            f"{file}: row 1 does not tell what the file holds; set content and columns (--kind, "
            f"--column price=NAME), or give it a header of known names; it has: {there}"
        )
    schema = schema or fitting[-1]
    found = {ours: known[ours] for ours in (*schema.needed, *schema.optional) if ours in known}
    times = _BAR_TIMES if schema in (BARS, QUOTE_BARS) else _TICK_TIMES
    if time := chosen.get("time") or _timed(header, times):
        found = {"time": time, **found}
    if lacking := [ours for ours in ("time", *schema.needed) if ours not in found]:
        raise DataError(
            f"{file}: row 1 has no column for {', '.join(lacking)}, needed for {schema.content}; "
            f"name it under columns (--column {lacking[0]}=NAME); it has: {there}"
        )
    return Layout(schema, found)


def _known(header: Sequence[str], chosen: Mapping[str, str]) -> dict[str, str]:
    written = {column.strip().lower(): column for column in reversed(header)}
    known = {
        ours: written[alias]
        for ours, aliases in _ALIASES.items()
        for alias in reversed(aliases)
        if alias in written
    }
    return {**known, **chosen}


def _timed(header: Sequence[str], names: Sequence[str]) -> str | None:
    bare: dict[str, str] = {}
    for column in header:
        lower = column.strip().lower()
        found = _UNIT_SUFFIX.fullmatch(lower)
        bare.setdefault(found[1] if found else lower, column)
    return next((bare[name] for name in names if name in bare), None)
