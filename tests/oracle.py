"""An account worked out anew from what happened; it imports nothing of the package, on purpose."""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

ZERO = Decimal(0)


@dataclass
class Account:
    """Cash and positions after every fill and funding payment of a journal."""

    cash: Decimal
    fees: Decimal = ZERO
    funding: Decimal = ZERO
    sizes: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    marks: dict[str, Decimal] = field(default_factory=dict)

    def equity(self, marks: Mapping[str, Decimal] | None = None) -> Decimal:
        """Return cash plus what the positions are worth, at `marks` or the last told."""
        known = {**self.marks, **(marks or {})}
        return self.cash + sum(
            (size * known[symbol] for symbol, size in self.sizes.items() if size), ZERO
        )


def account(journal: Path, deposit: Decimal) -> Account:
    """Return the account that `deposit` became by the fills and payments in a journal file."""
    found = Account(deposit)
    database = sqlite3.connect(f"file:{journal}?mode=ro", uri=True)
    rows = database.execute(
        "SELECT type, payload FROM journal WHERE type IN"
        " ('FILL', 'FUNDING_PAYMENT', 'TICKER_UPDATE', 'MARKET_DATA') ORDER BY seq"
    )
    booked: set[tuple[str, str]] = set()
    paid: set[str] = set()
    quoted: set[str] = set()
    for kind, payload in rows:
        said = json.loads(payload)
        symbol = said["symbol"]
        if kind == "FILL":
            name = (said["cloid"], said["tid"])
            assert name not in booked, f"{name} is booked twice"
            booked.add(name)
            size = Decimal(said["size"]) * (1 if said["side"] == "buy" else -1)
            found.sizes[symbol] += size
            found.cash -= size * Decimal(said["price"]) + Decimal(said["fee"])
            found.fees += Decimal(said["fee"])
        elif kind == "FUNDING_PAYMENT":
            if said["tid"] in paid:  # told again after a restart
                continue
            paid.add(said["tid"])
            found.cash -= Decimal(said["payment"])
            found.funding += Decimal(said["payment"])
        elif kind == "TICKER_UPDATE":
            quoted.add(symbol)
            mark = said.get("mark") or (said["bid"] + said["ask"]) / 2
            found.marks[symbol] = Decimal(repr(mark))
        elif symbol not in quoted:
            found.marks[symbol] = Decimal(repr(said["close"]))
    database.close()
    return found


@dataclass
class Shown:
    """What the daemon itself shows of one symbol, whole and as the sum over its strategies."""

    size: Decimal
    parts_size: Decimal
    costs: Decimal
    parts_costs: Decimal
    profit: Decimal
    parts_profit: Decimal


def shown(journal: Path, marks: Mapping[str, Decimal]) -> dict[str, Shown]:
    """Return what the positions table shows, profit at `marks`, before costs."""
    database = sqlite3.connect(f"file:{journal}?mode=ro", uri=True)
    found = {}
    for (payload,) in database.execute("SELECT payload FROM positions"):
        held = json.loads(payload)
        parts, mark = held["parts"], marks.get(held["symbol"], ZERO)
        found[held["symbol"]] = Shown(
            size=Decimal(held["size"]),
            parts_size=sum((Decimal(part["size"]) for part in parts), ZERO),
            costs=_costs(held),
            parts_costs=sum((_costs(part) for part in parts), ZERO),
            profit=_profit(held, mark),
            parts_profit=sum((_profit(part, mark) for part in parts), ZERO),
        )
    database.close()
    return found


def _costs(held: Mapping[str, str]) -> Decimal:
    return Decimal(held["fees"]) + Decimal(held["funding"])


def _profit(held: Mapping[str, str], mark: Decimal) -> Decimal:
    open_profit = Decimal(held["size"]) * (mark - Decimal(held["entry_price"]))
    return Decimal(held["realised_pnl"]) + open_profit
