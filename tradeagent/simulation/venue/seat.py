"""One account at the venue: its place in the simulated exchange, its live orders, its choices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from decimal import Decimal
from typing import Any

from tradeagent.messages import ZERO, InstrumentUpdate
from tradeagent.simulation.account import Position
from tradeagent.simulation.clearing import Clearing
from tradeagent.simulation.fees import DAY
from tradeagent.simulation.ledger import Daybook
from tradeagent.simulation.pit import Pit
from tradeagent.simulation.settings import ExchangeSettings
from tradeagent.simulation.venue.base import Json
from tradeagent.simulation.venue.ticket import Ticket

FREE_REQUESTS = 10_000


@dataclass(frozen=True, slots=True)
class Agent:
    """A key that may sign for the account; unnamed when `name` is empty. `until` is in ms."""

    address: str
    name: str
    until: int


@dataclass(slots=True)
class Twap:
    """An order that is filled in slices: `done` is what has filled, `due` when the next comes."""

    number: int
    asset: int
    buy: bool
    size: Decimal
    reduce_only: bool
    minutes: int
    randomize: bool
    began: int
    due: int
    done: Decimal = ZERO
    paid: Decimal = ZERO
    slices: int = 0


@dataclass(slots=True)
class Choices:
    """What an account has arranged, all of it kept: agents, builders, schedules, TWAPs, counters.

    `gone` are addresses that once were agents. `bases` is what each coin's funding had come to when
    its position was opened and when it changed last. `fires` is how often the schedule has fired on
    a day, counted from 1970.
    """

    spot: Decimal = ZERO
    leverages: dict[str, int] = field(default_factory=dict)
    isolated: list[str] = field(default_factory=list)
    agents: list[Agent] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    removed: int = 0
    builders: dict[str, int] = field(default_factory=dict)
    referrer: str = ""
    reserved: int = 0
    schedule: int = 0
    fires: tuple[int, int] = (-1, 0)
    twaps: list[Twap] = field(default_factory=list)
    bases: dict[str, tuple[Decimal, Decimal]] = field(default_factory=dict)

    def dump(self) -> Json:
        """Return it ready for JSON."""
        return {
            "spot": str(self.spot),
            "leverages": self.leverages,
            "isolated": self.isolated,
            "agents": [[one.address, one.name, one.until] for one in self.agents],
            "gone": self.gone,
            "removed": self.removed,
            "builders": self.builders,
            "referrer": self.referrer,
            "reserved": self.reserved,
            "schedule": self.schedule,
            "fires": list(self.fires),
            "twaps": [_twap_row(one) for one in self.twaps],
            "bases": {coin: [str(one) for one in two] for coin, two in self.bases.items()},
        }

    @classmethod
    def load(cls, kept: dict[str, Any]) -> Choices:
        """Return it from what was kept; what is missing is as at the start."""
        if not kept:
            return cls()
        return cls(
            spot=Decimal(kept["spot"]),
            leverages=dict(kept["leverages"]),
            isolated=list(kept["isolated"]),
            agents=[Agent(*one) for one in kept["agents"]],
            gone=list(kept["gone"]),
            removed=kept["removed"],
            builders=dict(kept["builders"]),
            referrer=kept["referrer"],
            reserved=kept["reserved"],
            schedule=kept["schedule"],
            fires=(kept["fires"][0], kept["fires"][1]),
            twaps=[_twap(one) for one in kept["twaps"]],
            bases={coin: (Decimal(a), Decimal(b)) for coin, (a, b) in kept["bases"].items()},
        )


def _twap_row(one: Twap) -> list[object]:
    row = [getattr(one, kept.name) for kept in fields(one)]
    return [str(value) if isinstance(value, Decimal) else value for value in row]


def _twap(row: list[Any]) -> Twap:
    kept = dict(zip((one.name for one in fields(Twap)), row, strict=True))
    return Twap(**{**kept, **{name: Decimal(kept[name]) for name in ("size", "done", "paid")}})


class Seat:
    """An account: `clearing` and `pit` are its simulated exchange, `tickets` its live orders.

    `held` is each position as it was told last; `days` what was traded on each day and how much of
    it took; `deposit` what came from outside in all. One that is only looked at is not `known`: it
    is shown, and kept nowhere.
    """

    def __init__(
        self,
        user: str,
        settings: ExchangeSettings,
        instruments: Sequence[InstrumentUpdate],
        book: Daybook,
        choices: Choices,
    ) -> None:
        """Stand where `book` stood."""
        self.user = user
        self.deposit = book.deposit(settings.balance)
        self.known = False
        self.choices = choices
        self.used = 0
        self.clearing = Clearing(settings, instruments, book)
        leverages = self.clearing.margin.leverages
        leverages.chosen.update(choices.leverages)
        leverages.isolated.update(choices.isolated)
        self.pit = Pit(settings, self.clearing, book)
        self.tickets: dict[int, Ticket] = {}
        self.cloids: dict[str, int] = {}
        self.just_filled: list[Ticket] = []
        self.days: dict[int, tuple[Decimal, Decimal]] = {}
        self.held: dict[str, Position] = dict(self.clearing.account.positions)

    def put(self, ticket: Ticket) -> None:
        """Take up a live order."""
        self.tickets[ticket.oid] = ticket
        if ticket.cloid is not None:
            self.cloids[ticket.cloid] = ticket.oid
        if ticket.fee:
            self.clearing.surcharges[str(ticket.oid)] = ticket.fee

    def drop(self, ticket: Ticket) -> None:
        """Leave out an order that has ended."""
        self.tickets.pop(ticket.oid, None)
        self.clearing.surcharges.pop(str(ticket.oid), None)
        if ticket.cloid is not None and self.cloids.get(ticket.cloid) == ticket.oid:
            del self.cloids[ticket.cloid]

    def find(self, key: int | str) -> Ticket | None:
        """Return the live order of an oid or a cloid."""
        oid = self.cloids.get(key) if isinstance(key, str) else key
        return None if oid is None else self.tickets.get(oid)

    def of(self, coin: str) -> list[Ticket]:
        """Return the live orders in a coin, oldest first."""
        return [one for one in self.tickets.values() if one.coin == coin]

    def position(self, symbol: str) -> Position:
        """Return the position in a symbol, as the exchange has it."""
        return self.clearing.account.position(symbol)

    def isolated(self, symbol: str) -> bool:
        """Tell whether a symbol stands isolated."""
        return self.clearing.margin.is_isolated(symbol)

    def positions(self) -> Iterator[Position]:
        """Yield the positions that are not flat."""
        return self.clearing.account.held()

    def leverage(self, instrument: InstrumentUpdate) -> int:
        """Return the leverage chosen for a symbol."""
        return self.clearing.margin.leverages.of(instrument)

    @property
    def traded(self) -> Decimal:
        """Return what was traded since the beginning, in quote currency."""
        return sum((volume for volume, _ in self.days.values()), ZERO)

    def trade(self, notional: Decimal, taken: bool, time: int) -> tuple[int, Decimal, Decimal]:
        """Count a fill at `time` (UTC ns); returns its day and what that has traded and taken."""
        day = time // DAY
        volume, taker = self.days.get(day, (ZERO, ZERO))
        self.days[day] = volume + notional, taker + (notional if taken else ZERO)
        return day, *self.days[day]

    @property
    def allowed(self) -> int:
        """Return how many requests its address may send in all."""
        return FREE_REQUESTS + int(self.traded)
