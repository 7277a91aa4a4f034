"""The options that backtests and optimisations share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tradeagent.errors import CommandError

if TYPE_CHECKING:
    from tradeagent.config.layers import Option

Strategies = Annotated[
    list[str] | None,
    typer.Option(
        "--strategy",
        "-s",
        help="A strategy: built in, package.module:Class, or an entry of -c. Repeatable.",
    ),
]
Symbols = Annotated[
    list[str] | None,
    typer.Option("--symbol", help="What to trade: BTC, or BTC,ETH. Repeatable."),
]
Timeframes = Annotated[
    list[str] | None,
    typer.Option("--timeframe", "-i", help="The candles to look at, such as 1m. Repeatable."),
]
Timerange = Annotated[
    str,
    typer.Option("--timerange", help="From and up to, UTC, as 20220101-20220201 or 20220101-."),
]
Data = Annotated[
    list[str] | None,
    typer.Option("--data", help="A recorded file: FILE or SYMBOL=FILE. Repeatable."),
]
Catalogue = Annotated[
    Path | None,
    typer.Option(
        "--catalogue", help="The catalogue's folder; else TRADEAGENT_DATA, else the user's own."
    ),
]
Balance = Annotated[
    float | None, typer.Option("--balance", help="What the account begins with.", min=0)
]
Fee = Annotated[
    float | None,
    typer.Option("--fee", help="What every fill costs, as a ratio: 0.0005 is 5 bp. No tiers."),
]
Slippage = Annotated[
    float | None,
    typer.Option("--slippage-bp", help="What market orders lose to spread and depth.", min=0),
]
Latency = Annotated[
    int | None,
    typer.Option("--latency-ms", help="How long orders and cancels are on their way.", min=0),
]
Resume = Annotated[
    bool,
    typer.Option("--resume-daily", help="Where a limit halts trading, resume at midnight UTC."),
]
Funding = Annotated[
    float | None,
    typer.Option("--funding", help="The hourly funding rate where the data tells none."),
]


def names(given: Sequence[str] | None) -> tuple[str, ...]:
    """Return the names in options that may be repeated, or hold several with commas between."""
    return tuple(name.strip() for one in given or () for name in one.split(","))


def pairs(given: Sequence[str] | None, option: str = "-p") -> dict[str, object]:
    """Return what options written NAME=VALUE say; raises CommandError."""
    found: dict[str, object] = {}
    for one in given or ():
        name, separator, value = one.partition("=")
        if not (separator and name and value):
            example = "fast=10" if option == "-p" else "exchange.order_delay_ms=250"
            raise CommandError(f"{option} {one}: write NAME=VALUE, such as {option} {example}")
        found[name.strip()] = value.strip()
    return found


def terms(
    balance: float | None,
    fee: float | None,
    slippage_bp: float | None,
    latency_ms: int | None,
    funding: float | None,
) -> dict[str, object]:
    """Return the settings of the exchange that the options set."""
    from tradeagent.config.layers import Option

    found: dict[str, Option] = {}
    if balance is not None:
        found["exchange.balance"] = Option(repr(balance), "--balance")
    if fee is not None:
        found["exchange.taker_fee"] = found["exchange.maker_fee"] = Option(repr(fee), "--fee")
        found["exchange.fee_tiers"] = Option([], "--fee")
    if slippage_bp is not None:
        found["exchange.slippage_bp"] = Option(repr(slippage_bp), "--slippage-bp")
    for name in ("order_delay_ms", "cancel_delay_ms") if latency_ms is not None else ():
        found[f"exchange.{name}"] = Option(latency_ms, "--latency-ms")
    if funding is not None:
        found["exchange.funding_rate"] = Option(repr(funding), "--funding")
    return dict(found)
