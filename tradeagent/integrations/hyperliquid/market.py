"""What must be known of the market to word an order: the listing and fresh middles."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from tradeagent.clock import Clock
from tradeagent.errors import VenueUnavailable
from tradeagent.integrations.hyperliquid.listing import Listing
from tradeagent.integrations.hyperliquid.settings import HyperliquidSettings
from tradeagent.integrations.hyperliquid.timing import elapsed
from tradeagent.integrations.hyperliquid.wording import Wording


class Market:
    """The listing and the middles as last told."""

    def __init__(self, settings: HyperliquidSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._listing: Listing | None = None
        self._mids: Mapping[str, str] = {}
        self._told = float("-inf")

    @property
    def listing(self) -> Listing:
        """Return what is listed; raises VenueUnavailable before it is known."""
        if self._listing is None:
            raise VenueUnavailable("not started: it is not known yet what the venue lists")
        return self._listing

    def list(self, listing: Listing) -> None:
        """Take over what is listed."""
        self._listing = listing

    def price(self, mids: Mapping[str, str]) -> None:
        """Take over the middles of all books."""
        self._mids = mids
        self._told = elapsed(self._clock)

    def forget(self) -> None:
        """Hold the middles for old, as after a sleep that no clock has counted."""
        self._told = float("-inf")

    @property
    def age(self) -> float:
        """Return how old the middles are, in seconds."""
        return elapsed(self._clock) - self._told

    def mid(self, symbol: str) -> Decimal | None:
        """Return the middle of a book, None where none is known that is fresh."""
        if self.age > self._settings.mids_within:
            return None
        found = self._mids.get(symbol)
        return Decimal(found) if found is not None else None

    def wording(self, symbol: str) -> Wording:
        """Return what words orders of a symbol; raises OrderRefused for one that is not listed."""
        number, instrument = self.listing.require(symbol)
        return Wording(number, instrument, self._settings)
