"""Figures in words: each in its unit, no more digits than it deserves."""

from __future__ import annotations

from math import isfinite

from tradeagent.quant.meanings import MEANINGS, Unit
from tradeagent.quant.metrics import Metrics

NOTHING = "-"
"""What is printed for a figure that is undefined."""
_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400


def number(value: float, digits: int = 2) -> str:
    """Write a plain number; very large and very small ones by their exponent."""
    size = abs(value)
    if value and not 1e-3 <= size < 1e7:
        return f"{value:.2e}"
    return _signed(f"{value:,.{digits + 2 if 0 < size < 0.1 else digits}f}")


def money(value: float) -> str:
    """Write money: cents, but whole amounts from 100,000 on and more digits below one."""
    size = abs(value)
    if size >= 1e15 or not isfinite(value):
        return f"{value:.3e}"
    if size >= 1e5:
        return f"{value:,.0f}"
    return _signed(f"{value:,.2f}" if size >= 1 or size < 5e-5 else f"{value:,.4f}")


def percent(value: float) -> str:
    """Write a fraction as a percentage; below 0.1 % with two digits more."""
    scaled = value * 100
    size = abs(scaled)
    if size >= 1e7:
        return f"{scaled:.2e} %"
    digits = 4 if 5e-5 < size < 0.1 else 2 if size < 1_000 else 0
    return f"{_signed(f'{scaled:,.{digits}f}')} %"


def basis_points(value: float) -> str:
    """Write a fraction in hundredths of a percent."""
    return f"{_signed(f'{value * 10_000:,.2f}')} bp"


def counted(count: int, name: str) -> str:
    """Write a count of things: `1 order`, `2,000 orders`."""
    return f"{count:,} {name}{'' if count == 1 else 's'}"


def _signed(text: str) -> str:
    """Return a number without the sign that rounding left on nothing."""
    return text if text.strip("-0.") else text.lstrip("-")


def axis(value: float) -> str:
    """Write a round value beside an axis."""
    return f"{value:,.9g}"


def axis_percent(value: float) -> str:
    """Write a round fraction beside an axis."""
    return f"{value * 100:,.9g} %"


def length(seconds: float) -> str:
    """Write a time that passed in its two largest units: `3 d 4 h`."""
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{seconds:.3g} s"
    if whole < _HOUR:
        return _two(whole, _MINUTE, "min", 1, "s")
    if whole < _DAY:
        return _two(whole, _HOUR, "h", _MINUTE, "min")
    return _two(whole, _DAY, "d", _HOUR, "h") if whole < 100 * _DAY else f"{whole / _DAY:,.0f} d"


def _two(whole: int, large: int, name: str, small: int, other: str) -> str:
    count, rest = divmod(whole // small * small, large)
    return f"{count} {name} {rest // small} {other}" if rest else f"{count} {name}"


def value(amount: float | None, unit: Unit) -> str:
    """Write a figure in its unit, `-` where it is undefined."""
    if amount is None:
        return NOTHING
    match unit:
        case Unit.RATIO:
            return percent(amount)
        case Unit.MONEY:
            return money(amount)
        case Unit.COUNT:
            return f"{amount:,.0f}"
        case Unit.SECONDS:
            return length(amount)
        case Unit.NUMBER:
            return number(amount)


def figure(metrics: Metrics, field: str) -> str:
    """Write one figure of a run."""
    return value(getattr(metrics, field), MEANINGS[field].unit)
