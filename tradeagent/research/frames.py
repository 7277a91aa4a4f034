"""Rows of a result as pandas DataFrames; pandas is imported when one is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from tradeagent.errors import CommandError
from tradeagent.messages import Fill, OrderUpdate
from tradeagent.quant.curve import Curve
from tradeagent.quant.metrics import Metrics
from tradeagent.quant.trades import Trade

if TYPE_CHECKING:
    from pandas import DataFrame, Series

    from tradeagent.research.tries import Try


def _frame(columns: dict[str, list[object]], times: Sequence[str]) -> DataFrame:
    """Return columns as a frame, those of `times` (UTC ns, None for none) as timestamps."""
    try:
        from pandas import DataFrame
    except ImportError:
        remedy = "pip install 'tradeagent[research]'"
        raise CommandError(f"a frame needs pandas: {remedy}") from None
    frame = DataFrame({name: column for name, column in columns.items() if name not in times})
    for place, name in enumerate(columns):
        if name in times:
            frame.insert(min(place, frame.shape[1]), name, _timestamps(columns[name]))
    return frame


def _timestamps(times: Sequence[object]) -> Series:
    from pandas import Series, to_datetime

    return to_datetime(Series(times, dtype="Int64").astype("datetime64[ns]"), utc=True)


def _number(value: Decimal | None) -> float | None:
    return None if value is None else float(value)


def trades(rows: Sequence[Trade]) -> DataFrame:
    """Return trades, one a row, in their order."""
    columns: dict[str, list[object]] = {
        "symbol": [one.symbol for one in rows],
        "strategy": [one.strategy for one in rows],
        "side": [one.side for one in rows],
        "size": [float(one.size) for one in rows],
        "entry_time": [one.entry_time for one in rows],
        "entry_price": [float(one.entry_price) for one in rows],
        "exit_time": [one.exit_time for one in rows],
        "exit_price": [_number(one.exit_price) for one in rows],
        "fees": [float(one.fees) for one in rows],
        "funding": [float(one.funding) for one in rows],
        "pnl": [float(one.pnl) for one in rows],
    }
    return _frame(columns, ("entry_time", "exit_time"))


def fills(rows: Sequence[Fill]) -> DataFrame:
    """Return fills, one a row, in their order."""
    columns: dict[str, list[object]] = {
        "time": [one.time for one in rows],
        "symbol": [one.symbol for one in rows],
        "strategy": [one.strategy for one in rows],
        "side": [one.side for one in rows],
        "size": [float(one.size) for one in rows],
        "price": [float(one.price) for one in rows],
        "fee": [float(one.fee) for one in rows],
        "closed_pnl": [float(one.closed_pnl) for one in rows],
        "liquidity": [one.liquidity for one in rows],
        "cloid": [one.cloid for one in rows],
    }
    return _frame(columns, ("time",))


def orders(rows: Sequence[OrderUpdate]) -> DataFrame:
    """Return the last state of each order, one a row, in their order."""
    columns: dict[str, list[object]] = {
        "cloid": [one.order.cloid for one in rows],
        "symbol": [one.order.symbol for one in rows],
        "strategy": [one.strategy for one in rows],
        "side": [one.order.side for one in rows],
        "type": [one.order.type for one in rows],
        "size": [float(one.order.size) for one in rows],
        "limit": [_number(one.order.limit) for one in rows],
        "trigger": [_number(one.order.trigger) for one in rows],
        "reduce_only": [one.order.reduce_only for one in rows],
        "status": [one.status.value for one in rows],
        "filled": [float(one.filled) for one in rows],
        "average_price": [_number(one.average_price) for one in rows],
        "reason": [one.reason for one in rows],
    }
    return _frame(columns, ())


def equity(curve: Curve) -> DataFrame:
    """Return equity and exposure, with their times as index."""
    columns: dict[str, list[object]] = {
        "time": curve.time.tolist(),
        "equity": curve.equity.tolist(),
        "exposure": curve.exposure.tolist(),
    }
    return _frame(columns, ("time",)).set_index("time")


def tries(found: Sequence[Try], objectives: Sequence[str]) -> DataFrame:
    """Return the tries of a search, one row each: parameters, objectives and every figure."""
    names = list(dict.fromkeys(name for one in found for name in one.params))
    columns: dict[str, list[object]] = {
        "number": [one.number for one in found],
        "fold": [one.fold for one in found],
        "state": [one.state for one in found],
        **{name: [one.params.get(name) for one in found] for name in names},
    }
    for place, name in enumerate(objectives):
        columns[name] = [one.values[place] if one.values else None for one in found]
    for name in Metrics.model_fields:
        columns.setdefault(name, [getattr(one.metrics, name) for one in found])
    return _frame(columns, ())
