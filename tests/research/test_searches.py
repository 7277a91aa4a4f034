"""A search goes on whatever ends it, keeps apart what differs, and plays each try on its data."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.research.data.stock import bars, imported
from tests.research.mortal import PIPE
from tests.research.test_optimize import LEAN, go, searched
from tests.research.walks import walk
from tradeagent.cli.optimize import _interrupts, _tell
from tradeagent.errors import CommandError, ConfigError, DataError
from tradeagent.research import Backtest, Search, backtest, optimize
from tradeagent.research.asking import Asker, Sampler
from tradeagent.research.data.catalogue import Catalogue
from tradeagent.research.data.commit import alone
from tradeagent.research.space import Range, key_of, read_space
from tradeagent.research.tries import Tries, Try

ONE: dict[str, object] = {"fast": "4:4:1", "slow": 20, "stop_atr": 0}


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a day of noise, where it does not matter what comes of it."""
    return walk(tmp_path_factory.mktemp("day") / "btc.csv", 1, seed=3, minutes=30)


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a catalogue with half a day of minutes."""
    folder = tmp_path_factory.mktemp("catalogue")
    found = Catalogue(folder / "kept")
    imported(found, folder, bars(720))
    return found.root


# -- the data -------------------------------------------------------------------------------------


@pytest.mark.parametrize("timeframes", ["1m,5m", "5m,1m"])
def test_a_try_sees_what_its_backtest_sees(
    catalogue: Path, tmp_path: Path, timeframes: str
) -> None:
    """Each timeframe of a choice plays its own candles, in whatever order they are named."""
    params: dict[str, object] = {"timeframe": timeframes, "fast": 5, "slow": 20, "stop_atr": 0}
    spec = Backtest(
        strategies=("sma_cross",),
        symbols=("BTC",),
        timerange="20220101T040000-20220101T120000",
        catalogue=catalogue,
        params=params,
        settings=LEAN,
    )
    found = go(Search(backtest=spec, sampler="grid", objectives=("profit",)), tmp_path)

    assert [one.params["timeframe"] for one in found.tries] == timeframes.split(",")
    for one in found.tries:
        plain = backtest(
            "sma_cross",
            symbol="BTC",
            timerange=spec.timerange,
            catalogue=catalogue,
            params={**params, **one.params},
            settings=LEAN,
        )
        assert one.metrics.trades
        assert one.metrics == plain.metrics


def test_candles_that_cannot_be_made_fail_the_try(
    day: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A try on candles shorter than those of the file is no try without trades, and is told."""
    found = go(searched(day, params={**ONE, "timeframe": "1m,30m"}), tmp_path)
    failed, complete = found.tries

    assert (failed.state, complete.state) == ("failed", "complete")
    assert failed.error == "no 1m candles of BTC can be made of those of 30m"
    _tell(found, tmp_path)
    assert f"1 of 2 tries failed: {failed.error}" in capsys.readouterr().out


@pytest.mark.parametrize("timeframes", ["1d,5m", "5m,1d"])
def test_a_combination_without_data_is_one_failed_try(
    catalogue: Path, tmp_path: Path, timeframes: str
) -> None:
    """Where the catalogue lacks the candles of one, the others are tried all the same."""
    spec = Backtest(
        strategies=("sma_cross",),
        symbols=("BTC",),
        catalogue=catalogue,
        params={**ONE, "timeframe": timeframes},
        settings=LEAN,
    )
    found = go(Search(backtest=spec, sampler="grid", objectives=("profit",)), tmp_path)

    ended = {str(one.params["timeframe"]): one for one in found.tries}
    assert {name: one.state for name, one in ended.items()} == {"1d": "failed", "5m": "complete"}
    assert ended["1d"].error == "BTC 1m bars: there is not one whole 1d candle in them"


def test_a_configured_range_is_kept(day: Path, tmp_path: Path) -> None:
    """What a configuration file plays of its recording is what every try plays."""
    config = tmp_path / "feed.yaml"
    feed = {"type": "recorded", "files": [{"path": str(day), "symbol": "BTC"}]}
    config.write_text(json.dumps({"feeds": [{**feed, "start": "2022-01-01T12:00:00Z"}]}))
    search = searched(day, params=ONE, objectives=("profit",))
    spec = search.backtest.model_copy(update={"data": (), "config": (config,)})
    found = go(search.model_copy(update={"backtest": spec}), tmp_path / "out")

    assert found.result is not None
    assert found.result.origin.start.startswith("2022-01-01T12:")
    assert found.tries[0].metrics == found.result.metrics


# -- the space ------------------------------------------------------------------------------------


def test_senseless_corners_do_not_refuse_a_space(day: Path, tmp_path: Path) -> None:
    """Where neither the smallest nor the largest parameters make sense, the others are tried."""
    params: dict[str, object] = {"fast": "8:24:16", "slow": "8:16:8", "stop_atr": 0}
    found = go(searched(day, params=params), tmp_path)

    assert [one.params for one in found.tries] == [{"fast": 8, "slow": 16}]


def test_a_space_without_sense_is_told(day: Path, tmp_path: Path) -> None:
    """Where no combination makes sense, the mistake of one is the error."""
    params: dict[str, object] = {"fast": "20:30:10", "slow": "8:16:8"}
    with pytest.raises(ConfigError, match=r"fast \(\d+\) must be below slow"):
        go(searched(day, params=params), tmp_path)


def ask(asker: Asker, count: int, known: list[Try]) -> None:
    """Let `asker` ask for as many combinations, and note them."""
    for _ in range(count):
        keys = {key_of(one.params) for one in known}
        asked = asker.ask(keys.__contains__, lambda _: None)
        if asked is None:
            return
        value = -abs(float(asked.params["a"]) - 2)
        number = len(known) + 1
        one = Try(number=number, params=asked.params, state="complete", values=(value,))
        known.append(one)
        asker.tell(asked, one)


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_an_endless_space_has_no_end_after_an_interrupt(sampler: Sampler) -> None:
    """A later call draws on, however many combinations an earlier one drew."""
    space, _ = read_space({"a": "0.5:5.0"})
    known: list[Try] = []
    for count in (210, 20):
        ask(Asker(space, sampler, (1,), 0, known), count, known)

    assert len(known) == 230


def test_a_later_call_looks_where_it_was_good_before() -> None:
    """What earlier calls found leads the sampler, whatever became of their processes."""
    space, _ = read_space({"a": "0.0:100.0"})
    known: list[Try] = []
    for number in range(40):
        a = 2.5 * number
        one = Try(number=number, params={"a": a}, state="complete", values=(-abs(a - 20),))
        known.append(one)
    ask(Asker(space, "tpe", (1,), 0, known), 10, known)

    assert all(abs(float(one.params["a"]) - 20) < 20 for one in known[-10:])


@pytest.mark.parametrize("sampler", ["grid", "random", "tpe"])
def test_a_step_is_tried_once(sampler: Sampler) -> None:
    """Sums of steps that differ by rounding alone are one combination."""
    space, _ = read_space({"a": "0.1:0.9:0.1"})
    known: list[Try] = []
    ask(Asker(space, sampler, (1,), 0), 20, known)

    assert sorted(float(one.params["a"]) for one in known) == [n / 10 for n in range(1, 10)]


@pytest.mark.parametrize(("sign", "told"), [(1, 0.4), (-1, -0.4)])
def test_what_was_given_up_is_told_as_the_measure_says(sign: int, told: float) -> None:
    """A stage is higher where it is better; the sampler hears the figure itself, now and later."""
    space, _ = read_space({"a": "1:9"})
    asker = Asker(space, "tpe", (sign,), 0)
    asked = asker.ask(lambda _: False, lambda _: None)
    assert asked is not None
    one = Try(number=1, params=asked.params, state="pruned", values=(told,), stages=(sign * told,))
    asker.tell(asked, one)
    later = Asker(space, "tpe", (sign,), 0, [one])

    for known in (asker, later):
        (trial,) = known._study.trials
        assert trial.intermediate_values == {0: told}


def test_a_wide_range_is_counted_not_built(day: Path, tmp_path: Path) -> None:
    """A range of 10**12 numbers is searched; as a grid it is refused at once."""
    space, _ = read_space({"a": f"1:{10**12}"})
    known: list[Try] = []
    ask(Asker(space, "random", (1,), 0), 3, known)

    assert (space.size, len(known)) == (10**12, 3)
    wide = {**ONE, "fast": f"1:{10**12}"}
    with pytest.raises(CommandError, match="the grid has 1,000,000,000,000 combinations"):
        go(searched(day, params=wide), tmp_path)
    assert Range(0.1, 0.9, 0.1, whole=False).count == 9


# -- the folder -----------------------------------------------------------------------------------


def test_what_can_change_a_try_makes_another_search(
    day: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another day's rules, a variable of the environment, and other code are refused."""
    search = searched(day, params=ONE)
    go(search, tmp_path / "out")
    daily = search.backtest.model_copy(update={"resume_daily": True})

    with pytest.raises(DataError, match=r"\(resume_daily differ\)"):
        go(search.model_copy(update={"backtest": daily}), tmp_path / "out")
    with monkeypatch.context() as changed:
        changed.setenv("TRADEAGENT__EXCHANGE__LEVERAGE", "2")
        with pytest.raises(DataError, match=r"\(settings differ\)"):
            go(search, tmp_path / "out")
    with monkeypatch.context() as changed:
        changed.setattr("tradeagent.research.identity.code_digest", lambda: "another")
        with pytest.raises(DataError, match=r"\(code differ\)"):
            go(search, tmp_path / "out")
    assert len(go(search, tmp_path / "out").tries) == 1


STRATEGY = """
from tradeagent.strategies.sma_cross import SmaCross


class Mine(SmaCross):
    'Follow averages.'

    def decide(self, event, view):
        return {decided}
"""


def test_another_strategy_under_the_same_name_is_another_search(
    day: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who changes the file of a strategy is told so, before the tries of both are one list."""
    place = tmp_path / "strategy_of_mine.py"
    monkeypatch.syspath_prepend(str(tmp_path))
    place.write_text(STRATEGY.format(decided="super().decide(event, view)"))
    spec = searched(day, params=ONE).backtest
    search = searched(day, params=ONE).model_copy(
        update={"backtest": spec.model_copy(update={"strategies": ("strategy_of_mine:Mine",)})}
    )
    go(search, tmp_path / "out")
    place.write_text(STRATEGY.format(decided="None"))

    with pytest.raises(DataError, match=r"\(strategy code differ\)"):
        go(search, tmp_path / "out")


def test_a_best_that_comes_to_something_else_is_an_error(day: Path, tmp_path: Path) -> None:
    """Where the best, played again, has other figures than its try, nothing is reported."""
    search = searched(day, params=ONE, objectives=("profit",))
    go(search, tmp_path)
    place = tmp_path / "trials.jsonl"
    one = Try.model_validate_json(place.read_bytes())
    metrics = one.metrics.model_copy(update={"trades": 1_000})
    place.write_text(one.model_copy(update={"metrics": metrics}).model_dump_json() + "\n")

    with pytest.raises(DataError, match=r"try 1 \(fast=4\) comes to other figures now"):
        go(search, tmp_path)


def test_a_search_that_tried_nothing_claims_no_folder(day: Path, tmp_path: Path) -> None:
    """After a mistake the corrected command may use the same folder."""
    search = searched(day, params=ONE)
    with pytest.raises(CommandError, match="--walk-forward"):
        go(search.model_copy(update={"folds": 400}), tmp_path)
    never = go(search.model_copy(update={"folds": 2}), tmp_path, stopped=lambda: True)

    assert not never.tries
    assert len(go(search, tmp_path).tries) == 1


def test_one_process_at_a_time_searches_in_a_folder(day: Path, tmp_path: Path) -> None:
    """A second one is told in one line, and so is a folder that cannot be."""
    search = searched(day, params=ONE)
    with alone(tmp_path), pytest.raises(DataError, match=r"another process .* with --out$"):
        go(search, tmp_path)
    with pytest.raises(DataError, match=r"^/proc/none: cannot be written .* with --out$"):
        go(search, Path("/proc/none"))


def test_numbers_of_tries_are_given_once(day: Path, tmp_path: Path) -> None:
    """A try that an abrupt end lost leaves its number free, and no other gets one twice."""
    with closing(Tries(tmp_path)) as tries:
        tries.add(Try(number=3, params={"fast": 4}, state="failed"))
    search = searched(day, params={**ONE, "fast": "4:8:4"})
    (tmp_path / "search.json").unlink(missing_ok=True)
    go(search, tmp_path / "other")
    (tmp_path / "search.json").write_bytes((tmp_path / "other" / "search.json").read_bytes())

    assert [one.number for one in go(search, tmp_path).tries] == [3, 4]


# -- the processes --------------------------------------------------------------------------------


def test_a_combination_that_kills_its_process_is_a_failed_try(day: Path, tmp_path: Path) -> None:
    """What ran beside it is tried again, and the search goes on."""
    spec = searched(day, params={**ONE, "fast": "4:12:4"}).backtest
    mortal = spec.model_copy(update={"strategies": ("tests.research.mortal:Mortal",)})
    found = optimize(Search(backtest=mortal, sampler="grid"), tmp_path, jobs=2)

    assert {one.params["fast"]: one.state for one in found.tries} == {
        4: "complete",
        8: "failed",
        12: "complete",
    }
    (failed,) = (one for one in found.tries if one.state == "failed")
    assert failed.error == "its process died twice, as where memory does not suffice"


@pytest.mark.parametrize("told", [False, True])
def test_no_process_outlives_the_search(day: Path, tmp_path: Path, *, told: bool) -> None:
    """Killed, or told a second time to stop, a search leaves no process behind."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    command = [sys.executable, "-m", "tradeagent", "optimize", "--symbol", "BTC", "--jobs", "2"]
    command += ["-s", "tests.research.mortal:Waiting", "-p", "fast=4:8:4", "-p", "slow=20"]
    command += ["--timeframe", "30m", "--data", str(day), "--out", str(tmp_path / "out")]
    environment = {**os.environ, PIPE: str(pipe)}
    with (
        subprocess.Popen(command, stderr=subprocess.PIPE, env=environment) as search,
        pipe.open("rb", buffering=0) as opened,
    ):
        begun = [opened.read(1), opened.read(1)]
        if told:
            search.terminate()
            assert search.stderr is not None
            while b"once more ends at once" not in search.stderr.readline():
                assert search.poll() is None
            search.terminate()
        else:
            search.kill()
        ended, _, _ = select.select([opened], [], [], 20)
        search.kill()
        assert (begun, ended) == ([b"!", b"!"], [opened])
        assert search.wait() == (130 if told else -signal.SIGKILL)


def test_what_ends_a_service_ends_a_search_as_an_interrupt_does() -> None:
    """The first SIGTERM lets what is under way come to its end."""
    with _interrupts() as stopped:
        os.kill(os.getpid(), signal.SIGTERM)
        assert stopped()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
