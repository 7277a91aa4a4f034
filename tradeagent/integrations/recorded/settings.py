"""The settings of recorded market files."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from tradeagent.clock import NEVER
from tradeagent.integrations.recorded.columns import FIELDS, Content, TimeUnit
from tradeagent.messages import InstrumentUpdate, Timeframe

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _no_number(value: object) -> object:
    if isinstance(value, int | float):
        raise ValueError("must be a date and time such as 2026-01-01T00:00:00Z")
    return value


def _in_utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)


Moment = Annotated[datetime, BeforeValidator(_no_number), AfterValidator(_in_utc)]
"""A date and time, UTC where it does not say."""


class InstrumentSpec(BaseModel):
    """What the venue of a recording allows; the fields are those of InstrumentUpdate."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tick: Decimal = Field(
        gt=0, allow_inf_nan=False, description="The step between prices, in quote currency."
    )
    lot: Decimal = Field(
        gt=0, allow_inf_nan=False, description="The step between sizes, in base units."
    )
    min_notional: Decimal = Field(
        default=Decimal(10),
        ge=0,
        allow_inf_nan=False,
        description="What the smallest order is worth, in quote currency.",
    )
    significant: int = Field(
        default=0,
        ge=0,
        description="How many digits a price that is no whole number may have; 0 for any number.",
    )
    max_leverage: int = Field(
        default=10,
        ge=1,
        description="The most leverage the venue allows here, as a multiple of equity.",
    )

    def of(self, symbol: str) -> InstrumentUpdate:
        """Return the instrument called `symbol`."""
        return InstrumentUpdate(
            symbol=symbol,
            tick=self.tick,
            lot=self.lot,
            min_notional=self.min_notional,
            significant=self.significant,
            max_leverage=self.max_leverage,
        )


class RecordedFile(BaseModel):
    """One file of a recording and how to read it: CSV, JSON lines or Parquet, by its suffix.

    What is left out is found: `symbol` is the file name up to its first `-` or `_`, in capitals;
    `content` follows from the header, `timeframe` is the most common step between bars, `time_unit`
    follows from the column's suffix (`_ms`) or else from the size of its numbers, and `instrument`
    from the decimals of prices and sizes. `columns` maps our names to the file's, such as
    `{time: ts, volume: amount}`. `volume: quote` means turnover, divided by the close.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Path = Field(description="The file: .parquet, .jsonl (a JSON object a line) or else CSV.")
    symbol: str | None = Field(
        default=None,
        min_length=1,
        max_length=120,
        description="What it is a recording of; else the file name up to its first - or _, in "
        "capitals.",
    )
    content: Content | None = Field(
        default=None, description="What a row is, where the header does not tell."
    )
    timeframe: Timeframe | None = Field(
        default=None,
        description="How long a candle is, where the most common step between rows is wrong.",
    )
    columns: dict[str, str] = Field(
        default={},
        description="The file's name for each of our columns it does not call by a usual name, "
        "such as {time: ts}.",
    )
    time_unit: TimeUnit | None = Field(
        default=None,
        description="The unit of times that are numbers, where column names and sizes do not tell.",
    )
    instrument: InstrumentSpec | None = Field(
        default=None,
        description="The venue's grid, where the decimals of prices and sizes do not tell.",
    )
    volume: Literal["base", "quote"] = Field(
        default="base",
        description="Whether the volume of a candle is in base units or in quote currency.",
    )

    @property
    def name(self) -> str:
        """Return the file's name without its folder."""
        return self.path.name

    @property
    def listed(self) -> str:
        """Return the symbol, given or taken from the file name."""
        return self.symbol or re.split("[-_]", self.path.stem)[0].upper()

    @model_validator(mode="after")
    def _usable(self) -> Self:
        if not self.listed:
            raise ValueError(f"{self.name!r} does not start with a symbol: set symbol (--symbol)")
        if unknown := sorted(self.columns.keys() - FIELDS):
            raise ValueError(
                f"columns (--column) names {', '.join(unknown)}, which is none of "
                f"{', '.join(sorted(FIELDS))}"
            )
        return self


class RecordedSettings(BaseModel):
    """The files of one recording, played together; events of one instant come in this order.

    `start` and `end` choose what is played: the candles that open and close within, and what
    happened from `start` on and before `end`. Strategies are warmed up on what lies before.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    files: tuple[RecordedFile, ...] = Field(
        min_length=1, description="The files to play, each with how to read it."
    )
    start: Moment | None = Field(
        default=None, description="Play from this time on, as in 2026-01-01; from the first row."
    )
    end: Moment | None = Field(
        default=None, description="Play up to this time, as in 2026-02-01; to the last row."
    )

    @property
    def start_ns(self) -> int:
        """Return the start in UTC nanoseconds; 0 where none is given."""
        return 0 if self.start is None else _ns(self.start)

    @property
    def end_ns(self) -> int:
        """Return the end in UTC nanoseconds; the end of time where none is given."""
        return NEVER if self.end is None else _ns(self.end)

    @model_validator(mode="after")
    def _some_time(self) -> Self:
        if self.start is not None and self.end is not None and self.start >= self.end:
            raise ValueError(f"start {self.start} is not before end {self.end}")
        return self

    @model_validator(mode="after")
    def _one_grid_for_each_symbol(self) -> Self:
        grids: dict[str, InstrumentSpec] = {}
        for file in self.files:
            if file.instrument and grids.setdefault(file.listed, file.instrument) != (
                file.instrument
            ):
                raise ValueError(f"two different instruments are given for {file.listed}")
        return self


def _ns(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1) * 1_000
