"""Each warning is given where it is deserved, in words, and nowhere else."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from tests.quant.curves import curve, trades, walk
from tests.research.runs import origin
from tradeagent.quant.curve import DAY
from tradeagent.quant.luck import Trials
from tradeagent.quant.metrics import Metrics
from tradeagent.quant.performance import measure
from tradeagent.research.cautions import CAUTIONS, cautions

DOCS = Path(__file__).parents[2] / "docs"
SOUND = Metrics(
    start_equity=10_000,
    end_equity=13_000,
    profit=3_000,
    open_profit=0,
    total_return=0.3,
    duration=400 * 86_400,
    days=400,
    max_drawdown=0.1,
    longest_underwater=40 * 86_400,
    sharpe=2.4,
    psr=0.99,
    minimum_track_record=200 * 86_400,
    skew=0,
    kurtosis=3,
    trades=400,
    open_trades=0,
    carried_by=100,
    rejected=0,
    orders=900,
    unfilled=0,
    traded=1e6,
    fees=450,
    breakeven_cost=0.003,
    market_change=0.1,
    excess_return=0.2,
)
BOOK = origin(fills="book")


def test_a_sound_result_has_no_warning() -> None:
    """What deserves none gets none."""
    assert cautions(SOUND, BOOK) == ()
    assert cautions(SOUND, BOOK, Trials(1, 0.1)) == ()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"end_equity": -5}, "The account was lost: it ended with -5.00."),
        ({"trades": 0}, "Nothing was traded"),
        ({"psr": 0.4, "minimum_track_record": None}, "no sign of an edge"),
        (
            {"psr": 0.71},
            "above 0 is 71.00 %: this may be luck; at this rate it takes 200 d to be 95 % sure",
        ),
        (
            {"duration": 31 * 86_400, "days": 31, "longest_underwater": 0},
            "It covers 31 d of one market",
        ),
        ({"duration": 3_600, "days": 1, "longest_underwater": 0}, "less than two days"),
        ({"trades": 12}, "12 closed trades are too few"),
        ({"trades": 1}, "1 closed trade is too few"),
        ({"carried_by": 3}, "Without the 3 best of 400 trades there would be no profit"),
        ({"carried_by": 1}, "Without the best one of 400 trades"),
        ({"breakeven_cost": 0.00013}, "A further cost of 1.3 basis points a fill"),
        ({"fees": 0}, "No fees were charged"),
        ({"open_trades": 2, "open_profit": 7}, "2 positions are still open: 7.00 of the profit"),
        ({"max_drawdown": 0.6}, "At its worst 60.00 % of the account was gone"),
        ({"longest_underwater": 300 * 86_400}, "below a former peak for 300 d on end, of 400 d"),
        ({"excess_return": -0.1, "market_change": 0.4}, "Buying and holding made more: 40.00 %"),
        ({"rejected": 101}, "Rules or the venue refused 101 of 1,001 orders"),
        ({"rejected": 1, "orders": 0}, "Rules or the venue refused 1 of 1 order:"),
        ({"unfilled": 90}, "Of 900 orders 90 to enter ended without any fill"),
    ],
)
def test_each_warning_says_what_it_saw(changes: dict[str, float | None], said: str) -> None:
    """One change of a sound result gives that one warning."""
    found = cautions(SOUND.model_copy(update=changes), BOOK)

    assert any(said in one for one in found), found
    assert len(found) == 1


def test_a_few_orders_that_come_to_nothing_are_no_warning() -> None:
    """Refused are counted against all that were asked for; two unfilled are few of however many."""
    refused = {"rejected": 100}
    vain = {"unfilled": 2, "orders": 4}

    for changes in (refused, vain, {"unfilled": 89}):
        assert cautions(SOUND.model_copy(update=changes), BOOK) == ()


def test_several_markets_are_not_called_one() -> None:
    """A short run says how many markets it covers."""
    short = SOUND.model_copy(update={"duration": 31 * 86_400.0, "longest_underwater": 0})

    assert "31 d of 2 markets" in cautions(short, origin(("BTC", "ETH"), fills="book"))[0]


def test_fills_from_candles_are_told() -> None:
    """Of bars, not of quotes and books, and not where nothing was filled."""
    assert "prices of candles" in cautions(SOUND, origin())[0]
    assert cautions(SOUND, origin(fills="quotes")) == ()


def test_a_chosen_result_is_judged_by_its_tries() -> None:
    """The number of tries, the best to expect of luck, and the deflated Sharpe are told."""
    lucky = cautions(SOUND, BOOK, Trials(200, 0.06))
    sound = cautions(SOUND, BOOK, Trials(3, 0.01))
    short = cautions(SOUND.model_copy(update={"sharpe": None}), BOOK, Trials(200, 0.06))

    assert "chosen out of 200 tries" in lucky[0]
    assert "may well be luck" in lucky[0]
    assert "the deflated Sharpe is" in sound[0]
    assert "luck." not in sound[0]
    assert "too short to tell skill from that choice" in short[0]


@pytest.mark.parametrize("seed", range(4))
def test_measured_runs_are_warned_of_in_whole_sentences(seed: int) -> None:
    """Whatever was measured, each warning is a sentence without a number like nan."""
    source = np.random.default_rng(seed)
    pnl = [float(one) for one in source.normal(0, 50, seed * 20)]
    runs = [walk(40, seed, DAY), curve([100.0]), curve([]), curve([100.0, -5.0, 0.0])]

    for run in runs:
        for one in cautions(measure(run, trades(pnl), run), origin(), Trials(5, 0.1)):
            assert re.fullmatch(r"[A-Z0-9].*\.", one)
            assert "nan" not in one
            assert "inf" not in one.replace("information", "")


def test_every_warning_is_documented() -> None:
    """The page has a row for each, with when it is given and what to do, in the same order."""
    page = (DOCS / "reports.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \| [^|]+ \|$", page, re.M)
    told = [row for row in rows if row[0] not in ("Warning", "---")]

    assert told == [(one.name, one.when) for one in CAUTIONS]
