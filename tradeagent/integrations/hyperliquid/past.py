"""The past of Hyperliquid's markets, a page at a time: candles and funding."""

from __future__ import annotations

from tradeagent.clock import MILLISECOND, SECOND, Clock
from tradeagent.errors import DataError, VenueUnavailable
from tradeagent.integrations.base import FundingRate, Page
from tradeagent.integrations.hyperliquid.candles import bar_of
from tradeagent.integrations.hyperliquid.history import MOST, PATIENCE
from tradeagent.integrations.hyperliquid.listing import Listing
from tradeagent.integrations.hyperliquid.questions import MarketQuestions
from tradeagent.integrations.hyperliquid.rest import Rest
from tradeagent.integrations.hyperliquid.settings import LineSettings
from tradeagent.integrations.hyperliquid.timing import VenueTime
from tradeagent.messages import (
    TIMEFRAMES,
    InstrumentUpdate,
    MarketData,
    MarketTrade,
    Timeframe,
    candle_open,
)

A_PAGE = 1_000
"""Candles asked for at once."""
HOURS_A_PAGE = 500
"""Rates asked for at once; there is one an hour, and the venue tells no more."""
HOUR = 3600 * SECOND
SETTLED = 5 * SECOND
"""How long after its close a candle is believed."""


class HyperliquidPast:
    """Asks the venue for what was, within its limit of weight a minute."""

    def __init__(self, settings: LineSettings, clock: Clock) -> None:
        self.name = f"hyperliquid {settings.network}"
        self._clock = clock
        self._time = VenueTime(clock)
        self._rest = Rest(settings, clock)
        self._venue = MarketQuestions(self._rest, self._time)
        self._listing: Listing | None = None

    async def open(self) -> None:
        """Connect, and learn the venue's time and what is listed; raises VenueUnavailable."""
        self._rest.open()
        await self._venue.time()
        self._listing = Listing(await self._venue.meta())

    async def close(self) -> None:
        """Disconnect."""
        await self._rest.close()

    def now(self) -> int:
        """Return up to when all has settled, by the venue's own time."""
        return self._time.now() - SETTLED

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`."""
        await self._clock.sleep(seconds)

    def earliest(self, timeframe: Timeframe) -> int:
        """Return when the oldest candle opened that the venue still has."""
        return candle_open(timeframe, self._time.now()) - (MOST - 1) * TIMEFRAMES[timeframe]

    def instrument(self, symbol: str) -> InstrumentUpdate | None:
        """Return the grid of a symbol; raises DataError where none is listed."""
        assert self._listing is not None
        found = self._listing.find(symbol)
        if found is None:
            some = ", ".join(one.symbol for one in self._listing.instruments[:8])
            raise DataError(
                f"{self.name} does not list {symbol!r}; case matters, as in kPEPE; it has {some} "
                f"and others"
            )
        return found

    async def candles(
        self, symbol: str, timeframe: Timeframe, start: int, end: int
    ) -> Page[MarketData]:
        """Return up to 1,000 candles."""
        upto = min(end, start + A_PAGE * TIMEFRAMES[timeframe])
        first, last = start // MILLISECOND, upto // MILLISECOND - 1
        found = await self._venue.candles(symbol, timeframe, first, last, PATIENCE)
        try:
            bars = sorted((bar_of(one, timeframe) for one in found), key=_opened)
        except ValueError as error:
            raise VenueUnavailable(f"a candle of {symbol} cannot be: {error}") from None
        return Page([bar for bar in bars if start <= bar.time < upto], upto)

    async def funding(self, symbol: str, start: int, end: int) -> Page[FundingRate]:
        """Return the rates of up to 500 hours."""
        upto = min(end, start + HOURS_A_PAGE * HOUR)
        first, last = -(-start // MILLISECOND), -(-upto // MILLISECOND) - 1
        told = await self._venue.funding(symbol, first, last, PATIENCE)
        rates = [FundingRate(one.time * MILLISECOND, float(one.funding_rate)) for one in told]
        return Page(sorted(rates), upto)

    async def trades(self, symbol: str, start: int, end: int) -> Page[MarketTrade]:  # noqa: ARG002
        """Raise DataError: the venue tells no past trades."""
        raise DataError(f"{self.name} tells no past trades; import a file of them instead")


def _opened(bar: MarketData) -> int:
    return bar.time
