"""The funding rates of past hours: those on record, and before them those of the feed."""

from __future__ import annotations

from tradeagent.integrations.base import MarketFeed
from tradeagent.simulation.market import GeneratedMarket
from tradeagent.simulation.venue.base import Json
from tradeagent.simulation.venue.candles import DAY, MILLISECOND, number
from tradeagent.simulation.venue.house import House
from tradeagent.simulation.venue.listing import Asset

HOUR_MS = 3_600_000
MOST = 500


class Rates:
    """Notes the rate of each hour as it ends, and tells those of the past."""

    def __init__(self, house: House, feed: MarketFeed) -> None:
        self._house = house
        self._feed = feed
        self._born = (house.now() - house.settings.history_days * DAY) // MILLISECOND
        self._hour = house.now_ms() // HOUR_MS

    def is_due(self, now: int) -> bool:
        """Tell whether an hour has ended by `now` (ms)."""
        return now // HOUR_MS > self._hour

    def note(self, now: int) -> None:
        """Note the rates of the hour that has just ended at `now` (ms)."""
        hour = now // HOUR_MS
        for coin, stall in self._house.stalls.items():
            premium = str(stall.ctx()["premium"] or "0.0") if stall.open else "0.0"
            rate = number(round(stall.funding, 10))
            self._house.ledger.rate(coin, hour * HOUR_MS, rate, premium)
        self._hour = hour

    def between(self, asset: Asset, start: int, end: int) -> list[Json]:
        """Return the first rates from `start` to `end` (ms), oldest first."""
        query = "SELECT time, rate, premium FROM rates WHERE coin = ? AND time BETWEEN ? AND ?"
        rows = self._house.ledger.rows(query, asset.coin, start, end)
        kept = {int(time or 0): (str(rate), str(premium)) for time, rate, premium in rows}
        found: list[Json] = []
        first = -(-max(start, self._born) // HOUR_MS)
        for hour in range(first, end // HOUR_MS + 1):
            time = hour * HOUR_MS
            told = kept.get(time) or self._drawn(asset, time)
            if told is not None:
                rate, premium = told
                found.append(
                    {"coin": asset.coin, "fundingRate": rate, "premium": premium, "time": time}
                )
            if len(found) == MOST:
                break
        return found

    def _drawn(self, asset: Asset, time: int) -> tuple[str, str] | None:
        """Return the rate that a generated market had for the hour that ended at `time`."""
        if not isinstance(self._feed, GeneratedMarket):
            return None
        before = (time - HOUR_MS) * MILLISECOND
        return number(self._feed.funding(asset.symbol, before)), "0.0"
