"""What a backtest came to: typed, and a summary that outlives it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from tradeagent.errors import DataError
from tradeagent.messages import Fill, OrderUpdate
from tradeagent.quant.curve import Curve, Prices
from tradeagent.quant.luck import Trials
from tradeagent.quant.performance import Metrics
from tradeagent.quant.trades import Trade

if TYPE_CHECKING:
    from pandas import DataFrame

SUMMARY = "summary.json"
"""The file of a result's folder that is written last: with it the folder is whole."""
Rows = Literal["trades", "orders", "fills", "equity"]


class Origin(BaseModel):
    """What was run on what, so that it can be run again: names, digests and the range played."""

    model_config = ConfigDict(frozen=True)

    strategies: dict[str, dict[str, object]]
    """The parameters of each strategy, by its name."""
    symbols: tuple[str, ...]
    timeframes: tuple[str, ...]
    start: str
    end: str
    data: dict[str, str]
    """The sha256 of each file played, by its name."""
    configuration: str
    code: str
    seed: int
    journal: str
    """The hash of the journal's last entry."""
    version: str
    terms: dict[str, str] = {}
    """What trading cost and what orders met, in words, by name."""
    fills: Literal["bars", "quotes", "book"] = "bars"
    """What fills are made from: candles, the touch, or the levels of a book."""

    @property
    def title(self) -> str:
        """Return what was run in a few words."""
        frames = f" {'/'.join(self.timeframes)}" if self.timeframes else ""
        return f"{', '.join(self.strategies)} on {', '.join(self.symbols)}{frames}"


class Summary(BaseModel):
    """What `summary.json` holds; `format` is raised when an older reader would misread it."""

    model_config = ConfigDict(frozen=True)

    format: Literal[1] = 1
    origin: Origin
    metrics: Metrics
    warnings: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()
    trials: Trials | None = None


@dataclass(frozen=True)
class Result:
    """One backtest: what was run, how it went, and the rows it rests on."""

    origin: Origin
    metrics: Metrics
    curve: Curve
    trades: tuple[Trade, ...]
    orders: tuple[OrderUpdate, ...]
    """The last state of each order, in the order of their first mention."""
    fills: tuple[Fill, ...]
    prices: Mapping[str, Prices]
    """The candles of each symbol traded."""
    warnings: tuple[str, ...] = ()
    """What the reader must know before believing the rest, in words."""
    checks: tuple[str, ...] = ()
    """What came of each check that was made, also of one that found nothing."""
    trials: Trials | None = None
    """The tries this one was chosen from, where an optimiser chose it."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.origin.title}: {len(self.trades):,} trades>"

    @property
    def summary(self) -> Summary:
        """Return what of it goes into `summary.json`."""
        return Summary(
            origin=self.origin,
            metrics=self.metrics,
            warnings=self.warnings,
            checks=self.checks,
            trials=self.trials,
        )

    def to_frame(self, rows: Rows = "trades") -> DataFrame:
        """Return trades, orders, fills or the equity as a pandas DataFrame.

        Times are UTC timestamps, prices, sizes and money floats. Raises CommandError without
        pandas.
        """
        from tradeagent.research import frames

        match rows:
            case "trades":
                return frames.trades(self.trades)
            case "orders":
                return frames.orders(self.orders)
            case "fills":
                return frames.fills(self.fills)
            case "equity":
                return frames.equity(self.curve)


def save_summary(summary: Summary, path: Path) -> None:
    """Write a summary as JSON."""
    path.write_text(summary.model_dump_json(indent=2) + "\n", encoding="utf-8")


def load_summary(path: Path) -> Summary:
    """Read the summary of a result, given its folder or the file; raises DataError."""
    file = path / SUMMARY if path.is_dir() else path
    try:
        return Summary.model_validate_json(file.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        remedy = "name the folder that `tradeagent backtest --out` wrote"
        raise DataError(f"{file}: no result of a backtest; {remedy}") from None
    except OSError as error:
        raise DataError(f"{file}: cannot be read: {error.strerror}") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(one) for one in first["loc"])
        said = f"{where}: {first['msg']}" if where else first["msg"]
        raise DataError(f"{file}: not a summary of this version ({said}); run it again") from None
