"""What the venue lists: each symbol's number and grid."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import ValidationError

from tradeagent.errors import OrderRefused, VenueUnavailable
from tradeagent.integrations.hyperliquid.answers import Meta
from tradeagent.messages import InstrumentUpdate


class Listing:
    """The symbols that trade, by name; one that is delisted keeps its number, for cancels alone."""

    def __init__(self, meta: Meta) -> None:
        """Take what the venue lists; raises VenueUnavailable for terms that cannot be."""
        tables = dict(meta.margin_tables)
        self._numbers: dict[str, int] = {}
        self._instruments: dict[str, InstrumentUpdate] = {}
        for number, asset in enumerate(meta.universe):
            self._numbers[asset.name] = number
            if not asset.is_delisted:
                try:
                    self._instruments[asset.name] = asset.instrument(tables)
                except ValidationError as error:
                    raise VenueUnavailable(f"meta: {asset.name} cannot be: {error}") from None

    @property
    def instruments(self) -> Sequence[InstrumentUpdate]:
        """Return what trades, in the venue's order."""
        return tuple(self._instruments.values())

    def find(self, symbol: str) -> InstrumentUpdate | None:
        """Return a symbol's grid, None when it does not trade."""
        return self._instruments.get(symbol)

    def number(self, symbol: str) -> int | None:
        """Return a symbol's number, None when it was never listed."""
        return self._numbers.get(symbol)

    def require(self, symbol: str) -> tuple[int, InstrumentUpdate]:
        """Return a symbol's number and grid; raises OrderRefused."""
        instrument = self._instruments.get(symbol)
        if instrument is None:
            raise OrderRefused(f"UNLISTED: {symbol} does not trade on this network")
        return self._numbers[symbol], instrument

    def changed(self, before: Listing) -> list[InstrumentUpdate]:
        """Return what is new or trades on other terms than `before`."""
        return [one for one in self.instruments if before.find(one.symbol) != one]
