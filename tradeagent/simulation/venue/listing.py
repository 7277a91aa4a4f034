"""What the venue lists: assets by id and by name, their grids and leverage, and `meta`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal

from tradeagent.messages import InstrumentUpdate
from tradeagent.simulation.venue.base import Json
from tradeagent.simulation.venue.wire import decimal_text

DECIMALS = 6
"""A price of a perpetual has at most this many decimals less those of the size."""
DIGITS = 5
FIRST_TABLE = 50
"""Margin tables below this number are one tier, with the number for its leverage."""


@dataclass(frozen=True, slots=True)
class Asset:
    """One perpetual: `number` is its asset id, `symbol` what the feed calls it.

    `decimals` are those of a size. `instrument` has its grid and margin tiers, without a smallest
    order: the venue judges that itself, as it knows an exemption.
    """

    number: int
    coin: str
    symbol: str
    decimals: int
    instrument: InstrumentUpdate
    delisted: bool = False

    @property
    def leverage(self) -> int:
        """Return the most leverage it allows."""
        return self.instrument.max_leverage

    @property
    def table(self) -> int:
        """Return the number of its margin table."""
        return FIRST_TABLE + self.number if self.instrument.margin_tiers else self.leverage

    def price_fits(self, price: Decimal) -> bool:
        """Tell whether an order may name a price: whole, or five digits and few decimals."""
        plain = price.normalize()
        exponent = plain.as_tuple().exponent
        assert isinstance(exponent, int)
        if exponent >= 0:
            return True
        return len(plain.as_tuple().digits) <= DIGITS and -exponent <= DECIMALS - self.decimals

    def size_fits(self, size: Decimal) -> bool:
        """Tell whether an order may name a size."""
        return not size % self.instrument.lot

    def meta(self) -> Json:
        """Return its entry in the universe of `meta`."""
        entry: Json = {
            "szDecimals": self.decimals,
            "name": self.coin,
            "maxLeverage": self.leverage,
            "marginTableId": self.table,
        }
        return entry | {"isDelisted": True} if self.delisted else entry

    def tiers(self) -> Json:
        """Return its margin table."""
        tiers = [(Decimal(0), self.leverage), *self.instrument.margin_tiers]
        shown = [{"lowerBound": decimal_text(low), "maxLeverage": most} for low, most in tiers]
        name = f"tiered {self.leverage}x" if len(tiers) > 1 else ""
        return {"description": name, "marginTiers": shown}

    def relisted(self, decimals: int | None, leverage: int | None, delisted: bool | None) -> Asset:
        """Return it with other terms; None leaves one as it is. Tiers keep below the leverage."""
        size = self.decimals if decimals is None else decimals
        most = self.leverage if leverage is None else leverage
        tiers = tuple((low, min(of, most)) for low, of in self.instrument.margin_tiers)
        return replace(
            self,
            decimals=size,
            instrument=_on_grid(self.symbol, size, most, tiers),
            delisted=self.delisted if delisted is None else delisted,
        )


class Listings:
    """Every asset, in the order of its id; an asset keeps its id when it is delisted."""

    def __init__(self, instruments: Iterable[InstrumentUpdate]) -> None:
        """List what a feed covers, on the venue's grid."""
        self._assets = [_listed(number, one) for number, one in enumerate(instruments)]
        self._index()

    def _index(self) -> None:
        self.by_coin = {one.coin: one for one in self._assets}
        self.by_symbol = {one.symbol: one for one in self._assets}

    def __iter__(self) -> Iterator[Asset]:
        """Yield the assets by id."""
        return iter(self._assets)

    def at(self, number: int) -> Asset | None:
        """Return the asset of an id, None when there is none."""
        return self._assets[number] if 0 <= number < len(self._assets) else None

    def put(self, asset: Asset) -> None:
        """Replace an asset by one of the same id."""
        self._assets[asset.number] = asset
        self._index()

    def instruments(self) -> list[InstrumentUpdate]:
        """Return the instruments, by id."""
        return [one.instrument for one in self._assets]

    def meta(self) -> Json:
        """Answer `meta`."""
        tables = {one.table: one.tiers() for one in self._assets}
        return {
            "universe": [one.meta() for one in self._assets],
            "marginTables": [[number, table] for number, table in sorted(tables.items())],
            "collateralToken": 0,
        }

    def table(self, number: int) -> Json | None:
        """Answer `marginTable`, None when there is no such table."""
        found = (one.tiers() for one in self._assets if one.table == number)
        return next(found, None)


def _listed(number: int, given: InstrumentUpdate) -> Asset:
    """List what a feed calls an instrument; sizes get at most five decimals, prices at least one.

    A pair is named by its base: a slash is for spot here, and a colon for other exchanges.
    """
    exponent = given.lot.normalize().as_tuple().exponent
    assert isinstance(exponent, int)
    decimals = min(max(-exponent, 0), DECIMALS - 1)
    coin = given.symbol.split("/")[0].split(":")[0]
    grid = _on_grid(given.symbol, decimals, given.max_leverage, given.margin_tiers)
    return Asset(number, coin, given.symbol, decimals, grid)


def _on_grid(
    symbol: str, decimals: int, leverage: int, tiers: tuple[tuple[Decimal, int], ...]
) -> InstrumentUpdate:
    return InstrumentUpdate(
        symbol=symbol,
        tick=Decimal(1).scaleb(decimals - DECIMALS),
        lot=Decimal(1).scaleb(-decimals),
        min_notional=Decimal(0),
        significant=DIGITS,
        max_leverage=leverage,
        margin_tiers=tiers,
    )
