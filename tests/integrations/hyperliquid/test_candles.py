"""Candles are closed once, in order and whole, whatever stream and answers do."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tradeagent.integrations.hyperliquid.answers import Candle
from tradeagent.integrations.hyperliquid.candles import CandleSeries
from tradeagent.messages import MarketData

MINUTE = 60_000
DAY = 1440 * MINUTE
START = 1_800_000_000_000 // MINUTE * MINUTE
SETTLED = 2_000


def candle(number: int, trades: int = 9, close: str = "2.0") -> Candle:
    """Return the candle of one minute after the start."""
    opened = START + number * MINUTE
    return Candle.model_validate(
        {
            "t": opened,
            "T": opened + MINUTE - 1,
            "s": "BTC",
            "i": "1m",
            "o": "1.0",
            "h": "3.0",
            "l": "0.5",
            "c": close,
            "v": "10.0",
            "n": trades,
        }
    )


def series() -> CandleSeries:
    """Return a series whose first candle is the one of the first minute."""
    return CandleSeries("1m", (START + MINUTE) * 1_000_000, SETTLED)


def at(number: float) -> int:
    """Return the time so many minutes after the start, ms."""
    return START + int(number * MINUTE)


def opened(bars: list[MarketData]) -> list[int]:
    """Return the minutes that bars begin."""
    return [(bar.time // 1_000_000 - START) // MINUTE for bar in bars]


def test_a_candle_closes_when_the_next_one_begins() -> None:
    """Its last version is delivered, once."""
    one = series()

    assert one.take(candle(0, 1)) == []
    assert one.take(candle(0, 5, "2.5")) == []
    (bar,) = one.take(candle(1, 1))
    assert (bar.close, bar.volume, opened([bar])) == (2.5, 10.0, [0])
    assert one.take(candle(0, 6)) == []
    assert opened(one.take(candle(2))) == [1]
    assert one.tally.rows == 2


def test_an_older_version_is_left_out() -> None:
    """Where the line turns two messages round, the one with more trades counts."""
    one = series()
    one.take(candle(0, 5, "2.5"))
    one.take(candle(0, 4, "2.4"))
    (bar,) = one.take(candle(1))

    assert bar.close == 2.5
    assert one.tally.disordered == 1


def test_a_silent_close_is_asked_for() -> None:
    """Two seconds after the close, when nothing has begun, the venue's own time closes it."""
    one = series()
    one.take(candle(0))

    assert not one.wants(at(1) + SETTLED - 1)
    assert one.wants(at(1) + SETTLED)
    assert one.fill([candle(0, 8)], at(2)) == []  # the stream has shown more trades
    assert one.fill([candle(0)], at(1) - 30_000) == []  # the node lags
    assert one.blocks(at(1) + SETTLED)
    assert opened(one.fill([candle(0)], at(1) + SETTLED)) == [0]
    assert not one.wants(at(1) + SETTLED)


def test_what_was_missed_comes_before_what_is_later() -> None:
    """After a cut the stream goes on three minutes later: the gap is asked for first."""
    one = series()
    one.take(candle(0))
    one.cut()
    assert one.take(candle(3, 1)) == []

    assert one.skips
    assert one.blocks(at(3))
    assert opened(one.fill([candle(i) for i in range(3)] + [candle(3, 1)], at(3))) == [0, 1, 2]
    assert not one.blocks(at(3.1))
    assert opened(one.take(candle(4))) == [3]


def test_a_candle_that_does_not_exist_is_counted_once_a_later_one_does() -> None:
    """Without trades there may be none: nothing waits for it, and later it is a gap."""
    one = series()
    assert one.fill([], at(1.5)) == []
    assert one.wants(at(1.5))
    assert not one.blocks(at(1.5))

    assert opened(one.fill([candle(2), candle(3, 1)], at(3.2))) == [2]
    assert (one.tally.gaps, one.tally.missing) == (1, 2)


def test_one_that_does_not_exist_holds_up_nothing() -> None:
    """A later one in the answer proves it, one that has only begun no less than a closed one."""
    one = series()
    one.take(candle(1))
    assert one.blocks(at(1.1))

    assert one.fill([candle(1)], at(1.1)) == []
    assert not one.blocks(at(1.1))
    assert (one.tally.gaps, one.tally.missing) == (1, 1)
    assert opened(one.take(candle(2))) == [1]


def test_weeks_begin_on_monday() -> None:
    """The week that is under way when it starts is the first to be closed."""
    monday = 1_800_000_000_000 // (7 * DAY) * 7 * DAY + 4 * DAY
    one = CandleSeries("1w", (monday + DAY) * 1_000_000, SETTLED)

    assert one.next == monday
    assert CandleSeries("1w", monday * 1_000_000, SETTLED).next == monday - 7 * DAY


def test_a_candle_that_is_none_is_left_out() -> None:
    """A price of zero stops at the border and is counted."""
    one = series()
    one.take(candle(0, close="0.0"))

    assert one.take(candle(1)) == []
    assert one.tally.malformed == 1
    assert opened(one.take(candle(2))) == [1]


@given(st.lists(st.tuples(st.integers(0, 7), st.integers(1, 9), st.booleans()), max_size=60))
def test_they_close_once_and_in_order(told: list[tuple[int, int, bool]]) -> None:
    """Any stream, cut anywhere, with any answers: no candle twice, none before an earlier one."""
    one = series()
    closed: list[int] = []
    now = 0
    for number, trades, cut in told:
        now = max(now, number)
        if cut:
            one.cut()
        closed += opened(one.take(candle(number, trades)))
        if one.wants(at(now + 0.5)):
            closed += opened(one.fill([candle(i) for i in range(now + 1)], at(now + 0.5)))

    assert closed == sorted(set(closed))
    assert closed == list(range(len(closed)))
