"""The catalogue of market data: Parquet by kind, symbol, timeframe and month, in one folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

import numpy as np

from tradeagent.errors import DataError
from tradeagent.integrations.duck import asked, duck, named, quoted
from tradeagent.integrations.recorded.read import Watch, unwatched
from tradeagent.quant.curve import Floats, Prices, Times
from tradeagent.research.data.commit import STAGED, alone, finish, staging
from tradeagent.research.data.merge import REMOVE, Merge, Prefer, merge, write
from tradeagent.research.data.series import (
    CARD,
    Card,
    Columns,
    Series,
    months_of,
    series_at,
)
from tradeagent.research.data.span import EVER, Span, moment

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

WANTED = "the data catalogue"
"""What duckdb is needed for, in words."""


class Extent(NamedTuple):
    """How much of a series there is; times are those of its first and last row, UTC ns."""

    rows: int
    first: int
    last: int
    size: int
    """Bytes on the disk."""


class Catalogue:
    """Market data below one folder; other programs may read the Parquet as it stands.

    Rows of a series are in the order of their times, each once. What is written together is there
    together, also after a crash.
    """

    def __init__(self, root: Path) -> None:
        """Look at what is below `root`, which need not exist; raises DataError."""
        self.root = root
        if (root / STAGED).exists():
            try:
                with alone(root):
                    finish(root)
            except DataError:
                pass  # its writer is still at it

    def all_series(self) -> list[Series]:
        """Return what there is, by kind, symbol and timeframe."""
        cards = self.root.glob(f"kind=*/**/{CARD}")
        found = (series_at(card.parent.relative_to(self.root)) for card in cards)
        return sorted((one for one in found if one is not None and self.files(one)), key=_order)

    def card(self, series: Series) -> Card:
        """Return what is known of a series besides its rows; raises DataError."""
        place = self.root / series.folder / CARD
        try:
            return Card.model_validate_json(place.read_bytes())
        except FileNotFoundError:
            return Card()
        except (OSError, ValueError) as error:
            raise DataError(
                f"{place}: cannot be read ({type(error).__name__}); remove it and import again"
            ) from error

    def files(self, series: Series, span: Span = EVER) -> list[Path]:
        """Return the files of the months that a range touches, earliest first."""
        first = f"month={moment(span.start):%Y-%m}"
        last = f"month={moment(span.end - 1):%Y-%m}" if span.end != EVER.end else "month=A"
        folder = self.root / series.folder
        months = sorted(one for one in folder.glob("month=*") if first <= one.name <= last)
        return [file for month in months for file in sorted(month.glob("*.parquet"))]

    def extent(self, series: Series, span: Span = EVER) -> Extent:
        """Return how much of a series there is in a range; raises DataError."""
        files = self.files(series, span)
        if not files:
            return Extent(0, 0, 0, 0)
        with duck(WANTED) as connection:
            told = "count(*), min(epoch_ns(time)), max(epoch_ns(time))"
            sql = f"FROM {_read(files)} SELECT {told} WHERE {_within(span)}"
            ((rows, first, last),) = self._asked(connection, sql, series, files).fetchall()
        return Extent(rows, first or 0, last or 0, sum(file.stat().st_size for file in files))

    def columns(self, series: Series, span: Span = EVER) -> Columns:
        """Return the rows of a series in a range; raises DataError."""
        files = self.files(series, span)
        names = self.card(series).columns
        if not files:
            none: Columns = {name: np.zeros(0) for name in names}
            return {**none, "time": np.zeros(0, np.int64)}
        told = ", ".join(named(name) for name in names if name != "time")
        sql = f"FROM {_read(files)} SELECT epoch_ns(time) AS time, {told} WHERE {_within(span)}"
        with duck(WANTED) as connection:
            found = self._asked(connection, sql, series, files).fetchnumpy()
        return cast("Columns", dict(found))

    def _asked(
        self, connection: DuckDBPyConnection, sql: str, series: Series, files: Sequence[Path]
    ) -> DuckDBPyConnection:
        """Run a query over files of a series; raises DataError, naming the first broken one."""
        try:
            return asked(connection, sql, str(series))
        except DataError:
            remedy = REMOVE
            if self.card(series).asked:  # what was asked for once is not asked for again
                remedy = f"remove it and the {CARD} of {series}, and download again"
            for file in files:
                asked(
                    connection, f"FROM {_read([file])} SELECT count(COLUMNS(*))", str(file), remedy
                )
            raise

    def candles(self, series: Series, span: Span = EVER) -> Prices:
        """Return the candles of a series of bars that open in a range; raises DataError."""
        found = self.columns(series, span)
        prices = {name: cast("Floats", found[name]) for name in found if name != "time"}
        time = cast("Times", found["time"])
        return Prices(symbol=series.symbol, length=series.length, time=time, **prices)

    def keep(
        self,
        series: Series,
        rows: Columns,
        told: Callable[[Card], Card],
        prefer: Prefer | None = None,
        watch: Watch = unwatched,
    ) -> Merge:
        """Add rows, in the order of their times, and what is `told` on the card, all or nothing.

        Rows that are there already are not added again. One that differs from what is there counts
        instead of it where `prefer` says so, and else nothing is kept: DataError names the first.
        """
        with alone(self.root), duck(WANTED) as connection, staging(self.root) as staged:
            before = self.card(series)
            _refuse_other_columns(series, before, rows)
            found = Merge()
            months = months_of(cast("Times", rows["time"]))
            for number, (month, part) in enumerate(months, 1):
                target = self.root / series.file(month)
                here = {name: column[part] for name, column in rows.items()}
                aside = staged.place(target)
                if target.exists():
                    found += merge(connection, series, here, target, aside, prefer)
                else:
                    write(connection, here, aside)
                    found += Merge(new=len(here["time"]))
                watch(number / len(months))
            if found.differing and prefer is None:
                raise DataError(
                    f"{found.differing} of {len(rows['time'])} rows differ from those of {series} "
                    f"in the catalogue: {found.example}; say with --prefer whose to keep, or keep "
                    f"them apart under another --symbol"
                )
            after = told(before).model_copy(update={"columns": tuple(rows)})
            if after != before:
                text = after.model_dump_json(indent=1)
                staged.place(self.root / series.folder / CARD).write_text(text, encoding="utf-8")
            staged.commit()
        return found

    def replace(self, series: Series, rows: Columns, card: Card) -> None:
        """Keep rows, in the order of their times, and a card instead of all there was of a series.

        Raises DataError, Unwritable where nothing can be written.
        """
        with alone(self.root), duck(WANTED) as connection, staging(self.root) as staged:
            months = {
                self.root / series.file(month): part
                for month, part in months_of(cast("Times", rows["time"]))
            }
            for target, part in months.items():
                here = {name: column[part] for name, column in rows.items()}
                write(connection, here, staged.place(target))
            text = card.model_copy(update={"columns": tuple(rows)}).model_dump_json(indent=1)
            staged.place(self.root / series.folder / CARD).write_text(text, encoding="utf-8")
            for file in self.files(series):
                if file not in months:
                    file.unlink()
            staged.commit()


def _refuse_other_columns(series: Series, card: Card, rows: Columns) -> None:
    if card.columns and set(card.columns) != set(rows):
        raise DataError(
            f"{series} is kept with the columns {', '.join(card.columns)}, these rows have "
            f"{', '.join(rows)}; keep them apart under another --symbol"
        )


def _within(span: Span) -> str:
    ends = "" if span.end == EVER.end else f" AND epoch_ns(time) < {span.end}"
    return f"epoch_ns(time) >= {span.start}{ends}"


def _read(files: Sequence[Path]) -> str:
    return f"read_parquet([{', '.join(map(quoted, files))}], hive_partitioning = false)"


def _order(series: Series) -> tuple[str, str, int]:
    return series.kind, series.symbol, series.length
