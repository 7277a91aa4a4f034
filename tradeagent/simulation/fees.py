"""Charge fees by tier: what the account traded in the last 14 days decides what a fill costs."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from tradeagent.messages import ZERO
from tradeagent.messages.orders import Liquidity
from tradeagent.simulation.settings import ExchangeSettings

DAY = 86_400 * 1_000_000_000
WINDOW = 14
"""The whole UTC days before today that count; today does not, as on the venue."""


class Fees:
    """The volume of each day and the rates that follow from it, worked out once a day."""

    def __init__(self, settings: ExchangeSettings, volumes: Mapping[int, Decimal]) -> None:
        """Take up `volumes`, by day counted from 1970."""
        self.volumes = dict(volumes)
        self._settings = settings
        self._day = -1
        self._maker, self._taker = settings.maker_fee, settings.taker_fee

    def rate(self, liquidity: Liquidity, time: int) -> Decimal:
        """Return the fee of a fill at `time` (UTC ns), as a ratio of its notional."""
        if time // DAY > self._day:
            self._begin(time // DAY)
        return self._maker if liquidity == "maker" else self._taker

    def add(self, notional: Decimal, time: int) -> tuple[int, Decimal]:
        """Count a fill; returns its day and what that day has traded so far."""
        day = time // DAY
        total = self.volumes[day] = self.volumes.get(day, ZERO) + notional
        if day < self._day:
            self._begin(self._day)
        return day, total

    def _begin(self, day: int) -> None:
        self._day = day
        self.volumes = {d: v for d, v in self.volumes.items() if d >= day - WINDOW}
        traded = sum((v for d, v in self.volumes.items() if d < day), ZERO)
        one = self._settings
        self._maker, self._taker = one.maker_fee, one.taker_fee
        for tier in one.fee_tiers:
            if traded > tier.volume:
                self._maker = min(one.maker_fee, tier.maker)
                self._taker = min(one.taker_fee, tier.taker)
