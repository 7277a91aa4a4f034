"""A backtest's figures are the exchange's own, its terms those asked for, its mistakes told."""

from __future__ import annotations

import asyncio
import json
import random
import re
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.integrations.recordings import write
from tests.research.plain import FREE, MINUTE, START, write_bars
from tradeagent.cli.backtest import backtest as command
from tradeagent.cli.data import data as data_command
from tradeagent.errors import CommandError, ConfigError, DataError
from tradeagent.quant.luck import Trials
from tradeagent.research import Result, backtest
from tradeagent.research.folder import load, save
from tradeagent.research.result import load_summary
from tradeagent.storage.records import SqlRecords

D = Decimal
QUICK = {"fast": 3, "slow": 8, "stop_atr": 0}


def closes(count: int, seed: int = 1, start: float = 100.0) -> list[float]:
    """Return a walk."""
    source, price, found = random.Random(seed), start, []
    for _ in range(count):
        price = round(price * (1 + source.gauss(0, 0.002)), 2)
        found.append(price)
    return found


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return five hours of a walk."""
    return write_bars(tmp_path_factory.mktemp("data") / "btc.csv", closes(300))


def played(file: Path, **changes: object) -> Result:
    """Return a backtest of quick averages."""
    settings = {**FREE, **changes.pop("settings", {})}  # type: ignore[dict-item]
    given = {"symbol": "BTC", "timeframe": "1m", "params": QUICK, "data": file, **changes}
    return backtest("sma_cross", settings=settings, **given)  # type: ignore[arg-type]


def test_equity_is_the_account_at_every_close(file: Path) -> None:
    """Between trades it stands still, in one it moves, and the trades explain its end."""
    result = played(file)
    curve, prices = result.curve, result.prices["BTC"]

    assert len(curve) == len(prices) + 1
    assert list(curve.time[1:]) == list(prices.time + prices.length)
    total = sum((one.pnl for one in result.trades), D(0))
    assert curve.equity[-1] == pytest.approx(1e6 + float(total), abs=1e-6)
    held = np.zeros(len(curve), bool)
    for one in result.trades:
        end = one.exit_time if one.exit_time is not None else int(curve.time[-1])
        held |= (curve.time > one.entry_time) & (curve.time <= end)
    flat = ~held[1:] & ~held[:-1]
    assert flat.any()
    assert np.all(np.diff(curve.equity)[flat] == 0)
    assert np.all((curve.exposure > 0) <= held)


def test_the_same_inputs_give_the_same_journal(file: Path) -> None:
    """Played twice every figure and the hash of the journal are equal; another fee changes both."""
    one, other = played(file), played(file)
    dearer = played(file, settings={"exchange.taker_fee": "0.001"})

    assert one.origin == other.origin
    assert (one.metrics, one.trades, one.fills) == (other.metrics, other.trades, other.fills)
    assert dearer.origin.journal != one.origin.journal
    assert dearer.metrics.fees == pytest.approx(2 * (one.metrics.fees or 0))


def test_terms_are_what_was_asked_for_and_are_told(file: Path) -> None:
    """Slippage, delay and funding cost what they say, and the result states them."""
    plain = played(file)
    slipped = played(file, settings={"exchange.slippage_bp": 10})
    late = played(file, settings={"exchange.order_delay_ms": 500})
    funded = played(file, settings={"exchange.funding_rate": "0.001"})

    assert slipped.metrics.profit < plain.metrics.profit  # type: ignore[operator]
    assert slipped.origin.terms["slippage"] == "10 bp against each market order"
    assert late.fills[0].time == plain.fills[0].time + MINUTE
    assert late.origin.terms["order delay"] == "500 ms"
    assert funded.metrics.funding
    assert sum((one.funding for one in funded.trades), D(0)) == D(repr(funded.metrics.funding))
    assert funded.origin.terms["funding"] == "10 bp an hour where the data tells none"


def test_a_range_is_warmed_up_on_what_lies_before_it(file: Path) -> None:
    """A run that begins later knows its averages at once: its first signal needs no warm-up."""
    whole = played(file)
    late = played(file, timerange="20220101T0200-20220101T0400")

    assert late.origin.start == "2022-01-01T02:00:59.999Z"
    assert late.origin.end == "2022-01-01T04:00:00.000Z"
    since, until = START + 120 * MINUTE, START + 240 * MINUTE
    told = [one.entry_time for one in whole.trades if since < one.entry_time < until]
    assert [one.entry_time for one in late.trades][-len(told) + 1 :] == told[1:]


def test_strategies_timeframes_and_symbols_share_one_account(tmp_path: Path) -> None:
    """Two symbols, two timeframes: each copy has its own trades, and their sum is the account's."""
    files = [
        write_bars(tmp_path / f"{name}.csv", closes(400, seed)) for seed, name in enumerate("ab", 1)
    ]
    result = backtest(
        "sma_cross",
        symbol=["A", "B"],
        timeframe=["1m", "5m"],
        params={**QUICK, "sma_cross_5m.fast": 2},
        data=files,
        settings=FREE,
    )

    assert set(result.origin.strategies) == {"sma_cross_1m", "sma_cross_5m"}
    assert result.origin.strategies["sma_cross_5m"]["fast"] == 2
    seen = {(one.symbol, one.strategy) for one in result.trades}
    assert seen == {(s, f"sma_cross_{t}") for s in "AB" for t in ("1m", "5m")}
    total = sum((one.pnl for one in result.trades), D(0))
    assert result.curve.equity[-1] == pytest.approx(1e6 + float(total), abs=1e-6)


def test_quotes_are_traded_at_the_touch(tmp_path: Path) -> None:
    """On quotes an order fills at once; equity is told by the minute, at the middle."""
    rows = []
    for second in range(0, 7200, 5):
        price = 100 + 5 * np.sin(second / 600)
        time = START // 10**6 + second * 1000
        rows.append((time, f"{price - 0.05:.2f}", f"{price + 0.05:.2f}", 10, 10))
    quotes = write(
        tmp_path / "btc-quotes.csv", ("timestamp_ms", "bid", "ask", "bid_size", "ask_size"), rows
    )
    result = backtest("tests.research.ticking:Swing", symbol="BTC", data=quotes, settings=FREE)

    assert result.origin.fills == "quotes"
    assert len(result.trades) == 5
    assert {one.side for one in result.trades} == {"long", "short"}
    assert result.prices["BTC"].length == MINUTE
    assert len(result.curve) == pytest.approx(121, abs=1)


def test_a_notebook_with_a_running_loop_may_call_it(file: Path) -> None:
    """Called inside a running event loop it plays in a thread of its own, to the same end."""

    async def cell() -> Result:
        return played(file)

    assert asyncio.run(cell()).origin == played(file).origin


def test_the_example_of_the_page_runs_as_it_is_written(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the candles of the quick start in the catalogue."""
    page = (Path(__file__).parents[2] / "docs" / "backtest.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    monkeypatch.setenv("TRADEAGENT_DATA", str(tmp_path))
    imported = CliRunner().invoke(data_command, ["import", str(file), "--symbol", "BTC"])
    assert imported.exit_code == 0, imported.output

    exec(example, {})

    assert "Fills are assumed at the prices of candles" in capsys.readouterr().out


def test_the_command_leaves_a_whole_folder(file: Path, tmp_path: Path) -> None:
    """The folder holds tables, summary, page and journal; --json prints the summary."""
    out = tmp_path / "out"
    arguments = ["-s", "sma_cross", "--symbol", "BTC", "--timeframe", "1m", "--data", str(file)]
    arguments += ["-p", "fast=3", "-p", "slow=8", "--fee", "0.0003", "--slippage-bp", "1.5"]
    arguments += ["--latency-ms", "20", "--balance", "5000", "--funding", "0.00001"]
    shown = CliRunner().invoke(command, [*arguments, "--out", str(out), "--json"])

    assert shown.exit_code == 0, shown.output
    told = json.loads(shown.stdout)
    assert told == json.loads((out / "summary.json").read_text(encoding="utf-8"))
    terms = told["origin"]["terms"]
    assert (terms["balance"], terms["taker fee"], terms["maker fee"]) == ("5000.0", "3 bp", "3 bp")
    assert (terms["fee tiers"], terms["order delay"]) == ("none", "20 ms")
    names = {"trades.csv", "orders.csv", "fills.csv", "equity.csv", "report.html", "state"}
    assert names <= {path.name for path in out.iterdir()}
    assert SqlRecords.read(out / "state" / "journal.db").head().hash == told["origin"]["journal"]
    assert load(out).metrics.trades == told["metrics"]["trades"]
    again = CliRunner().invoke(command, [*arguments, "--out", str(out), "--json"])
    assert json.loads(again.stdout)["origin"]["journal"] == told["origin"]["journal"]


def test_a_folder_with_something_else_is_left_alone(file: Path, tmp_path: Path) -> None:
    """What is no result is not written over."""
    (tmp_path / "thesis.txt").write_text("years of work", encoding="utf-8")
    with pytest.raises(CommandError, match="holds something else"):
        CliRunner().invoke(
            command,
            ["-s", "sma_cross", "--symbol", "BTC", "--data", str(file), "--out", str(tmp_path)],
            catch_exceptions=False,
        )


@pytest.fixture
def short(tmp_path: Path) -> Path:
    """Return half an hour of a walk."""
    return write_bars(tmp_path / "btc.csv", closes(30))


def test_a_result_gives_way_to_the_same_backtest_only(short: Path, tmp_path: Path) -> None:
    """Other settings, other data and a resumed run are refused in one line; --force says it."""
    out, other = tmp_path / "out", write_bars(tmp_path / "eth.csv", closes(30, 2))
    slower = {"params": {**QUICK, "slow": 9}}
    save(played(short, out=out), out)

    save(played(short, out=out), out)
    for changes, said in (
        (slower, "a backtest with other settings"),
        ({"resume_daily": True}, "a backtest with other settings"),
        ({"data": f"BTC={other}"}, "a backtest on other data"),
    ):
        told = f"--out: {out} holds {said}; name a new folder, or say --force to write over it"
        with pytest.raises(CommandError, match=f"^{re.escape(told)}$"):
            played(short, out=out, **changes)
    assert load_summary(out).origin.strategies["sma_cross"]["slow"] == 8
    played(short, out=out, force=True, **slower)


@pytest.mark.parametrize("name", ["trials.jsonl", "summary.json"])
def test_what_is_no_backtest_is_not_written_over(short: Path, tmp_path: Path, name: str) -> None:
    """The folder of a search and a summary of somebody else are left alone."""
    out = tmp_path / "out"
    out.mkdir()
    (out / name).write_text('{"total": 3}', encoding="utf-8")

    with pytest.raises(CommandError, match="holds something else"):
        played(short, out=out)


def test_the_best_of_a_search_is_not_written_over(short: Path, tmp_path: Path) -> None:
    """It knows of how many it is the best: the same backtest alone would forget that."""
    out = tmp_path / "out"
    save(replace(played(short), trials=Trials(12, 0.05)), out)

    with pytest.raises(CommandError, match="holds the best of a search"):
        played(short, out=out)


def test_a_run_that_is_cut_off_leaves_no_result_of_another(short: Path, tmp_path: Path) -> None:
    """What tells of an earlier result is gone before the run begins; the next run goes on."""
    out, left = tmp_path / "out", list[str]()
    save(played(short, out=out), out)
    (out / "report.html").write_text("old", encoding="utf-8")

    played(short, out=out, progress=lambda _: left.extend(one.name for one in out.iterdir()))

    assert set(left) == {"state"}
    played(short, out=out, params={**QUICK, "slow": 9})


def test_a_folder_that_cannot_be_written_is_one_line(short: Path) -> None:
    """It names the option and the remedy."""
    told = f"--out: {short / 'out'} cannot be written (Not a directory); name another folder"
    with pytest.raises(CommandError, match=f"^{re.escape(told)}$"):
        played(short, out=short / "out")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"symbol": ""}, "--symbol: a name is empty; give one, as in --symbol BTC"),
        ({"symbol": ["BTC", "BTC"]}, "--symbol: names BTC more than once"),
        ({"symbol": ["BTC", "ETH"]}, "'ETH' is not in the feed; it has BTC"),
        ({"timeframe": "7m"}, "--timeframe: '7m' is none; give one of 1m,"),
        ({"timerange": "2022"}, "--timerange: '2022' is no range; write one such as"),
        ({"timerange": "20230101-"}, "nothing lies between 2023-01-01 .* the files hold"),
        ({"params": {"fsat": 3}}, r"-p fsat=3: .*params.fsat: unknown key; did you mean fast\?"),
        ({"params": {"fast": "x"}}, "-p fast=x: .*must be a whole number"),
        ({"params": {"cross.fast": 3}}, r"there is no strategy 'cross'; did you mean sma_cross\?"),
        ({"data": "/nowhere/btc.csv"}, "btc.csv: cannot be read: No such file"),
        ({"data": (), "catalogue": "/nowhere"}, "has no bars of BTC; .*tradeagent data import"),
        ({"settings": {"risk.sizng": 1}}, "risk.sizng: unknown key"),
        ({"config": "/nowhere.yaml"}, "/nowhere.yaml"),
    ],
)
def test_mistakes_are_one_line_with_the_remedy(
    file: Path, changes: dict[str, object], told: str
) -> None:
    """Missing data, a wrong range, an unknown parameter, an empty symbol: one clear line each."""
    with pytest.raises((CommandError, ConfigError, DataError), match=told) as raised:
        played(file, **changes)
    assert len(str(raised.value).splitlines()) == 1


def test_what_stops_trading_is_told_and_an_operator_may_resume_it(tmp_path: Path) -> None:
    """Where the loss of a day halts it, the result says when; resumed daily, it trades on."""
    path = write_bars(tmp_path / "btc.csv", closes(3000, seed=3))
    settings = {**FREE, "risk.limits.max_daily_loss_ratio": "0.000002"}
    halted = played(path, settings=settings)
    resumed = played(path, settings=settings, resume_daily=True)

    assert halted.warnings[0].startswith("Trading went to REDUCE_ONLY at 2022-01-01T")
    assert "DAILY_LOSS" in halted.warnings[0]
    assert len(resumed.trades) > len(halted.trades)
    assert any("resumed at the next midnight" in one for one in resumed.warnings)


def test_candles_that_are_missing_are_told(tmp_path: Path) -> None:
    """A hole in the data stands among the warnings."""
    minutes = [*range(60), *range(70, 130)]
    path = write_bars(tmp_path / "btc.csv", closes(120), minutes=minutes)

    assert "btc.csv: 10 candles are missing in 1 gap." in played(path).warnings
