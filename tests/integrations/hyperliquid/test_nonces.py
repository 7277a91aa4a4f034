"""No nonce is given twice, whatever clock, threads and crashes do."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.integrations.hyperliquid.clocks import SetClock
from tradeagent.clock import MILLISECOND, SECOND
from tradeagent.errors import StateError, VenueUnavailable
from tradeagent.integrations.hyperliquid.nonces import BLOCK, Nonces
from tradeagent.integrations.hyperliquid.timing import VenueTime


def opened(clock: SetClock, path: Path | None = None) -> Nonces:
    """Return nonces on a clock that agrees with the venue's."""
    nonces = Nonces(clock, VenueTime(clock), path)
    nonces.open()
    return nonces


def test_ten_thousand_at_once_are_all_different() -> None:
    """However many ask at once, each gets a number of its own, in rising order for each."""
    nonces = opened(SetClock())

    with ThreadPoolExecutor(8) as pool:
        given_out = list(pool.map(lambda _: [nonces.next() for _ in range(1250)], range(8)))

    assert len({nonce for each in given_out for nonce in each}) == 10_000
    assert all(each == sorted(each) for each in given_out)


@given(st.lists(st.integers(-5_000, 5_000), max_size=30))
def test_they_rise_whatever_the_clock_does(steps: list[int]) -> None:
    """A clock that goes back gives no smaller number, one that goes on gives its milliseconds."""
    clock = SetClock()
    nonces = opened(clock)
    last = nonces.next()
    for step in steps:
        clock.time += step * MILLISECOND
        nonce = nonces.next()
        assert nonce > last
        assert nonce >= clock.time // MILLISECOND
        last = nonce


def test_nothing_comes_again_after_a_crash(tmp_path: Path) -> None:
    """A run on the file of a killed one gives higher numbers, even with the clock set back."""
    clock = SetClock()
    first = opened(clock, tmp_path / "nonces")
    used = [first.next() for _ in range(50)]
    clock.time -= 30 * SECOND
    again = opened(clock, tmp_path / "nonces")

    assert again.next() > max(used)
    first.close()
    again.close()


def test_the_file_is_written_once_a_second_at_most(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten thousand orders in ten seconds cost about ten writes to the disk."""
    written = []
    sync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda file: (written.append(file), sync(file)))
    clock = SetClock()
    nonces = opened(clock, tmp_path / "nonces")
    for _ in range(10_000):
        clock.time += MILLISECOND
        nonces.next()

    assert len(written) <= 10_000 // BLOCK + 1
    nonces.close()


def test_a_full_disk_keeps_no_number_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the file cannot be written, cancels still get their numbers."""

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    nonces = opened(SetClock(), tmp_path / "nonces")
    monkeypatch.setattr(os, "pwrite", full)

    assert nonces.next() < nonces.next()
    nonces.close()


def test_a_clock_far_ahead_of_the_venue_bars_nothing() -> None:
    """An hour's step of the clock keeps no cancel in: the venue's time counts, then and after."""
    clock = SetClock()
    time = VenueTime(clock)
    venue = clock.now() // MILLISECOND - 3_600_000
    time.sight(venue)
    nonces = Nonces(clock, time, None)

    assert nonces.next() == venue
    assert nonces.next() == venue + 1


def test_a_number_far_ahead_of_the_venue_is_not_given(tmp_path: Path) -> None:
    """A number more than a minute ahead of the venue's time would bar all that come after."""
    clock = SetClock()
    (tmp_path / "nonces").write_text(f"{clock.now() // MILLISECOND + 61_000:020d}\n")
    nonces = opened(clock, tmp_path / "nonces")

    with pytest.raises(VenueUnavailable, match="NONCE"):
        nonces.next()
    nonces.close()


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """A damaged or impossible file stops the start with its name and a remedy."""
    (tmp_path / "nonces").write_text("not a number")

    with pytest.raises(StateError, match=r"nonces: holds no number; move it away"):
        opened(SetClock(), tmp_path / "nonces")
    with pytest.raises(StateError, match="cannot be opened"):
        opened(SetClock(), tmp_path)
