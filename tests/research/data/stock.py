"""Catalogues and candles to test with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from tests.integrations.recordings import BAR_HEADER, write
from tradeagent.integrations.recorded import RecordedFile
from tradeagent.research.data.catalogue import Catalogue
from tradeagent.research.data.ingest import Intake, take_in
from tradeagent.research.data.merge import Prefer

OPEN = 1_640_995_200_000
"""2022-01-01, in ms."""
MS, MINUTE = 1_000_000, 60_000_000_000
Bar = tuple[object, ...]


def bars(count: int, seed: int = 1, first: int = OPEN) -> list[Bar]:
    """Return rows of one-minute candles of a random walk; times in ms."""
    dice = np.random.default_rng(seed)
    found: list[Bar] = []
    price = 100.0
    for place in range(count):
        start, price = price, round(price * float(np.exp(dice.normal(0, 0.001))), 2)
        high, low = max(start, price) + 0.01, min(start, price) - 0.01
        volume = round(float(dice.exponential(3)) + 0.001, 3)
        found.append((first + 60_000 * place, start, round(high, 2), round(low, 2), price, volume))
    return found


def imported(
    catalogue: Catalogue,
    folder: Path,
    rows: Iterable[Sequence[object]],
    header: Sequence[str] = BAR_HEADER,
    prefer: Prefer | None = None,
    **changes: object,
) -> Intake:
    """Write rows to a file and take that in."""
    path = write(folder / "btc.csv", header, rows)
    settings = {"path": path, "symbol": "BTC", **changes}
    if header == BAR_HEADER:
        settings = {"timeframe": "1m", **settings}
    return take_in(catalogue, RecordedFile.model_validate(settings), prefer)


def stamp(catalogue: Catalogue) -> dict[str, tuple[int, bytes]]:
    """Return every file of a catalogue: when it was written, and what it holds."""
    files = (one for one in catalogue.root.rglob("*") if one.is_file() and one.name != ".lock")
    return {
        str(one.relative_to(catalogue.root)): (one.stat().st_mtime_ns, one.read_bytes())
        for one in files
    }
