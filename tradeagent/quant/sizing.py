"""How much to buy or sell: quantities before the size grid, each with the arithmetic in words."""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from tradeagent.messages import ZERO


class Sizing(NamedTuple):
    """A quantity in base units and how it came about."""

    quantity: Decimal
    explanation: str


def fixed_quantity(quantity: Decimal) -> Sizing:
    """Hold `quantity` in base units, whatever it is worth; raises ValueError when not above 0."""
    _positive(quantity=quantity)
    return Sizing(quantity, f"quantity {plain(quantity)}")


def fixed_fraction(equity: Decimal, fraction: Decimal, price: Decimal) -> Sizing:
    """Put `fraction` of equity into the position; raises ValueError on a price not above 0."""
    _positive(price=price)
    quantity = max(equity, ZERO) * fraction / price
    return Sizing(
        quantity,
        f"equity {plain(equity)} x {percent(fraction)} / price {plain(price)} = {plain(quantity)}",
    )


def risk_per_trade(equity: Decimal, risk: Decimal, price: Decimal, stop: Decimal) -> Sizing:
    """Lose `risk` of equity when the stop is hit; raises ValueError when it is at the price."""
    distance = abs(price - stop)
    _positive(price=price, stop=stop, stop_distance=distance)
    quantity = max(equity, ZERO) * risk / distance
    return Sizing(
        quantity,
        f"equity {plain(equity)} x {percent(risk)} risk / stop distance {plain(distance)}"
        f" = {plain(quantity)}",
    )


def volatility_target(
    equity: Decimal, target: Decimal, volatility: Decimal, price: Decimal, cap: Decimal
) -> Sizing:
    """Hold so much that it moves equity by `target` a year, at most `cap` times equity.

    `target` and `volatility` are annual standard deviations as ratios. Raises ValueError when
    volatility or price is not above 0.
    """
    _positive(price=price, volatility=volatility)
    weight = target / volatility
    return _weighted(
        equity,
        weight,
        cap,
        price,
        f"target {percent(target)} / volatility {percent(volatility)} = {plain(weight)}",
    )


def capped_kelly(
    equity: Decimal, win_rate: Decimal, payoff: Decimal, cap: Decimal, price: Decimal
) -> Sizing:
    """Bet Kelly's fraction W - (1 - W) / R of equity, between 0 and `cap` (Kelly 1956).

    `payoff` R is average win over average loss. Raises ValueError when payoff or price is not above
    0 or the win rate no ratio.
    """
    _positive(price=price, payoff=payoff)
    if not 0 <= win_rate <= 1:
        raise ValueError(f"win_rate must be between 0 and 1, not {win_rate}")
    weight = win_rate - (1 - win_rate) / payoff
    return _weighted(
        equity,
        weight,
        cap,
        price,
        f"Kelly {percent(win_rate)} - {percent(1 - win_rate)} / {plain(payoff)} = {plain(weight)}",
    )


def _weighted(
    equity: Decimal, weight: Decimal, cap: Decimal, price: Decimal, origin: str
) -> Sizing:
    held = min(max(weight, ZERO), cap)
    quantity = max(equity, ZERO) * held / price
    bound = "" if held == weight else f", held to {plain(held)}"
    return Sizing(
        quantity,
        f"{origin}{bound}; equity {plain(equity)} x {plain(held)} / price {plain(price)}"
        f" = {plain(quantity)}",
    )


def _positive(**values: Decimal) -> None:
    for name, value in values.items():
        if not (value.is_finite() and value > 0):
            raise ValueError(f"{name.replace('_', ' ')} must be above 0, not {value}")


def plain(number: Decimal) -> str:
    """Write `number` without exponent, to at least two places and four digits."""
    places = 3 - number.adjusted()
    text = format(number, f".{places}f" if places > 2 else ".2f")
    return text.rstrip("0").rstrip(".")


@lru_cache(256)
def percent(ratio: Decimal) -> str:
    """Write `ratio` as a percentage: 0.015 is 1.5%."""
    return f"{plain(ratio * 100)}%"
