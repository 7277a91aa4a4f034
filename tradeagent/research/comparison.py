"""Several results side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from tradeagent.quant.curve import Curve
from tradeagent.quant.meanings import GROUPS, MEANINGS, Better, Meaning, Unit
from tradeagent.quant.metrics import Metrics
from tradeagent.research.folder import load_curve
from tradeagent.research.result import Origin, Summary, load_summary
from tradeagent.research.wording import figure

_SAME: tuple[tuple[str, Callable[[Origin], object]], ...] = (
    ("data", lambda origin: sorted(origin.data.values())),
    ("range", lambda origin: (origin.start, origin.end)),
    ("symbols", lambda origin: sorted(origin.symbols)),
    ("kind of fills", lambda origin: origin.fills),
    ("code", lambda origin: origin.code),
)
"""What runs must share for their figures to be comparable."""


class Run(BaseModel):
    """One result by its name."""

    model_config = ConfigDict(frozen=True)

    name: str
    folder: Path
    summary: Summary


class Comparison(BaseModel):
    """Results by their names, and what makes them hard to compare, in words."""

    model_config = ConfigDict(frozen=True)

    runs: tuple[Run, ...]
    notes: tuple[str, ...]

    def curves(self) -> list[tuple[str, Curve]]:
        """Read the equity of each run; raises DataError."""
        return [(run.name, load_curve(run.folder)) for run in self.runs]


def compare(folders: Sequence[Path]) -> Comparison:
    """Read the summaries of result folders; raises DataError for one that is none."""
    places = [one.parent if one.is_file() else one for one in folders]
    names = _names(places)
    runs = tuple(
        Run(name=name, folder=place, summary=load_summary(place))
        for name, place in zip(names, places, strict=True)
    )
    return Comparison(runs=runs, notes=tuple(_notes(runs)))


def _names(places: Sequence[Path]) -> list[str]:
    """Return the last part of each path, or the whole where two end alike."""
    short = [place.resolve().name for place in places]
    return [
        name if short.count(name) == 1 else str(place)
        for name, place in zip(short, places, strict=True)
    ]


def _notes(runs: Sequence[Run]) -> list[str]:
    notes = []
    for what, of in _SAME:
        found = [of(run.summary.origin) for run in runs]
        other = [run.name for run, one in zip(runs, found, strict=True) if one != found[0]]
        if other:
            notes.append(f"Not the same {what} as {runs[0].name}: {', '.join(other)}.")
    return [*notes, *_terms(runs)]


def _terms(runs: Sequence[Run]) -> Iterator[str]:
    """Yield a note for each term that is another one, with what it is where."""
    found = [run.summary.origin.terms for run in runs]
    for name in dict.fromkeys(name for one in found for name in one):
        first = found[0].get(name, "none")
        other = [
            f"{run.name} ({one.get(name, 'none')})"
            for run, one in zip(runs, found, strict=True)
            if one.get(name, "none") != first
        ]
        if other:
            yield f"Not the same {name} as {runs[0].name} ({first}): {', '.join(other)}."


@dataclass(frozen=True, slots=True)
class Line:
    """One figure of every run as text; `best` are the places of the best ones."""

    field: str
    meaning: Meaning
    texts: tuple[str, ...]
    best: frozenset[int]


def table(comparison: Comparison) -> list[tuple[str, list[Line]]]:
    """Return the figures by group; those that no run has are left out.

    Money is not ranked where the runs began with other balances.
    """
    metrics = [run.summary.metrics for run in comparison.runs]
    alike = len({one.start_equity for one in metrics}) == 1
    found = [
        (heading, [_line(field, metrics, alike=alike) for field in group if _known(field, metrics)])
        for heading, group in GROUPS.items()
    ]
    return [(heading, lines) for heading, lines in found if lines]


def _known(field: str, metrics: Sequence[Metrics]) -> bool:
    return any(getattr(one, field) is not None for one in metrics)


def _line(field: str, metrics: Sequence[Metrics], *, alike: bool) -> Line:
    meaning = MEANINGS[field]
    ranked = meaning.better is not Better.NEITHER and (alike or meaning.unit is not Unit.MONEY)
    values = [getattr(one, field) for one in metrics]
    known = [one for one in values if one is not None]
    best: frozenset[int] = frozenset()
    if ranked and len(set(known)) > 1:
        wanted = max(known) if meaning.better is Better.HIGHER else min(known)
        best = frozenset(place for place, one in enumerate(values) if one == wanted)
    return Line(field, meaning, tuple(figure(one, field) for one in metrics), best)
