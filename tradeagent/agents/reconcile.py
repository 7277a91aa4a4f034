"""Reconciliation: the venue's statement against our books, and what follows from a difference."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from tradeagent.agents.blotter import Blotter
from tradeagent.agents.identity import is_ours
from tradeagent.clock import SECOND
from tradeagent.messages import (
    ZERO,
    Incident,
    Message,
    Order,
    OrderStatus,
    OrderUpdate,
    Severity,
    VenueStatement,
)

S = OrderStatus
SIGHTINGS = 3
"""How often a difference must be seen before it is one."""
CENT = Decimal("0.01")
FUNDING_TOLD = 60 * SECOND
"""How long a difference in cash must last to be one, ns."""
FORGOTTEN = 300 * SECOND
"""After how long without another sighting a difference in cash begins anew, ns."""
CASH = "cash"
"""What a difference in the account's cash is kept under; no symbol is written so."""
SHOULD_REST = (S.OPEN, S.PARTIAL, S.PEND_CANCEL, S.PEND_REPLACE)


class ReconcileSettings(BaseModel):
    """How often the venue is compared with our books; seconds of the clock."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    statement_s: float = Field(
        default=10.0,
        gt=0,
        allow_inf_nan=False,
        description="How often a remote venue is asked what the account holds and has at work.",
    )
    audit_s: float = Field(
        default=900.0,
        gt=0,
        allow_inf_nan=False,
        description="How often its fills and funding are read again, for what was never told.",
    )
    quiet_s: float = Field(
        default=3.0,
        ge=0,
        allow_inf_nan=False,
        description="For how long after something happened in a symbol a statement says nothing "
        "about it.",
    )
    again_s: float = Field(
        default=2.0,
        gt=0,
        allow_inf_nan=False,
        description="How soon a difference is looked at again; it counts when seen three times.",
    )


class Seen(NamedTuple):
    """A difference: what it is, how often it was seen, and when statements showed it, UTC ns."""

    what: str
    times: int
    first: int
    asked: int


class Findings(NamedTuple):
    """What a statement comes to: what to say, what to ask about and cancel, whether to look again.

    `adjusted` are symbols whose position the venue states otherwise, with the size and the price
    that it gives.
    """

    said: list[Message]
    asked: list[OrderUpdate]
    orphans: list[Order]
    adjusted: list[tuple[str, Decimal, Decimal]]
    again: bool


class Reconciliation:
    """Compares statements with a blotter; only what persists is a difference.

    An order that a list lacks is asked about, never taken for ended; a position is believed once
    three statements in a row say the same against ours and no fill has come meanwhile. Cash is
    compared with what fills, fees and funding have come to since a statement before.
    """

    def __init__(self, blotter: Blotter, agent: str, settings: ReconcileSettings) -> None:
        """Speak for `agent`."""
        self._blotter = blotter
        self._agent = agent
        self._settings = settings
        self._touched: dict[str, int] = {}
        self._seen: dict[str, Seen] = {}
        self._foreign: set[str] = set()
        self._elsewhere: Decimal | None = None
        """The cash that no fill, fee or funding of ours explains: what was paid in, all told."""

    def touch(self, symbol: str, now: int) -> None:
        """Note that something happened in a symbol at `now` (UTC ns)."""
        self._touched[symbol] = now

    def compare(self, statement: VenueStatement) -> Findings:
        """Return what a statement comes to."""
        findings = Findings([], [], [], [], again=False)
        self._compare_orders(statement, findings)
        again = self._compare_positions(statement, findings)
        if findings.adjusted:
            self._elsewhere = None  # what was taken over has its own price there
        elif not again:
            again = self._compare_cash(statement, findings)
        return findings._replace(again=again)

    def _is_quiet(self, symbol: str, statement: VenueStatement) -> bool:
        """Tell whether the statement is of a time when nothing had happened here for a while."""
        quiet = int(self._settings.quiet_s * SECOND)
        of = min(statement.asked, statement.time)
        return of - self._touched.get(symbol, 0) >= quiet

    def _compare_orders(self, statement: VenueStatement, findings: Findings) -> None:
        stated = {one.cloid: one for one in statement.orders}
        for name, order in stated.items():
            if not is_ours(name):
                self._note_foreign(order, findings)
                continue
            known = self._blotter.orders.get(name)
            if known is None:
                findings.orphans.append(order)
                if name not in self._foreign:
                    self._foreign.add(name)
                    findings.said.append(self._orphan(order))
            elif name not in self._blotter.working and self._is_quiet(order.symbol, statement):
                findings.asked.append(known)
        for name, update in self._blotter.working.items():
            absent = update.status in SHOULD_REST and name not in stated
            if absent and self._is_quiet(update.symbol, statement):
                findings.asked.append(update)
        self._foreign &= stated.keys()

    def _note_foreign(self, order: Order, findings: Findings) -> None:
        if order.cloid in self._foreign:
            return
        self._foreign.add(order.cloid)
        text = f"an order that is not ours rests: {order.side} {order.size:f} {order.symbol}"
        findings.said.append(self._incident("FOREIGN_ORDER", Severity.ERROR, order.symbol, text))

    def _orphan(self, order: Order) -> Incident:
        text = f"{order.cloid} rests at the venue, bears our mark and is not in our books"
        return self._incident("UNKNOWN_ORDER", Severity.CRITICAL, order.symbol, text)

    def _compare_positions(self, statement: VenueStatement, findings: Findings) -> bool:
        stated = {one.symbol: one for one in statement.holdings}
        again = False
        for symbol in sorted({*stated, *self._blotter.books}):
            books = self._blotter.books.get(symbol)
            ours = books.net.size if books is not None else ZERO
            theirs = stated[symbol].size if symbol in stated else ZERO
            if ours == theirs or not self._is_quiet(symbol, statement):
                self._seen.pop(symbol, None)
                continue
            seen = self._sighted(symbol, f"{ours:f} or {theirs:f}", statement.asked)
            if seen.times < SIGHTINGS:
                again = True
                continue
            del self._seen[symbol]
            price = stated[symbol].entry_price if symbol in stated else ZERO
            findings.adjusted.append((symbol, theirs, price))
            text = f"the venue holds {theirs:f} {symbol}, our fills come to {ours:f}"
            findings.said.append(self._incident("POSITION_MISMATCH", Severity.ERROR, symbol, text))
        return again

    def _compare_cash(self, statement: VenueStatement, findings: Findings) -> bool:
        """Compare the account's cash; return whether a difference is to be looked at again."""
        books = self._blotter.books
        if statement.cash is None or not all(self._is_quiet(one, statement) for one in books):
            return False
        elsewhere = statement.cash - sum((one.net.paid for one in books.values()), ZERO)
        known = elsewhere if self._elsewhere is None else self._elsewhere
        change = elsewhere - known
        if abs(change) < CENT:
            self._elsewhere = elsewhere
            self._seen.pop(CASH, None)
            return False
        less = change < 0
        before = self._seen.get(CASH)
        if before is not None and statement.asked - before.asked > FORGOTTEN:
            del self._seen[CASH]
        seen = self._sighted(CASH, "left" if less else "came to", statement.asked)
        if seen.times < SIGHTINGS or seen.asked - seen.first < FUNDING_TOLD:
            return seen.times == 1  # what was paid for funding may be told later than it is taken
        del self._seen[CASH]
        self._elsewhere = elsewhere
        text = f"{abs(change):.2f} {seen.what} the account by no trade of ours"
        severity = Severity.ERROR if less else Severity.WARNING
        findings.said.append(self._incident("CASH_MISMATCH", severity, None, text))
        return False

    def _sighted(self, symbol: str, what: str, asked: int) -> Seen:
        known = self._seen.get(symbol)
        apart = int(self._settings.again_s * SECOND)
        if known is None or known.what != what:
            known = Seen(what, 1, asked, asked)
        elif asked - known.asked >= apart:
            known = known._replace(times=known.times + 1, asked=asked)
        self._seen[symbol] = known
        return known

    def _incident(self, code: str, severity: Severity, symbol: str | None, text: str) -> Incident:
        return Incident(code=code, severity=severity, agent=self._agent, symbol=symbol, text=text)
