"""Gather what one event brings about, until it is written and may be told."""

from __future__ import annotations

from decimal import Decimal

from tradeagent.integrations.base import AccountEvent
from tradeagent.simulation.account import Position
from tradeagent.simulation.ledger import Changes, Daybook, Entry
from tradeagent.simulation.matching import Landing, Page, Resting


class Record:
    """The next transaction of a ledger, and what is told of it once it is written."""

    def __init__(self, ledger: Daybook) -> None:
        self._ledger = ledger
        self._entries: list[Entry] = []
        self._unsent: list[AccountEvent] = []
        self._positions: dict[str, Position] = {}
        self._orders: dict[str, Resting] = {}
        self._volumes: dict[int, Decimal] = {}
        self._pages: dict[str, Page] = {}
        self._sent: list[Landing] = []
        self._landed: list[int] = []
        self._written = True

    def number(self) -> int:
        """Return the number of the next event."""
        return self._ledger.seq + len(self._entries) + 1

    def enter(
        self,
        told: AccountEvent,
        order: Resting | None = None,
        group: str | None = None,
        *,
        tell: bool = True,
    ) -> None:
        """Add an event; `tell` leaves out what is answered and not delivered."""
        self._entries.append(Entry(self.number(), told, order, group))
        self._written = False
        if tell:
            self._unsent.append(told)

    @property
    def written(self) -> bool:
        """Tell whether nothing has changed since the last commit."""
        return self._written

    def hold(self, position: Position) -> None:
        """Keep how a position stands now."""
        self._positions[position.symbol] = position
        self._written = False

    def keep(self, resting: Resting) -> None:
        """Keep how far a resting order has filled, whether it is triggered, and its place."""
        self._orders[resting.order.cloid] = resting
        self._written = False

    def drop(self, resting: Resting) -> None:
        """Keep it no more: the order has ended."""
        self._orders.pop(resting.order.cloid, None)

    def trade(self, day: int, volume: Decimal) -> None:
        """Keep what a day has traded so far."""
        self._volumes[day] = volume

    def note(self, page: Page) -> None:
        """Keep what has changed on a page."""
        self._pages[page.symbol] = page
        self._written = False

    def send(self, landing: Landing) -> None:
        """Keep what is on its way."""
        self._sent.append(landing)
        self._written = False

    def land(self, landing: Landing) -> None:
        """Keep it no more: it has arrived."""
        self._landed.append(landing.number)
        self._written = False

    def commit(self) -> list[AccountEvent]:
        """Write all that has changed since the last commit; returns what may now be told.

        Raises StateError; nothing may be told then.
        """
        if self._written:
            return []
        changes = Changes(
            tuple(self._positions.values()),
            tuple(self._orders.values()),
            dict(self._volumes),
            tuple(self._pages.values()),
            tuple(self._sent),
            tuple(self._landed),
        )
        entries, self._entries = self._entries, []
        for kept in (self._positions, self._orders, self._volumes, self._pages):
            kept.clear()
        self._sent.clear()
        self._landed.clear()
        self._written = True
        self._ledger.write(entries, changes)
        unsent, self._unsent = self._unsent, []
        return unsent
