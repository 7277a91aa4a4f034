"""The settings of recorded market files."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tradeagent.integrations.recorded.columns import FIELDS, Content, TimeUnit
from tradeagent.messages import InstrumentUpdate, Timeframe


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
    """One file of a recording, CSV or Parquet (by its suffix), and how to read it.

    What is left out is found: `symbol` is the file name up to its first `-` or `_`, in capitals;
    `content` follows from the header, `timeframe` is the most common step between bars, `time_unit`
    follows from the column's suffix (`_ms`) or else from the size of its numbers, and `instrument`
    from the decimals of prices and sizes. `columns` maps our names to the file's, such as
    `{time: ts, volume: amount}`. `volume: quote` means turnover, divided by the close.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Path = Field(description="The file, CSV or Parquet by its suffix.")
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
            raise ValueError(f"{self.name!r} does not start with a symbol: set symbol")
        if unknown := sorted(self.columns.keys() - FIELDS):
            raise ValueError(
                f"columns names {', '.join(unknown)}, which is none of {', '.join(sorted(FIELDS))}"
            )
        return self


class RecordedSettings(BaseModel):
    """The files of one recording, played together; events of one instant come in this order."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    files: tuple[RecordedFile, ...] = Field(
        min_length=1, description="The files to play, each with how to read it."
    )

    @model_validator(mode="after")
    def _one_grid_for_each_symbol(self) -> Self:
        grids: dict[str, InstrumentSpec] = {}
        for file in self.files:
            if file.instrument and grids.setdefault(file.listed, file.instrument) != (
                file.instrument
            ):
                raise ValueError(f"two different instruments are given for {file.listed}")
        return self
