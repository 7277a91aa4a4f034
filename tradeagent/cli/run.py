"""`tradeagent run`: the daemon itself."""

from __future__ import annotations

import asyncio
import getpass
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tradeagent.cli.options import Files, Profile, State
from tradeagent.cli.places import configuration, states, trading_key
from tradeagent.clock import SECOND
from tradeagent.errors import ConfigError

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
if TYPE_CHECKING:
    from tradeagent.opening import Unlock

SHORTEST = 3
"""Letters a reason has at least."""
run = typer.Typer(add_completion=False, rich_markup_mode=None)


@run.command()
def start(
    profile: Profile = None,
    config: Files = None,
    state: State = None,
    bus: Annotated[
        str | None, typer.Option("--bus", help="memory:// or redis://HOST:PORT/DB.")
    ] = None,
    agents: Annotated[
        str | None, typer.Option("--agents", help="Run these agents only: A,B,C.")
    ] = None,
    data: Annotated[
        list[Path] | None,
        typer.Option("--data", help="A recorded market file to play. Repeatable."),
    ] = None,
    symbol: Annotated[
        str | None, typer.Option("--symbol", help="The symbol of the recorded files.")
    ] = None,
    speed: Annotated[str | None, typer.Option("--speed", help="Times real time, or max.")] = None,
    duration: Annotated[
        str | None,
        typer.Option("--for", help="How long to run, in market time: 90s, 15m, 4h, 1d, 2w."),
    ] = None,
    seed: Annotated[
        int | None, typer.Option("--seed", help="Which generated market to trade.")
    ] = None,
    summary: Annotated[
        Path | None, typer.Option("--summary", help="Write what the run came to, as JSON.")
    ] = None,
    live: Annotated[
        bool, typer.Option("--live", help="Trade real money; the file must say live: true, too.")
    ] = False,
    unlock: Annotated[
        bool, typer.Option("--unlock", help="Trade again after LOCKED; needs --reason.")
    ] = False,
    reason: Annotated[
        str, typer.Option("--reason", help="Why it is unlocked; it goes on record.")
    ] = "",
) -> None:
    """Run the daemon until interrupted, or as long as --for says."""
    word = _word(reason) if unlock or reason else None
    if word is not None and not unlock:
        raise ConfigError("--reason: there is nothing to give a reason for without --unlock")
    overrides = _overrides(bus, data, symbol, speed)
    loaded = configuration(profile or ("replay" if data else None), config or [], overrides)
    from tradeagent.plan import make_plan, refuse_unarmed

    only = tuple(name.strip() for name in agents.split(",")) if agents else ()
    plan = make_plan(loaded, seed, only)
    origin = loaded.origins.get("live", "")
    refuse_unarmed(plan, live, any(origin.startswith(str(file)) for file in config or ()))
    length = _length(duration) if duration is not None else None
    place = _place(state, plan.identity, only)
    from tradeagent.cli.session import run_session
    from tradeagent.parts import fast_loop

    with asyncio.Runner(loop_factory=fast_loop()) as runner:
        runner.run(run_session(plan, place, length, summary, word, trading_key(plan)))


def _word(reason: str) -> Unlock:
    if len(reason.strip()) < SHORTEST:
        raise ConfigError("--unlock: say why with --reason TEXT, in 3 letters at least")
    from tradeagent.opening import Unlock

    return Unlock(reason.strip(), getpass.getuser())


def _place(state: Path | None, identity: str, only: tuple[str, ...]) -> Path:
    """Return the state folder; a process without Execution has one of its own by default."""
    place = state or states() / identity
    if only and "execution" not in only and state is None:
        place = place.with_name(f"{place.name}-{'-'.join(sorted(only))}")
    return place


def _overrides(
    bus: str | None, data: list[Path] | None, symbol: str | None, speed: str | None
) -> dict[str, object]:
    overrides: dict[str, object] = {}
    if bus is not None:
        overrides["bus.url"] = bus
    if data:
        files = [{"path": str(path), **({"symbol": symbol} if symbol else {})} for path in data]
        overrides["feeds"] = [{"type": "recorded", "files": files}]
    elif symbol is not None:
        overrides["watchlist"] = [symbol]
    if speed == "max":
        overrides["clock.mode"] = "simulated"
    elif speed is not None:
        try:
            overrides["clock.speed"] = float(speed)
        except ValueError as error:
            raise ConfigError(f"--speed: {speed!r} is neither a number nor max") from error
        overrides["clock.mode"] = "accelerated"
    return overrides


def _length(text: str) -> int:
    """Return a duration in ns; raises ConfigError for what is none."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhdw])", text.strip())
    if found is None or float(found[1]) <= 0:
        raise ConfigError(f"--for: {text!r} is no duration; write 90s, 15m, 4h, 1d or 2w")
    return int(float(found[1]) * UNITS[found[2]] * SECOND)
