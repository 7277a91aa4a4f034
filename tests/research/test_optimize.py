"""Every try counts: what is luck is called luck, and a real edge survives."""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.research.plain import FREE
from tests.research.runs import origin
from tests.research.walks import walk
from tradeagent.cli.optimize import optimize as command
from tradeagent.errors import CommandError, ConfigError, DataError
from tradeagent.quant.curve import DAY, Curve
from tradeagent.quant.days import days
from tradeagent.quant.luck import trials
from tradeagent.quant.metrics import Metrics
from tradeagent.quant.overfitting import overfitting
from tradeagent.research import Backtest, Optimization, Search, optimize
from tradeagent.research.asking import Asker, Sampler
from tradeagent.research.cautions import cautions
from tradeagent.research.search import front_of
from tradeagent.research.space import Choice, Params, Range, key_of, read_space
from tradeagent.research.trial import Job, run_trial
from tradeagent.research.tries import Tries, Try, luck_of, returns_of
from tradeagent.research.verdict import judge
from tradeagent.research.walkforward import chained

GRID = {"fast": "4:8:4", "slow": "16:24:8", "stop_atr": 0}
DAYS = 10
LEAN = {**FREE, "agents.monitor.enabled": False, "agents.compliance.enabled": False}


class Here(Executor):
    """Runs what it is given at once, in this process; notes each job."""

    def __init__(self) -> None:
        self.jobs: list[Job] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run it."""
        self.jobs.append(args[0])
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


def searched(file: Path, **changes: Any) -> Search:
    """Return a search over a few averages."""
    params = changes.pop("params", GRID)
    spec = Backtest(
        strategies=("sma_cross",),
        symbols=("BTC",),
        timeframes=("30m",),
        params=params,
        data=(str(file),),
        settings=LEAN,
    )
    return Search(**{"backtest": spec, "sampler": "grid", **changes})


def go(search: Search, out: Path, **more: Any) -> Optimization:
    """Search in this process, one try after the other."""
    return optimize(search, out, executor=Here(), jobs=1, **more)


@pytest.fixture(scope="module")
def noise(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return ten days of noise."""
    return walk(tmp_path_factory.mktemp("noise") / "btc.csv", DAYS, seed=2, minutes=30)


@pytest.fixture(scope="module")
def trends(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return ten days of trends."""
    file = tmp_path_factory.mktemp("trends") / "btc.csv"
    return walk(file, DAYS, seed=1, trend=0.004, minutes=30)


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a day of noise, where it does not matter what comes of it."""
    return walk(tmp_path_factory.mktemp("day") / "btc.csv", 1, seed=3, minutes=30)


class Stopped:
    """A search of noise that was stopped after two tries and started again."""

    def __init__(self, noise: Path, out: Path) -> None:
        ran = Here()
        enough = lambda: len(ran.jobs) > 1  # noqa: E731
        self.out = out
        self.first = optimize(searched(noise), out, executor=ran, jobs=1, stopped=enough)
        self.found = go(searched(noise), out)


@pytest.fixture(scope="module")
def stopped(noise: Path, tmp_path_factory: pytest.TempPathFactory) -> Stopped:
    """Return it."""
    return Stopped(noise, tmp_path_factory.mktemp("stopped") / "out")


def test_the_best_of_noise_is_called_luck(stopped: Stopped) -> None:
    """On a random walk the report of the best says that it is luck, with both probabilities."""
    found = stopped.found

    assert not found.verdict.survives
    assert found.verdict.deflated is not None
    assert found.verdict.deflated < 0.95
    assert found.verdict.overfitting is not None
    assert found.result is not None
    assert found.result.trials == luck_of(found.tries)
    assert found.result.warnings[0].startswith("The best may be luck: its Sharpe ratio is ")
    assert "The probability that the choice is overfitted is" in found.result.warnings[1]
    kept = json.loads((stopped.out / "best" / "summary.json").read_text(encoding="utf-8"))
    assert tuple(kept["warnings"]) == found.result.warnings
    assert kept["trials"]["count"] == 4


def test_a_planted_edge_is_found_and_survives(trends: Path, tmp_path: Path) -> None:
    """On a market with trends the best of the averages is more than luck explains."""
    found = go(searched(trends, prune=False), tmp_path / "out")

    assert found.verdict.survives, found.told()
    assert found.told()[0].startswith("The best is more than luck explains")
    assert found.best is not None
    assert found.result is not None
    assert found.result.metrics == found.best.metrics
    told = json.loads((tmp_path / "out" / "optimization.json").read_text(encoding="utf-8"))
    assert told["verdict"]["survives"]
    assert told["best"]["params"] == found.best.params


def test_a_search_goes_on_where_it_stopped(stopped: Stopped) -> None:
    """Stopped after two tries and started again, it makes the other two, and all four count."""
    first, found = stopped.first, stopped.found

    assert (len(first.tries), first.interrupted, found.interrupted) == (2, True, False)
    assert found.tries[:2] == first.tries
    assert [one.number for one in found.tries] == [1, 2, 3, 4]
    assert len({key_of(one.params) for one in found.tries}) == 4
    assert found.verdict.tries == 4
    with (stopped.out / "trials.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["number"] for row in rows] == ["1", "2", "3", "4"]


def test_another_search_does_not_mix_with_it(day: Path, noise: Path, tmp_path: Path) -> None:
    """Tries on other data, or by another measure, are refused; a wider space is welcome."""
    one = {"fast": "4:4:1", "slow": 20, "stop_atr": 0}
    go(searched(day, params=one), tmp_path)

    with pytest.raises(DataError, match=r"holds another search \(data differ\)"):
        go(searched(noise, params=one), tmp_path)
    with pytest.raises(DataError, match=r"\(objectives differ\)"):
        go(searched(day, params=one, objectives=("sortino",)), tmp_path)
    wider = go(searched(day, params={**one, "fast": "4:8:4"}), tmp_path)
    assert [one.params["fast"] for one in wider.tries] == [4, 8]


def asked(sampler: Sampler, params: dict[str, object]) -> list[str]:
    """Return every combination that a sampler asks for; the higher `a`, the better."""
    space, _ = read_space(params)
    asker, known = Asker(space, sampler, (1,), 0), list[str]()

    def check(found: Params) -> None:
        if found["a"] == found["b"]:
            raise ConfigError("equal")

    while (one := asker.ask(known.__contains__, check)) is not None:
        known.append(key_of(one.params))
        asker.tell(one, made(len(known), one.params, float(one.params["a"])))
    return known


def made(number: int, params: Params, value: float) -> Try:
    """Return a complete try."""
    return Try(number=number, params=params, state="complete", values=(value,))


@pytest.mark.parametrize("sampler", ["grid", "random", "tpe"])
def test_every_combination_that_makes_sense_is_asked_for_once(sampler: Sampler) -> None:
    """A sampler that would rather ask again is shown what is left, to the last of it."""
    found = asked(sampler, {"a": "1:6", "b": "1:6"})

    assert len(found) == len(set(found)) == 30


def test_what_is_far_behind_is_given_up(trends: Path) -> None:
    """A try below the hurdle after a quarter of the range ends there, and says so."""
    job = Job(
        number=1,
        backtest=searched(trends).fixed,
        params={"fast": 4, "slow": 16},
        objectives=("sharpe",),
        signs=(1,),
        stages=(0.25, 0.5),
        hurdles=(1e9, 1e9),
    )
    one = run_trial(job)

    assert (one.state, one.complete, len(one.stages)) == ("pruned", False, 1)
    assert len(one.returns) == 3
    whole = run_trial(Job(2, job.backtest, job.params, ("sharpe",), (1,), 0, (0.25, 0.5), (-1e9,)))
    assert (whole.state, len(whole.returns), whole.stages[0]) == ("complete", DAYS, one.stages[0])


def test_screened_tries_are_the_played_ones(day: Path) -> None:
    """A try that is screened has the figures of one that is played; what it refuses is played."""
    spec = searched(day).fixed.model_copy(update={"settings": FREE})
    params: Params = {"fast": 4, "slow": 16, "stop_atr": 0}

    def tried(**more: Any) -> Try:
        wanted = {**params, **more.pop("params", {})}
        return run_trial(Job(0, spec, wanted, ("profit", "trades"), (1, 1), **more))

    played, screened = tried(), tried(screen=True)
    refused = tried(screen=True, params={"stop_atr": 2})

    assert (played.screened, screened.screened, refused.screened) == (False, True, False)
    assert screened.values == played.values
    assert screened.returns == played.returns
    assert screened.metrics.trades
    assert "stops" in refused.refusal
    assert refused.complete


def test_walking_forward_tests_each_stretch_with_what_was_best_before(
    trends: Path, tmp_path: Path
) -> None:
    """Training ends before its test begins, tests follow one another, and all tries count."""
    params = {"fast": 4, "slow": "16:24:8", "stop_atr": 0}
    found = go(searched(trends, params=params, folds=2), tmp_path)

    assert [one.number for one in found.forward] == [1, 2]
    for one in found.forward:
        assert one.train.split("-")[1] < one.test.split("-")[0]
        assert one.best is not None
        assert one.tested is not None
        assert one.tested.params == one.best.params
    assert found.forward[0].test.split("-")[1] == found.forward[1].test.split("-")[0]
    assert found.verdict.tries == len(found.tries) == 6
    assert {one.fold for one in found.tries} == {0, 1, 2}
    assert found.outside is not None
    assert found.outside > 0
    assert found.told()[-1].startswith("Walked forward, what was best before made money in 2 of 2")


def test_processes_find_the_same_and_the_command_tells_it(
    noise: Path, stopped: Stopped, tmp_path: Path
) -> None:
    """Two processes come to what one after the other came to; words on top, all of it in JSON."""
    out = tmp_path / "out"
    config = tmp_path / "lean.yaml"
    config.write_text(json.dumps(nested(LEAN)), encoding="utf-8")
    arguments = ["-s", "sma_cross", "--symbol", "BTC", "--timeframe", "30m", "--data", str(noise)]
    arguments += ["-p", "fast=4:8:4", "-p", "slow=24", "-p", "stop_atr=0", "-c", str(config)]
    arguments += ["--sampler", "grid", "--jobs", "2", "--out", str(out)]
    shown = CliRunner().invoke(command, arguments)

    assert shown.exit_code == 0, shown.output
    assert shown.stdout.startswith("! The best may be luck")
    assert "fast=8" in shown.stdout
    assert (out / "best" / "report.html").is_file()
    with closing(Tries(out)) as tries:
        spread = {key_of(one.params): one.metrics for one in tries.all}
    alone = {one.params["fast"]: one for one in stopped.found.tries if one.params["slow"] == 24}
    assert spread == {f"fast={fast}": one.metrics for fast, one in alone.items()}
    told = json.loads((out / "optimization.json").read_text(encoding="utf-8"))
    assert told["verdict"]["tries"] == 2


def nested(settings: dict[str, object]) -> dict[str, object]:
    """Return dotted paths as the mapping they mean."""
    found: dict[str, Any] = {}
    for path, value in settings.items():
        *parents, last = path.split(".")
        below = found
        for key in parents:
            below = below.setdefault(key, {})
        below[last] = value
    return found


def test_several_objectives_give_a_front() -> None:
    """What another beats in every objective is not in the front; the first objective leads."""
    made = [
        Try(number=number, params={"x": number}, state="complete", values=values)
        for number, values in enumerate([(1.0, 0.1), (2.0, 0.3), (0.5, 0.2), (2.0, 0.3)], start=1)
    ]

    assert [one.number for one in front_of(made, (1, -1))] == [2, 1]


def test_ranges_and_choices_are_read() -> None:
    """A range has whole numbers or steps, commas are choices, the rest is fixed."""
    space, fixed = read_space(
        {"a": "5:30:5", "b": "1:3", "c": "0.5:2:0.5", "d": "x,true", "e": "7"}
    )

    assert fixed == {"e": "7"}
    a, b, c, d = space.dimensions.values()
    assert (a.values(), b.values()) == ((5, 10, 15, 20, 25, 30), (1, 2, 3))
    assert (c.values(), d) == ((0.5, 1.0, 1.5, 2.0), Choice(("x", True)))
    assert read_space({"f": "0.1:0.2"})[0].dimensions["f"] == Range(0.1, 0.2, None, whole=False)
    assert len(list(space.grid())) == 6 * 3 * 4 * 2


@pytest.mark.parametrize("text", ["5:", "5:1", "a:b", "1:2:0", "1:2:3:4"])
def test_wrong_ranges_are_one_line(text: str) -> None:
    """What is no range is told with how to write one."""
    with pytest.raises(CommandError, match=r"write a range as LOW:HIGH:STEP"):
        read_space({"fast": text})


def test_mistakes_are_one_line_each(noise: Path, tmp_path: Path) -> None:
    """An unknown parameter or objective, nothing to vary, and a grid without steps are told."""
    with pytest.raises(ConfigError, match=r"params.fsat: unknown key; did you mean fast\?"):
        go(searched(noise, params={"fsat": "5:10:5"}), tmp_path)
    with pytest.raises(CommandError, match=r"'sharp' cannot be optimised; did you mean sharpe\?"):
        go(searched(noise, objectives=("sharp",)), tmp_path)
    with pytest.raises(CommandError, match="nothing varies"):
        go(searched(noise, params={"fast": 5}), tmp_path)
    with pytest.raises(CommandError, match=r"-p even_atr: a grid needs steps"):
        go(searched(noise, params={"even_atr": "0.5:1.0"}), tmp_path)


def test_tries_survive_a_crash_in_the_middle_of_a_line(tmp_path: Path) -> None:
    """A line that was cut off is left out, and the next try takes its place."""
    one = Try(number=1, params={"x": 1}, state="complete", values=(1.0,))
    kept = Tries(tmp_path)
    kept.add(one)
    kept.close()
    with (tmp_path / "trials.jsonl").open("ab") as file:
        file.write(b'{"number": 2, "par')

    again = Tries(tmp_path)
    again.add(one.model_copy(update={"number": 2}))
    again.close()

    with closing(Tries(tmp_path)) as whole:
        assert [found.number for found in whole.all] == [1, 2]


def made_up(count: int, days: int, edge: float, seed: int) -> list[Try]:
    """Return tries with random daily returns, the last of them with an edge."""
    source = random.Random(seed)
    tries = []
    for number in range(1, count + 1):
        own = edge if number == count else 0.0
        returns = np.array([source.gauss(own, 0.01) for _ in range(days)])
        sharpe = float(returns.mean() / returns.std(ddof=1) * 365**0.5)
        metrics = Metrics(sharpe=sharpe, days=days, skew=0.0, kurtosis=3.0)
        tries.append(
            Try(
                number=number,
                params={"x": number},
                state="complete",
                values=(sharpe,),
                metrics=metrics,
                first_day=19_000,
                returns=tuple(returns.tolist()),
            )
        )
    return tries


@pytest.mark.parametrize("seed", range(3))
def test_the_verdict_knows_noise_from_an_edge(seed: int) -> None:
    """Of fifty worthless tries the best is luck; one with a real edge among them is not."""
    for edge, survives in ((0.0, False), (0.005, True)):
        tries = made_up(50, 250, edge, seed)
        best = max(tries, key=lambda one: one.values[0] or 0.0)
        verdict, tried = judge(tries, len(tries), best)

        assert verdict.survives is survives, verdict
        assert tried == trials([(one.values[0] or 0.0) / 365**0.5 for one in tries])
        assert verdict.overfitting == overfitting(returns_of(tries)).probability


def test_more_tries_make_the_same_result_less_believable() -> None:
    """Tries that were pruned or failed count, too: with them the deflated Sharpe falls."""
    tries = made_up(20, 200, 0.0025, 1)
    best = tries[-1]
    few, _ = judge(tries, 20, best)
    many, tried = judge(tries, 2_000, best)

    assert tried.count == 2_000
    assert few.deflated is not None
    assert many.deflated is not None
    assert many.deflated < few.deflated


def pruned(tries: list[Try], kept: int) -> list[Try]:
    """Return tries of which all but the best `kept` were given up after a quarter of the way."""
    best = sorted(tries, key=lambda one: -(one.values[0] or 0.0))[:kept]
    return [one if one in best else one.model_copy(update={"state": "pruned"}) for one in tries]


def test_pruned_tries_are_luck_like_all_others() -> None:
    """The worst are pruned: how far apart all tries were is known with their ratios alone."""
    tries = made_up(60, 200, 0.0, 1)

    assert luck_of(pruned(tries, 30)) == luck_of(tries)


def test_where_too_few_ratios_are_known_nothing_counts_as_an_edge() -> None:
    """With seven ratios of a hundred tries the deflated Sharpe is not known, and it is told."""
    tries = made_up(100, 250, 0.005, 1)
    best = tries[-1]
    failed = [Try(number=one.number, params=one.params, state="failed") for one in tries[:93]]
    some, tried = judge([*failed, *tries[93:]], 100, best)
    more, _ = judge([*failed[1:], *tries[92:]], 100, best)

    assert (some.deflated, some.lucky, tried.spread, some.survives) == (None, None, None, False)
    assert "of 100 tries fewer than 8 have one to compare it with" in some.told()[0]
    assert "too few of them have a Sharpe" in " ".join(cautions(best.metrics, origin(), tried))
    assert more.deflated is not None


def test_overfitting_is_that_of_a_choice_by_sharpe() -> None:
    """Where something else chose, the words say so, and it does not decide."""
    tries = made_up(50, 250, 0.005, 0)
    ours, _ = judge(tries, 50, tries[-1])
    other, _ = judge(tries, 50, tries[-1], "max_drawdown")
    wrong = {"overfitting": 0.9}

    assert ours.survives
    assert not ours.model_copy(update=wrong).survives
    assert other.model_copy(update=wrong).survives
    assert "The probability that the choice is overfitted is" in ours.told()[1]
    assert "The probability that a choice by Sharpe is overfitted is" in other.told()[1]
    assert "(of the choice by max_drawdown it is not known)" in other.told()[1]


@pytest.mark.parametrize(
    ("metrics", "said"),
    [
        (None, "None of 9 tries ended with a max_drawdown: there is nothing"),
        (Metrics(trades=0), "The best of 9 tries by max_drawdown never traded"),
        (Metrics(trades=3), "The best of 9 tries by max_drawdown has no Sharpe ratio"),
    ],
)
def test_why_there_is_nothing_to_judge_is_told(metrics: Metrics | None, said: str) -> None:
    """No try at all, one that never traded, and one that is too short are told apart."""
    tries = made_up(8, 60, 0.0, 1)
    best = None
    if metrics is not None:
        best = Try(number=9, params={"x": 0}, state="complete", values=(0.0,), metrics=metrics)
        tries.append(best)
    (told,) = judge(tries, 9, best, "max_drawdown")[0].told()

    assert told.startswith(said)


def test_days_that_two_tests_share_are_one_day() -> None:
    """Tests of 21 hours have the daily returns of one account, not those of pieces of days."""
    hour, source = 3_600 * 10**9, np.random.default_rng(3)
    equity = np.cumprod(np.append(1.0, 1 + source.normal(0.0006, 0.004, 24 * 21)))
    time = np.arange(len(equity), dtype=np.int64) * hour
    tests = []
    for first in range(0, 24 * 21, 21):
        rows = slice(first, first + 22)
        found = days(Curve(time[rows], equity[rows] / equity[first], np.zeros(22)))
        day = int(found.ends[0]) // DAY - 1
        own = tuple(found.returns.tolist())
        tests.append(Try(number=1, params={}, state="complete", first_day=day, returns=own))
    whole = days(Curve(time, equity, np.zeros(len(equity))))

    assert chained(tests) == pytest.approx(whole.returns)
    assert len(chained([])) == 0


def test_tries_become_a_frame(stopped: Stopped) -> None:
    """Every try is a row with its parameters, its objective and every figure."""
    frame = stopped.found.to_frame()

    assert list(frame["fast"]) == [4, 4, 8, 8]
    assert list(frame["sharpe"]) == [one.values[0] for one in stopped.found.tries]
