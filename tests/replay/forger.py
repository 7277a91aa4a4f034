"""One who rewrites a journal and mends its hash chain, so that only the content can betray it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

from tests.replay.house import query
from tradeagent.messages import Attendance

REFERENCES = ("waiting", "failed", "restored")
"""Where an ATTENDANCE names rows."""


@dataclass(frozen=True)
class Row:
    """A row of a journal; `was` is the number it had, 0 if it was made up."""

    seq: int
    ts: int
    type: str
    source: str
    epoch: int
    cause: int
    trace: int
    derived: int
    body: bytes
    wire_id: str | None = None
    was: int = field(default=0, compare=False)

    @property
    def told(self) -> dict[str, Any]:
        """Return the payload."""
        found: dict[str, Any] = json.loads(self.body)
        return found

    def telling(self, **changes: object) -> Row:
        """Return the row with another payload."""
        told = {**self.told, **changes}
        return replace(self, body=json.dumps(told, separators=(",", ":")).encode())


def read(state: Path) -> list[Row]:
    """Return the rows of a journal."""
    cells = "seq, ts, type, source, epoch, cause, trace, derived, payload, wire_id, seq"
    found: list[Any] = query(state, f"SELECT {cells} FROM journal ORDER BY seq")
    return [Row(*row) for row in found]


def write(state: Path, rows: Iterable[Row]) -> None:
    """Put rows in place of a journal's, chained anew."""
    previous, cells = bytes(32), []
    last = Row(0, 0, "", "", 0, 0, 0, 0, b"")
    for last in rows:
        place = (last.seq, last.ts, last.epoch, last.cause, last.trace, last.derived, last.type)
        head = f"{'|'.join(map(str, place))}|{len(last.source)}|{last.source}|"
        digest = sha256(previous + head.encode() + last.body).digest()
        told = (last.seq, last.ts, last.type, last.source, last.epoch, last.cause, last.trace)
        cells.append((*told, last.derived, last.wire_id, last.body, previous, digest))
        previous = digest
    noted = json.dumps([last.seq, last.ts, previous.hex(), len(cells)])
    with closing(sqlite3.connect(state / "journal.db")) as writer:
        writer.execute("DELETE FROM journal")
        writer.executemany(f"INSERT INTO journal VALUES ({', '.join('?' * 12)})", cells)
        told = "UPDATE runtime_state SET value = ? WHERE type = 'STORE' AND name = 'head'"
        writer.execute(told, (noted,))
        writer.commit()


def renumbered(rows: list[Row]) -> list[Row]:
    """Number rows by their order, and whatever names one of them likewise.

    A row keeps its number where there is room for it.
    """
    seq, new = 0, {0: 0}
    placed = []
    highest = max(row.was for row in rows)
    for row in rows:
        seq = max(seq + 1, min(row.was or 1, highest))
        new.setdefault(row.was, seq)
        placed.append(replace(row, seq=seq))
    mended = []
    for row in placed:
        cause, trace = new.get(row.cause, row.cause), new.get(row.trace, row.trace)
        row = replace(row, cause=cause, trace=trace)
        if row.type == Attendance.wire:
            named = {name: row.told[name] for name in REFERENCES if row.told[name]}
            row = row.telling(**{name: new.get(seq, seq) for name, seq in named.items()})
        mended.append(row)
    return mended


@dataclass
class Forgery:
    """A journal with one lie in it, at row `seq`."""

    rows: list[Row]
    seq: int
    what: str


def _derived(rows: list[Row], chosen: Random) -> int:
    return chosen.choice([at for at, row in enumerate(rows) if row.derived])


def drop(rows: list[Row], chosen: Random) -> Forgery:
    """Leave a decision out."""
    at = _derived(rows, chosen)
    return Forgery(rows[:at] + rows[at + 1 :], rows[at].seq, "drop")


def swap(rows: list[Row], chosen: Random) -> Forgery:
    """Let two decisions, or a decision and what came next, change places."""
    at = _derived(rows, chosen)
    others = [
        index
        for index in range(max(1, at - 8), min(len(rows), at + 9))
        if index != at and (rows[index].derived or index == at + 1)
    ]
    if not others:
        return drop(rows, chosen)
    low, high = sorted((at, chosen.choice(others)))
    forged = list(rows)
    here, there = rows[low], rows[high]
    forged[low] = replace(there, ts=here.ts)
    forged[high] = replace(here, ts=there.ts)
    numbers = {here.was: there.was, there.was: here.was}
    forged = [
        replace(
            row,
            was=numbers.get(row.was, row.was),
            cause=numbers.get(row.cause, row.cause),
            trace=numbers.get(row.trace, row.trace),
        )
        for row in forged
    ]
    return Forgery(renumbered(forged), here.seq, f"swap {here.seq} {there.seq}")


def move(rows: list[Row], chosen: Random) -> Forgery:
    """Let a decision come later, behind at least one input."""
    at = _derived(rows, chosen)
    inputs = [index for index in range(at + 1, len(rows)) if not rows[index].derived]
    if not inputs:
        return drop(rows, chosen)
    to = chosen.choice(inputs[:3])
    moved = replace(rows[at], ts=rows[to].ts)
    forged = [*rows[:at], *rows[at + 1 : to + 1], moved, *rows[to + 1 :]]
    numbers = [row.was for row in rows]
    new = {row.was: number for row, number in zip(forged, numbers, strict=True)}
    forged = [
        replace(row, was=new[row.was], cause=new.get(row.cause, row.cause),
                trace=new.get(row.trace, row.trace))
        for row in forged
    ]  # fmt: skip
    return Forgery(renumbered(forged), rows[at].seq, f"move {rows[at].seq} behind {rows[to].seq}")


def change(rows: list[Row], chosen: Random, *, exact: bool) -> Forgery:
    """Change one field of a decision; beside a live clock, a time only to an impossible one."""
    at = _derived(rows, chosen)
    row = rows[at]
    names = ("ts", "type", "source", "epoch", "cause", "trace", "derived", "body")
    name = chosen.choice(names)
    if name == "body":
        told = row.told
        key = chosen.choice(list(told))
        forged = row.telling(**{key: _other(told[key], chosen)})
    elif name == "ts":
        shift = chosen.choice((1, 10**6, 10**9, 10**12))
        base = row.ts if exact else rows[at - 1].ts
        if at + 1 < len(rows) and chosen.random() < 0.5:
            forged = replace(row, ts=(row.ts if exact else rows[at + 1].ts) + shift)
        else:
            forged = replace(row, ts=base - shift)
    elif name == "type":
        forged = replace(row, type=chosen.choice([t for t in ("FILL", "TIMER") if t != row.type]))
    elif name == "source":
        forged = replace(row, source=chosen.choice([one for one in SOURCES if one != row.source]))
    elif name == "derived":
        forged = replace(row, derived=0)
    else:
        value = getattr(row, name)
        forged = replace(row, **{name: value + chosen.choice((-1, 1, 7))})
    return Forgery([*rows[:at], forged, *rows[at + 1 :]], row.seq, f"{name} of {row.seq}")


SOURCES = ("data", "analysis", "trading", "risk", "execution", "operator", "nobody")


def _other(value: object, chosen: Random) -> object:
    match value:
        case bool():
            return not value
        case int() | float():
            return value + chosen.choice((1, 2))
        case str():
            try:
                return str(float(value) + 1)
            except ValueError:
                return value + "x"
        case None:
            return 1
        case list():
            return [*value, *value[:1]] if value else [1]
        case _:
            return {"x": 1}


def insert(rows: list[Row], chosen: Random) -> Forgery:
    """Put in a decision as one was made elsewhere."""
    like, at = rows[_derived(rows, chosen)], chosen.randrange(1, len(rows))
    cause = rows[at - 1]
    made = replace(like, ts=cause.ts, cause=cause.was, trace=cause.trace, was=0)
    return Forgery(renumbered([*rows[:at], made, *rows[at:]]), cause.seq + 1, "insert")


def repeat(rows: list[Row], chosen: Random) -> Forgery:
    """Put a decision in twice, at once or a little later."""
    at = _derived(rows, chosen)
    to = min(len(rows), at + chosen.choice((1, 1, 2, 5)))
    made = replace(rows[at], ts=rows[to - 1].ts, was=0)
    return Forgery(renumbered([*rows[:to], made, *rows[to:]]), rows[to - 1].seq + 1, "repeat")


def attend(rows: list[Row], chosen: Random, *, exact: bool) -> Forgery:
    """Let an agent come, fail or go; that one goes down and nothing more is an input if `exact`
    does not hold, for an operation of it may have failed."""
    at = chosen.randrange(len(rows) // 4, len(rows))
    before = rows[at - 1]
    told = chosen.choice(
        [
            {"state": "down", "failed": before.was, "waiting": 0},
            {"state": "down", "failed": rows[at - 7].was, "waiting": rows[at - 7].was},
            {"state": "up"},
            {"state": "up", "restored": before.was},
            {"state": "gone"},
            {"state": "down", "waiting": before.was},
            *([{"state": "down"}, {"state": "down", "failed": before.was, "waiting": before.was}]
              if exact else []),
        ]
    )  # fmt: skip
    agent = chosen.choice(("data", "analysis", "trading", "risk", "execution", "compliance"))
    body = Attendance(agent=agent, **told).model_dump_json().encode()  # type: ignore[arg-type]
    source = "bus" if told["state"] == "up" else "supervisor"
    epoch = rows[-1].epoch
    made = Row(0, before.ts, Attendance.wire, source, epoch, 0, -1, 0, body)
    forged = renumbered([*rows[:at], made, *rows[at:]])
    forged[at] = replace(forged[at], trace=forged[at].seq)
    return Forgery(forged, before.seq + 1, f"{agent} {told}")


def forgeries(*, exact: bool) -> list[Callable[[list[Row], Random], Forgery]]:
    """Return every way to forge a run, under a simulated clock (`exact`) or another."""
    return [
        drop,
        swap,
        move,
        lambda rows, chosen: change(rows, chosen, exact=exact),
        insert,
        repeat,
        lambda rows, chosen: attend(rows, chosen, exact=exact),
    ]
