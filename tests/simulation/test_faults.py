"""What goes wrong with a generated market on purpose, and that nothing else changes with it."""

from __future__ import annotations

from itertools import pairwise

from tradeagent.integrations.base import MarketEvent
from tradeagent.messages import TIMEFRAMES, MarketData, OrderBookUpdate, TickerUpdate
from tradeagent.simulation import GeneratedMarket, MarketSettings
from tradeagent.simulation.faults import LONGEST
from tradeagent.simulation.path import DAY, FIRST_DAY
from tradeagent.simulation.settings import LISTINGS

SECOND = 1_000_000_000
MINUTE = 60 * SECOND
START = FIRST_DAY * DAY


def market(**changes: object) -> GeneratedMarket:
    """Return a market of BTC alone."""
    return GeneratedMarket(
        MarketSettings.model_validate(
            {"listings": LISTINGS[:1], "timeframes": ["1m", "1h"]} | changes
        )
    )


def span(feed: GeneratedMarket, start: int, end: int) -> list[tuple[int, MarketEvent]]:
    """Return the events from `start` up to, not including, `end`."""
    found: list[tuple[int, MarketEvent]] = []
    for event in feed.events(start):
        if event[0] >= end:
            return found
        found.append(event)
    raise AssertionError("a generated market has no end")


def only(events: list[tuple[int, MarketEvent]], kind: type) -> list[tuple[int, MarketEvent]]:
    """Return the events of one class."""
    return [event for event in events if type(event[1]) is kind]


def test_a_halt_shows_nothing_and_hides_nothing_else() -> None:
    """In a halt there are no ticks, books or minutes; every event outside of it is as without."""
    halting = market(halt_chance=0.2, timeframes=["1m"])
    halted = halting._faults("BTC", FIRST_DAY).halted
    whole = span(market(timeframes=["1m"]), START + MINUTE, START + DAY // 2)

    def stands(event: MarketEvent) -> bool:
        assert isinstance(event, TickerUpdate | OrderBookUpdate | MarketData)
        return (event.time - START) // MINUTE not in halted

    assert 0 < len(halted) < 24 * (LONGEST + 1)
    assert span(halting, START + MINUTE, START + DAY // 2) == [e for e in whole if stands(e[1])]


def test_candles_around_a_halt_are_made_of_what_was_traded() -> None:
    """An hour with a halt in it has the extremes and volume of its other minutes only."""
    halting = market(halt_chance=0.3)
    halted = halting._faults("BTC", FIRST_DAY).halted
    seen = 0
    for hour in halting.history("BTC", "1h", START + DAY, 24):
        first = (hour.time - START) // MINUTE
        count = sum(1 for minute in range(first, first + 60) if minute in halted)
        parts = halting.history("BTC", "1m", hour.close_time, 60)
        assert len(parts) == 60 - count
        assert (hour.high, hour.low) == (max(p.high for p in parts), min(p.low for p in parts))
        assert (hour.open, hour.close) == (parts[0].open, parts[-1].close)
        assert abs(hour.volume - sum(p.volume for p in parts)) < 1e-6
        seen += bool(count)
    assert seen


def test_a_gap_leaves_out_candles_of_the_stream_alone() -> None:
    """Left-out candles are in the history, and ticks go on."""
    calm = span(market(tick_seconds=60), START + MINUTE, START + DAY)
    gaps = market(tick_seconds=60, gap_chance=0.05)
    broken = iter(span(gaps, START + MINUTE, START + DAY))

    missing, shown = [], next(broken)
    for event in calm:
        if event == shown:
            shown = next(broken, shown)
        else:
            missing.append(event)
    assert {type(event[1]) for event in missing} == {MarketData}
    assert 0.02 < len(missing) / 1440 < 0.08
    assert gaps.history("BTC", "1m", START + DAY, 1440) == market(tick_seconds=60).history(
        "BTC", "1m", START + DAY, 1440
    )


def test_a_bad_tick_is_far_off_but_for_its_mark() -> None:
    """Bad ticks show another touch and last; marks, books, candles and other ticks are the same."""
    calm = span(market(), START, START + DAY // 4)
    broken = span(market(bad_tick_chance=0.01), START, START + DAY // 4)

    assert len(calm) == len(broken)
    changed = [(a, b) for (_, a), (_, b) in zip(calm, broken, strict=True) if a != b]
    assert 0.005 < len(changed) / len(only(calm, TickerUpdate)) < 0.02
    for right, wrong in changed:
        assert isinstance(right, TickerUpdate)
        assert isinstance(wrong, TickerUpdate)
        assert wrong.mark == right.mark
        assert wrong.bid < wrong.ask
        assert abs(wrong.last / right.last - 1) > 0.08


def test_faults_are_the_same_wherever_one_begins() -> None:
    """A market that starts in the middle shows the same halts, gaps and bad ticks."""
    wrong = {"halt_chance": 0.2, "gap_chance": 0.05, "bad_tick_chance": 0.01}
    whole = span(market(**wrong), START, START + DAY // 2)
    middle = START + DAY // 4

    assert span(market(**wrong), middle, START + DAY // 2) == [e for e in whole if e[0] >= middle]
    other = span(market(seed=2, **wrong), START, START + DAY // 2)
    assert [e[0] for e in other] != [e[0] for e in whole]


def test_funding_is_drawn_by_the_hour_on_both_sides_of_zero() -> None:
    """Each hour has one rate, near the usual one on average; 0 is none at all."""
    hours = 24 * 30
    feed = market(tick_seconds=60)
    rates = [feed._session("BTC", FIRST_DAY + n // 24).rates[n % 24] for n in range(hours)]
    ticks = [tick for _, tick in only(span(feed, START, START + DAY // 8), TickerUpdate)]

    assert 0 < sum(rates) / hours < 2 * 0.0000125
    assert min(rates) < 0
    for before, after in pairwise(ticks):
        assert isinstance(before, TickerUpdate)
        assert isinstance(after, TickerUpdate)
        hour = TIMEFRAMES["1h"]
        assert before.funding == after.funding or before.time // hour != after.time // hour
    none = market(funding=0.0)
    assert set(none._session("BTC", FIRST_DAY).rates) == {0.0}
