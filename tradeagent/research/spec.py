"""What to backtest, and the plan that comes of it: the configuration a daemon would load."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple, cast

from pydantic import BaseModel, ConfigDict

from tradeagent.agents.analysis import MEMORY
from tradeagent.config.layers import Option
from tradeagent.config.load import Loaded, load
from tradeagent.config.tree import scalar
from tradeagent.errors import CommandError
from tradeagent.integrations.recorded.columns import Content
from tradeagent.messages import TIMEFRAMES, Timeframe
from tradeagent.plan import Plan, make_plan
from tradeagent.research.data.catalogue import Catalogue
from tradeagent.research.data.playing import Chosen, choose
from tradeagent.research.data.root import usual_root
from tradeagent.research.data.span import EVER, Span, parse_span
from tradeagent.strategies import Inputs, load_strategy, make_strategy, strategy_names

PROFILE = "backtest"
FORCED: dict[str, object] = {
    "live": False,
    "bus.url": "memory://",
    "clock.mode": "simulated",
    "exchange.type": "simulated",
    "store.fresh": True,
    "api.enabled": False,
}
"""What makes a configuration one of a backtest, whatever it is otherwise."""


class Backtest(BaseModel):
    """What to play: strategies on symbols over a range of recorded data, on which terms.

    `strategies` are types (`sma_cross`, `package.module:Class`) or names that `config` files give;
    without any, all of the files' are played. `params` sets their parameters, of one alone as
    `name.parameter`. `data` are files, `SYMBOL=FILE` where the name does not tell the symbol;
    without any, `catalogue` or the files' own feed is played. `settings` are dotted paths of the
    configuration. `timerange` is written 20220101-20220201, in UTC. What halts trading, as the
    limit on the loss of a day, halts it for good, for a daemon waits for its operator then; with
    `resume_daily` one resumes it at each midnight.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    strategies: tuple[str, ...] = ()
    symbols: tuple[str, ...] = ()
    timeframes: tuple[str, ...] = ()
    timerange: str = ""
    params: dict[str, object] = {}
    data: tuple[str, ...] = ()
    catalogue: Path | None = None
    config: tuple[Path, ...] = ()
    settings: dict[str, object] = {}
    resume_daily: bool = False


class Planned(NamedTuple):
    """A plan, and what of the wish its data does not fulfil, in words."""

    plan: Plan
    warnings: tuple[str, ...] = ()


def plan_of(backtest: Backtest) -> Planned:
    """Return the plan of a backtest; raises an OperatorError with a line for each mistake."""
    _check(backtest)
    overrides = {**FORCED, **_labelled(backtest.settings)}
    before = _loaded(backtest, overrides)
    overrides |= _strategies(backtest, before)
    if backtest.symbols:
        overrides["watchlist"] = []
    feed, warnings = _feed(backtest, _loaded(backtest, overrides))
    return Planned(make_plan(_loaded(backtest, {**overrides, **feed})), warnings)


def _check(backtest: Backtest) -> None:
    span_of(backtest)
    for option, names in (("--symbol", backtest.symbols), ("--strategy", backtest.strategies)):
        if not all(map(str.strip, names)):
            example = "BTC" if option == "--symbol" else "sma_cross"
            raise CommandError(f"{option}: a name is empty; give one, as in {option} {example}")
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            raise CommandError(f"{option}: names {', '.join(sorted(twice))} more than once")
    for timeframe in backtest.timeframes:
        if timeframe not in TIMEFRAMES:
            known = ", ".join(TIMEFRAMES)
            raise CommandError(f"--timeframe: {timeframe!r} is none; give one of {known}")


def _labelled(settings: Mapping[str, object]) -> dict[str, object]:
    return {path: _given(value, f"setting {path}") for path, value in settings.items()}


def _given(value: object, label: str) -> Option:
    """Return a value as an option; text is read as it would be in YAML."""
    if isinstance(value, Option):
        return value
    return Option(scalar(value) if isinstance(value, str) else value, label)


def _loaded(backtest: Backtest, overrides: Mapping[str, object]) -> Loaded:
    return load(
        profile=PROFILE,
        files=backtest.config,
        overrides=overrides,
        environ=os.environ,
        env_file=Path(".env"),
        secrets=None,
    )


# -- strategies -----------------------------------------------------------------------------------


def _strategies(backtest: Backtest, before: Loaded) -> dict[str, object]:
    """Return what makes the named strategies the only ones, on the symbols and timeframes given."""
    configured = before.settings.strategies
    if not backtest.strategies and not any(one.enabled for one in configured.values()):
        known = ", ".join(strategy_names())
        raise CommandError(
            f"--strategy: none is named and no file configures one; give one of {known}, or your "
            "own as package.module:Class"
        )
    chosen = {_name(one, configured): one for one in backtest.strategies or configured}
    overrides: dict[str, object] = {}
    played: set[str] = set()
    for name in configured:
        if name not in chosen:
            overrides[f"strategies.{name}"] = None
    for name, given in chosen.items():
        entry = configured.get(name)
        type_ = given if entry is None else entry.type
        kept: dict[str, object] = {} if entry is None else entry.model_dump(mode="json")
        kept |= {"type": type_, "enabled": True}
        if backtest.symbols:
            kept.pop("symbols", None)
        copies = _copies(name, type_, backtest)
        played |= {name, *copies}
        if name not in copies and entry is not None:
            overrides[f"strategies.{name}"] = None
        for copy, params in copies.items():
            before_params = cast("dict[str, object]", kept.get("params", {}))
            overrides[f"strategies.{copy}"] = {**kept, "params": {**before_params}}
            if backtest.symbols:
                symbols = Option(list(backtest.symbols), "--symbol")
                overrides[f"strategies.{copy}.symbols"] = symbols
            for key, value in params.items():
                overrides[f"strategies.{copy}.params.{key}"] = value
    _check_params(backtest, played)
    return overrides


def _name(given: str, configured: Mapping[str, object]) -> str:
    """Return what a strategy is called: as configured, as its type, or after its class."""
    if given in configured or ":" not in given:
        return given
    kind = given.partition(":")[2].rpartition(".")[2]
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", kind).lower()


def _copies(name: str, type_: str, backtest: Backtest) -> dict[str, dict[str, object]]:
    """Return the parameters of each copy of a strategy, one for each timeframe given."""
    own = dict(_params(backtest.params, name))
    timeframes = backtest.timeframes
    takes = bool(timeframes) and "timeframe" in load_strategy(type_).Params.model_fields
    if not takes or "timeframe" in own:
        return {name: own}
    if len(timeframes) == 1:
        return {name: {"timeframe": timeframes[0], **own}}
    return {
        f"{name}_{one}": {"timeframe": one, **dict(_params(backtest.params, name, f"{name}_{one}"))}
        for one in timeframes
    }


def _params(params: Mapping[str, object], *names: str) -> Iterator[tuple[str, object]]:
    """Yield the parameters meant for one strategy, which `names` name, its own last."""
    for key, value in params.items():
        if "." not in key:
            yield key, _given(value, f"-p {key}={value}")
    for name in names:
        for key, value in params.items():
            strategy, dot, parameter = key.partition(".")
            if dot and strategy == name:
                yield parameter, _given(value, f"-p {key}={value}")


def _check_params(backtest: Backtest, known: Collection[str]) -> None:
    for key in backtest.params:
        strategy, dot, _ = key.partition(".")
        if dot and strategy not in known:
            close = get_close_matches(strategy, known, n=1)
            hint = f"did you mean {close[0]}?" if close else f"it plays {', '.join(known)}"
            raise CommandError(f"-p {key}: there is no strategy {strategy!r}; {hint}")


# -- data -----------------------------------------------------------------------------------------


def span_of(backtest: Backtest) -> Span:
    """Return the range to play; raises CommandError."""
    return parse_span(backtest.timerange) if backtest.timerange else EVER


def _feed(backtest: Backtest, loaded: Loaded) -> tuple[dict[str, object], tuple[str, ...]]:
    """Return the recording to play: the files named, the configured ones, or the catalogue's."""
    span = span_of(backtest)
    times = {
        name: moment.isoformat()
        for name, moment in (("start", span.first), ("end", span.last))
        if moment is not None
    }
    feeds = loaded.settings.feeds
    if backtest.data:
        files = [_file(one, backtest.symbols) for one in backtest.data]
        return {"feeds": [{"type": "recorded", "files": files, **times}]}, ()
    if len(feeds) == 1 and feeds[0].get("type") == "recorded" and feeds[0].get("files"):
        return {f"feeds.0.{name}": moment for name, moment in times.items()}, ()
    chosen = _chosen(backtest, loaded, span)
    settings = chosen.settings.model_dump(mode="json", exclude_none=True)
    return {"feeds": [{"type": "recorded", **settings}]}, chosen.warnings


def _file(given: str, symbols: Sequence[str]) -> dict[str, object]:
    """Return how one file is read; the only symbol given is what every file holds."""
    symbol, separator, path = given.partition("=")
    if not separator:
        path, symbol = given, symbols[0] if len(symbols) == 1 else ""
    file = Path(path).expanduser().absolute()
    return {"path": str(file), **({"symbol": symbol} if symbol else {})}


def _chosen(backtest: Backtest, loaded: Loaded, span: Span) -> Chosen:
    """Return what the catalogue has of what the strategies ask for."""
    symbols = backtest.symbols or loaded.settings.watchlist
    if not symbols:
        raise CommandError("--symbol: name what to trade, as in --symbol BTC")
    inputs = [one for name in loaded.settings.strategies for one in _inputs(loaded, name)]
    loaded.settle()
    wanted = backtest.timeframes or {bar for one in inputs for bar in one.bars}
    timeframe = cast("Timeframe | None", min(wanted, key=TIMEFRAMES.__getitem__, default=None))
    kinds: list[Content] = ["quotes"] if any(one.quotes for one in inputs) else []
    if timeframe is not None:
        kinds.insert(0, "bars")
    others = [symbol for one in inputs for symbol in one.symbols]
    warmup = _warmup(inputs, TIMEFRAMES[timeframe]) if timeframe is not None else 0
    catalogue = Catalogue(backtest.catalogue or catalogue_root())
    return choose(catalogue, [*symbols, *others], timeframe, span, warmup, kinds)


def catalogue_root() -> Path:
    """Return where market data is kept by default."""
    return usual_root(os.environ)


def _inputs(loaded: Loaded, name: str) -> Iterator[Inputs]:
    """Yield what a configured strategy asks for; what is wrong with it is noted."""
    entry = loaded.settings.strategies[name]
    if not entry.enabled:
        return
    kind = load_strategy(entry.type)
    params = loaded.refine(("strategies", name, "params"), kind.Params)
    if params is not None:
        yield make_strategy(kind, name, "any", params).inputs()


def _warmup(inputs: Sequence[Inputs], length: int) -> int:
    """Return how many candles of `length` ns all that is shown before the start comes to."""
    spans = (one.warmup * TIMEFRAMES[bar] for one in inputs for bar in one.bars)
    return -(-MEMORY * max(spans, default=0) // length)
