"""Twenty days of the demo, one for each seed: it trades, and Risk has something to refuse."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from tests.e2e.daemon import run, summary

KEYS = [
    *("bars", "ticks", "signals", "requests", "approvals", "rejections", "orders", "fills"),
    *("fees", "funding", "realised_pnl", "unrealised_pnl", "start_equity", "end_equity"),
    *("journal_entries", "journal_hash", "state_hash", "seed", "started", "ended"),
]
pytestmark = pytest.mark.timeout(150)
SEEDS = range(1, 21)
AGAIN = 7
"""The seed that runs twice."""

Day = dict[str, object]


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Callable[[], Day]]]:
    """Start the days of all seeds and one again, two at a time; each is waited for when called."""
    folder = tmp_path_factory.mktemp("days")

    def day(number: int, seed: int) -> Day:
        out = folder / f"{number}.json"
        ended = run(
            *("run", "--speed", "max", "--for", "1d", "--seed", str(seed)),
            *("--state", str(folder / str(number)), "--summary", str(out)),
        )
        assert ended.returncode == 0, ended.stderr
        return summary(out)

    pool = ThreadPoolExecutor(2)
    yield [pool.submit(partial(day, *each)).result for each in enumerate((*SEEDS, AGAIN))]
    pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_day_of_any_seed_trades(days: list[Callable[[], Day]], seed: int) -> None:
    """There are signals, approvals and fills; every minute of three symbols closed a candle."""
    day = days[SEEDS.index(seed)]()

    assert day["seed"] == seed
    assert day["bars"] == 3 * 1440
    for count in ("signals", "approvals", "fills"):
        assert day[count], (count, day)


def test_risk_refuses_something_on_nearly_every_day(days: list[Callable[[], Day]]) -> None:
    """At least eighteen of the twenty days have rejections, so the demo shows what Risk does."""
    refused = [day()["rejections"] for day in days[: len(SEEDS)]]

    assert sum(map(bool, refused)) >= 18, refused


def test_one_seed_gives_one_journal(days: list[Callable[[], Day]]) -> None:
    """The same seed twice gives the same summary, hashes and all; no two seeds share a journal."""
    found = [day() for day in days]

    assert found[-1] == found[SEEDS.index(AGAIN)]
    for name in ("journal_hash", "state_hash"):
        assert len({str(day[name]) for day in found}) == len(SEEDS), name
    assert list(found[0]) == KEYS
    assert isinstance(found[0]["fees"], str)
