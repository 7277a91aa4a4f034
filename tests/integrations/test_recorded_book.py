"""Books rebuilt from random streams of changes, against a book kept the plainest way."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.integrations.recordings import MS, faults, feed_of, played, write
from tradeagent.integrations.recorded.book import Ladder
from tradeagent.messages import OrderBookUpdate

HEADER = ("recv_ms", "kind", "side", "price", "size", "last_update_id", "prev_last_update_id")
START = 1_640_995_200_000
Levels = dict[float, float]
Side = tuple[tuple[float, float], ...]
Row = tuple[object, ...]


@dataclass
class Venue:
    """A venue's true book, and the rows a recorder writes down."""

    dice: Random
    bids: Levels = field(default_factory=dict)
    asks: Levels = field(default_factory=dict)
    number: int = 100
    time: int = START
    rows: list[Row] = field(default_factory=list)
    books: list[tuple[int, Side, Side]] = field(default_factory=list)

    def change(self, heard: bool = True) -> None:
        """Change some levels; the recorder may miss the message."""
        self.time += self.dice.randint(0, 3)
        before, self.number = self.number, self.number + self.dice.randint(1, 9)
        for _ in range(self.dice.randint(1, 6)):
            side = self.dice.choice(("bid", "ask"))
            levels, price = self._level(side)
            size = self.dice.choice((0.0, float(self.dice.randint(1, 9))))
            levels[price] = size
            if not size:
                del levels[price]
            if heard:
                self.rows.append((self.time, "update", side, price, size, self.number, before))

    def snapshot(self) -> None:
        """Let the recorder write down the whole book."""
        for side, levels in (("ask", self.asks), ("bid", self.bids)):
            for price, size in levels.items():
                self.rows.append((self.time, "snapshot", side, price, size, self.number, ""))

    def note(self) -> None:
        """Note what a reader must now know."""
        bids = tuple(sorted(self.bids.items(), reverse=True)[:10])
        asks = tuple(sorted(self.asks.items())[:10])
        self.books.append((self.time * MS, bids, asks))

    def _level(self, side: str) -> tuple[Levels, float]:
        if side == "bid":
            return self.bids, 100.0 - self.dice.randint(1, 15)
        return self.asks, 100.0 + self.dice.randint(1, 15)


def book_of(rows: list[Row]) -> tuple[list[tuple[int, Side, Side]], tuple[int, ...]]:
    """Return the books that rows make as plain tuples, and the faults counted."""
    with tempfile.TemporaryDirectory() as folder:
        feed = feed_of(write(Path(folder) / "btc.csv", HEADER, rows))
    books = [
        (time, one.bids, one.asks)
        for time, one in feed.events(0)
        if isinstance(one, OrderBookUpdate) and one.time == time
    ]
    for start in {time for time, _, _ in books}:
        assert list(feed.events(start)) == [event for event in feed.events(0) if event[0] >= start]
    return books, faults(feed.status()[0])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.lists(st.sampled_from("ccccccxs"), max_size=40))
def test_a_book_is_right_or_silent(seed: int, script: list[str]) -> None:
    """While the chain holds the book is the venue's; after a break it waits for a snapshot."""
    venue = Venue(Random(seed))
    for _ in range(10):
        venue.change(heard=False)
    venue.bids[99.0], venue.asks[101.0] = 1.0, 1.0
    venue.snapshot()
    venue.note()
    missed, silent, gaps = False, False, 0
    for word in script:
        if word == "x":
            venue.change(heard=False)
            missed = True
        elif word == "c":
            venue.change()
            gaps += missed and not silent
            silent = silent or missed
            if not silent:
                venue.note()
        elif venue.rows[-1][1] != "snapshot" or venue.rows[-1][5] != venue.number:
            if not (venue.bids or venue.asks):
                venue.bids[99.0] = 1.0
            venue.snapshot()
            missed = silent = False
            venue.note()

    books, found = book_of(venue.rows)

    assert books == venue.books
    assert found == (gaps, 0, 0, 0, 0)


def test_a_late_snapshot_is_brought_up_to_date() -> None:
    """Changes that came before a snapshot and are newer than it are applied on top of it."""
    rows: list[Row] = [
        (START, "update", "bid", 98, 5, 11, 10),
        (START + 1, "update", "bid", 97, 6, 14, 11),
        (START + 2, "update", "ask", 102, 7, 16, 14),
        (START + 3, "snapshot", "bid", 99, 1, 12, ""),
        (START + 3, "snapshot", "ask", 101, 2, 12, ""),
        (START + 4, "update", "bid", 99, 0, 20, 16),
    ]

    books, found = book_of(rows)

    assert books == [
        ((START + 3) * MS, ((99.0, 1.0), (97.0, 6.0)), ((101.0, 2.0), (102.0, 7.0))),
        ((START + 4) * MS, ((97.0, 6.0),), ((101.0, 2.0), (102.0, 7.0))),
    ]
    assert found == (0, 0, 0, 0, 0)


def test_changes_older_than_the_snapshot_change_nothing() -> None:
    """The first change after a snapshot may reach over it; older and repeated ones are skipped."""
    rows: list[Row] = [
        (START, "snapshot", "bid", 99, 1, 12, ""),
        (START, "snapshot", "ask", 101, 2, 12, ""),
        (START + 1, "update", "bid", 99, 9, 11, 10),
        (START + 2, "update", "bid", 99, 3, 14, 11),
        (START + 3, "update", "bid", 99, 4, 15, 14),
        (START + 4, "update", "bid", 99, 3, 14, 11),
        (START + 5, "snapshot", "bid", 90, 1, 13, ""),
    ]

    books, found = book_of(rows)

    assert books == [
        (START * MS, ((99.0, 1.0),), ((101.0, 2.0),)),
        ((START + 2) * MS, ((99.0, 3.0),), ((101.0, 2.0),)),
        ((START + 3) * MS, ((99.0, 4.0),), ((101.0, 2.0),)),
    ]
    assert found == (0, 0, 1, 0, 0)


def test_a_broken_chain_in_the_backlog_waits_too() -> None:
    """A snapshot is published as it is, but a hole in the changes after it silences the book."""
    rows: list[Row] = [
        (START, "update", "bid", 98, 5, 14, 11),
        (START + 1, "update", "bid", 97, 6, 20, 18),
        (START + 2, "snapshot", "bid", 99, 1, 12, ""),
        (START + 3, "update", "bid", 96, 6, 21, 20),
        (START + 4, "snapshot", "bid", 95, 1, 19, ""),
    ]

    books, found = book_of(rows)

    assert books == [
        ((START + 2) * MS, ((99.0, 1.0), (98.0, 5.0)), ()),
        ((START + 4) * MS, ((97.0, 6.0), (96.0, 6.0), (95.0, 1.0)), ()),
    ]
    assert found == (1, 0, 0, 0, 0)


def test_the_change_that_broke_the_chain_is_not_lost() -> None:
    """A snapshot from between the hole and the change that showed it takes that change on top."""
    rows: list[Row] = [
        (START, "snapshot", "bid", 99, 1, 12, ""),
        (START + 1, "update", "bid", 98, 5, 15, 14),
        (START + 2, "snapshot", "bid", 97, 1, 14, ""),
        (START + 3, "update", "bid", 96, 6, 16, 15),
    ]

    books, found = book_of(rows)

    assert books == [
        (START * MS, ((99.0, 1.0),), ()),
        ((START + 2) * MS, ((98.0, 5.0), (97.0, 1.0)), ()),
        ((START + 3) * MS, ((98.0, 5.0), (97.0, 1.0), (96.0, 6.0)), ()),
    ]
    assert found == (1, 0, 0, 0, 0)


def test_a_clock_that_goes_back_does_not_reorder_a_book() -> None:
    """The venue's numbers decide; a receive time that goes back plays at the one before it."""
    rows: list[Row] = [
        (START + 5, "snapshot", "bid", 99, 1, 12, ""),
        (START + 3, "update", "bid", 99, 3, 14, 12),
        (START + 6, "update", "bid", 99, 4, 15, 14),
    ]

    books, found = book_of(rows)

    assert [(time // MS - START, bids) for time, bids, _ in books] == [
        (5, ((99.0, 1.0),)),
        (5, ((99.0, 3.0),)),
        (6, ((99.0, 4.0),)),
    ]
    assert found == (0, 0, 0, 1, 0)


def test_snapshots_of_one_instant_stay_apart(tmp_path: Path) -> None:
    """Level 0 of the first side begins a new snapshot, also in interleaved order."""
    header = ("time_ms", "side", "level", "price", "size")
    rows = [
        (START, "bid", 0, 99, 1),
        (START, "ask", 0, 101, 1),
        (START, "bid", 1, 98, 1),
        (START, "bid", 0, 97, 2),
        (START, "ask", 0, 102, 2),
        (START + 1, "ask", 0, 103, 3),
    ]

    books = played(feed_of(write(tmp_path / "btc.csv", header, rows)))

    assert [(one.bids, one.asks) for _, one in books if isinstance(one, OrderBookUpdate)] == [
        (((99.0, 1.0), (98.0, 1.0)), ((101.0, 1.0),)),
        (((97.0, 2.0),), ((102.0, 2.0),)),
        ((), ((103.0, 3.0),)),
    ]


@given(st.lists(st.tuples(st.integers(1, 30), st.integers(0, 3))))
def test_a_ladder_is_a_sorted_dict(changes: list[tuple[int, int]]) -> None:
    """Both ends of a ladder are those of the levels sorted anew."""
    ladder, levels = Ladder(), dict[float, float]()
    for price, size in changes:
        ladder.put(float(price), float(size))
        levels[float(price)] = float(size)
    rest = sorted((price, size) for price, size in levels.items() if size)

    assert ladder.lowest() == tuple(rest[:10])
    assert ladder.highest() == tuple(rest[::-1][:10])
