"""Charts as inline SVG: lines, areas, bands and bars, coloured by the page's own style."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from markupsafe import Markup, escape

from tradeagent.quant.curve import Floats, Times
from tradeagent.research.report.axes import Scale, Tick, nice, nice_log, thin, time_ticks

WIDTH = 960
LEFT, RIGHT, TOP, BOTTOM = 72, 12, 10, 26
"""The margins that ticks are written in."""
Text = Callable[[float], str]
Kind = Literal["line", "dashed", "area"]


@dataclass(frozen=True, slots=True)
class Series:
    """Values over time (UTC ns); `style` is a class of the page's style, `name` for the legend."""

    name: str
    time: Times
    values: Floats
    style: str = "c1"
    kind: Kind = "line"


@dataclass(frozen=True, slots=True)
class Band:
    """The room between two lines over any rising numbers."""

    at: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True, slots=True)
class Frame:
    """What a chart is called, how high it is, and how its values are written."""

    title: str
    describes: str
    write: Text
    height: int = 240
    log: bool = False
    zero: bool = False
    """Whether 0 is always in sight."""


def lines(frame: Frame, series: Sequence[Series]) -> Markup:
    """Draw series over time; one without rows is left out."""
    drawn = [one for one in series if len(one.values)]
    if not drawn:
        return _nothing(frame)
    start, end = (int(f(g(one.time) for one in drawn)) for f, g in ((min, np.min), (max, np.max)))
    x = Scale(start, max(end, start + 1), LEFT, WIDTH - RIGHT)
    y = _upright(frame, [one.values for one in drawn])
    ticks = time_ticks(start, end)
    body = [_path(one, x, y) for one in drawn]
    return _svg(frame, x, y, ticks, body)


def banded(frame: Frame, bands: Sequence[Band], middle: tuple[Floats, Floats]) -> Markup:
    """Draw bands from wide to narrow over a count, with a line in the middle."""
    at, values = middle
    x = Scale(float(at[0]), float(max(at[-1], at[0] + 1)), LEFT, WIDTH - RIGHT)
    y = _upright(frame, [values, *(edge for one in bands for edge in (one.low, one.high))])
    ticks = [Tick(one, f"{one:,.0f}") for one in nice(float(at[0]), float(at[-1]), 8)]
    body = []
    for one in bands:
        there = _points(x(one.at), y(one.low))
        back = _points(x(one.at)[::-1], y(one.high)[::-1])
        body.append(f'<path class="band" d="M{there}L{back}Z"/>')
    body.append(f'<path class="c1" d="M{_points(x(at), y(values))}"/>')
    return _svg(frame, x, y, ticks, body)


def bars(frame: Frame, edges: Floats, heights: Floats, *, name: Text, signed: bool) -> Markup:
    """Draw a bar between each two `edges`.

    `name` writes an edge. The colour tells the sign of the height where `signed`, of the place
    otherwise.
    """
    if not len(heights):
        return _nothing(frame)
    x = Scale(float(edges[0]), float(edges[-1]), LEFT, WIDTH - RIGHT)
    y = _upright(frame, [heights])
    ticks = [Tick(one, name(one)) for one in nice(float(edges[0]), float(edges[-1]), 8)]
    base, places, tops = y.place(0.0), x(edges), y(heights)
    body = []
    for row, height in enumerate(heights):
        if not np.isfinite(height):
            continue
        middle = (edges[row] + edges[row + 1]) / 2
        style = "up" if (height if signed else middle) >= 0 else "down"
        top, size = min(tops[row], base), abs(tops[row] - base)
        width = max(places[row + 1] - places[row] - 1, 0.5)
        told = escape(f"{name(edges[row])} to {name(edges[row + 1])}: {frame.write(height)}")
        body.append(
            f'<rect class="{style}" x="{places[row]:.1f}" y="{top:.1f}" width="{width:.1f}" '
            f'height="{size:.1f}"><title>{told}</title></rect>'
        )
    return _svg(frame, x, y, ticks, body)


def _nothing(frame: Frame) -> Markup:
    return Markup('<p class="nothing">{}: nothing to draw.</p>').format(frame.title)


def _upright(frame: Frame, values: Sequence[Floats]) -> Scale:
    known = np.concatenate([one[np.isfinite(one)] for one in values])
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    bottom = frame.height - BOTTOM
    if frame.log:
        return Scale(low / 1.02, high * 1.02, bottom, TOP, "log")
    low, high = (min(low, 0.0), max(high, 0.0)) if frame.zero else (low, high)
    room = (high - low) * 0.04 or abs(high) * 0.04 or 1.0
    pinned = frame.zero and low == 0
    return Scale(low if pinned else low - room, high + (0 if high == 0 else room), bottom, TOP)


def _path(one: Series, x: Scale, y: Scale) -> str:
    known = np.isfinite(one.values)
    if known.all():
        return _run(one, one.time, one.values, x, y)
    edges = np.flatnonzero(np.diff(known.astype(np.int8))) + 1
    parts = zip(np.split(one.time, edges), np.split(one.values, edges), strict=True)
    return "".join(
        _run(one, time, values, x, y)
        for time, values in parts
        if len(values) and np.isfinite(values[0])
    )


def _run(one: Series, time: Times, values: Floats, x: Scale, y: Scale) -> str:
    time, values = thin(time, values)
    across = x(time.astype(np.float64))
    line = _points(across, y(values))
    if one.kind == "area":
        base = y.place(0.0)
        shape = f"M{across[0]:.1f} {base:.1f}L{line}L{across[-1]:.1f} {base:.1f}Z"
        return f'<path class="area {one.style}" d="{shape}"/>'
    dashes = " dashed" if one.kind == "dashed" else ""
    return f'<path class="{one.style}{dashes}" d="M{line}"/>'


def _points(x: Floats, y: Floats) -> str:
    return "L".join(f"{a:.1f} {b:.1f}" for a, b in zip(x.tolist(), y.tolist(), strict=True))


def _svg(frame: Frame, x: Scale, y: Scale, ticks: Sequence[Tick], body: Sequence[str]) -> Markup:
    bottom = frame.height - BOTTOM
    marks = []
    for value in nice_log(y.low, y.high) if frame.log else nice(y.low, y.high):
        place = y.place(value)
        style, written = "zero" if value == 0 else "grid", escape(frame.write(value))
        marks.append(
            f'<path class="{style}" d="M{LEFT} {place:.1f}H{WIDTH - RIGHT}"/>'
            f'<text class="y" x="{LEFT - 6}" y="{place + 4:.1f}">{written}</text>'
        )
    for tick in ticks:
        place = x.place(tick.at)
        label = min(place, WIDTH - 4 * len(tick.text))
        marks.append(
            f'<path class="grid" d="M{place:.1f} {TOP}V{bottom}"/>'
            f'<text class="x" x="{label:.1f}" y="{frame.height - 8}">{escape(tick.text)}</text>'
        )
    head = f"<title>{escape(frame.title)}</title><desc>{escape(frame.describes)}</desc>"
    return Markup(  # noqa: S704 - every text in it is escaped above
        f'<svg class="chart" role="img" viewBox="0 0 {WIDTH} {frame.height}">{head}'
        f"{''.join(marks)}{''.join(body)}</svg>"
    )
