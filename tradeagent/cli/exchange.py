"""`tradeagent exchange`: a simulated venue as a server that speaks Hyperliquid's protocol."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tradeagent.cli.replay import moment
from tradeagent.clock import AcceleratedClock, Clock, WallClock
from tradeagent.errors import CommandError

if TYPE_CHECKING:
    from tradeagent.integrations.base import MarketFeed
    from tradeagent.simulation.venue.floor import Floor
    from tradeagent.simulation.venue.intake import Rules
    from tradeagent.simulation.venue.serving import Ports

BOOK_EVERY = 5
CENT = Decimal("0.01")
exchange = typer.Typer(add_completion=False, rich_markup_mode=None)


@exchange.command()
def start(
    port: Annotated[int, typer.Option("--port", help="Where to listen; 0 for any port.")] = 3001,
    admin_port: Annotated[
        int, typer.Option("--admin-port", help="Where fault switches are set; 0 for any port.")
    ] = 0,
    balance: Annotated[
        str, typer.Option("--balance", help="What every new address starts with, in USDC.")
    ] = "10000",
    state: Annotated[
        Path | None, typer.Option("--state", help="Keep accounts here; nothing is kept without.")
    ] = None,
    seed: Annotated[
        int, typer.Option("--seed", help="Which market is generated, and which faults strike.")
    ] = 1,
    data: Annotated[
        list[Path] | None,
        typer.Option("--data", help="A recorded market file to play. Repeatable."),
    ] = None,
    symbol: Annotated[
        str | None, typer.Option("--symbol", help="The symbol of the recorded files.")
    ] = None,
    speed: Annotated[float, typer.Option("--speed", help="Times real time.")] = 1.0,
    origin: Annotated[
        str | None, typer.Option("--origin", help="The time it is at the start, in ISO 8601.")
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", help="When it was --origin, by the wall clock.")
    ] = None,
    network: Annotated[
        str, typer.Option("--network", help="Whose signatures count: any, mainnet or testnet.")
    ] = "any",
    no_limits: Annotated[
        bool, typer.Option("--no-limits", help="Refuse no request for its number; for load tests.")
    ] = False,
    schedule_volume: Annotated[
        str,
        typer.Option(
            "--schedule-volume", help="USDC an account must have traded to schedule a cancel."
        ),
    ] = "0",
    no_builder_fees: Annotated[
        bool, typer.Option("--no-builder-fees", help="Refuse approvals of builder fees.")
    ] = False,
    closed: Annotated[
        bool, typer.Option("--closed", help="Know only addresses that signed for themselves.")
    ] = False,
) -> None:
    """Serve a simulated venue on the loopback; the first line printed is JSON with its URLs."""
    from tradeagent.log import setup
    from tradeagent.simulation.venue import Floor, VenueSettings
    from tradeagent.simulation.venue.intake import SIGNED_FOR, Rules
    from tradeagent.simulation.venue.serving import Ports

    if network not in SIGNED_FOR:
        raise CommandError(f"--network: {network!r} is none of {', '.join(SIGNED_FOR)}")
    clock = _clock(speed, origin, since)
    rules = Rules(network, limited=not no_limits, open_accounts=not closed)
    feed = _feed(data or [], symbol, seed)
    usual = VenueSettings()
    settings = VenueSettings(
        exchange=usual.exchange.model_copy(update={"balance": _amount("--balance", balance, CENT)}),
        schedule_volume=_amount("--schedule-volume", schedule_volume, Decimal(0)),
        builder_fees=not no_builder_fees,
        seed=seed,
    )
    setup("console", "WARNING")
    floor = Floor(settings, feed, clock, state)
    asyncio.run(_serve(floor, clock, rules, Ports(port, admin_port), seed))


async def _serve(floor: Floor, clock: Clock, rules: Rules, ports: Ports, seed: int) -> None:
    """Serve until interrupted."""
    from tradeagent.simulation.venue.serving import serve_venue

    done = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, done.set)
    async with serve_venue(floor, clock, rules, ports, seed) as (url, admin):
        where = {"url": url, "ws": f"ws{url.removeprefix('http')}/ws", "admin": admin}
        sys.stdout.write(json.dumps(where) + "\n")
        sys.stdout.flush()
        await done.wait()


def _clock(speed: float, origin: str | None, since: str | None) -> Clock:
    """Return the wall clock, or one that runs faster or from another time."""
    if speed <= 0:
        raise CommandError(f"--speed: {speed} is not above 0")
    if since is not None and origin is None:
        raise CommandError("--since: say with --origin what time it was then")
    if origin is None and speed == 1.0:
        return WallClock()
    start = WallClock().now() if origin is None else moment("--origin", origin)
    return AcceleratedClock(start, speed, None if since is None else moment("--since", since))


def _amount(option: str, text: str, least: Decimal) -> Decimal:
    """Return an amount of USDC."""
    try:
        amount = Decimal(text)
    except InvalidOperation as error:
        raise CommandError(f"{option}: {text!r} is no number") from error
    if not amount.is_finite() or amount < least:
        raise CommandError(f"{option}: {text} is below {least}")
    return amount


def _feed(files: list[Path], symbol: str | None, seed: int) -> MarketFeed:
    """Return the market to play: what was recorded, or else one generated from the seed."""
    if files:
        from tradeagent.integrations.recorded import RecordedFeed, RecordedFile, RecordedSettings

        recorded = tuple(RecordedFile(path=path, symbol=symbol) for path in files)
        return RecordedFeed(RecordedSettings(files=recorded))
    if symbol is not None:
        raise CommandError("--symbol: it names what --data holds; give a file")
    from tradeagent.simulation import GeneratedMarket, MarketSettings

    return GeneratedMarket(MarketSettings(seed=seed, tick_seconds=1, book_seconds=BOOK_EVERY))
