"""Turn what the venue tells into messages."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from functools import wraps
from typing import ParamSpec, TypeVar

from pydantic import ValidationError

from tradeagent.clock import MILLISECOND
from tradeagent.errors import VenueUnavailable
from tradeagent.integrations.hyperliquid.answers import (
    AssetPosition,
    ClearinghouseState,
    FrontendOrder,
    FundingPart,
    UserFill,
)
from tradeagent.integrations.hyperliquid.listing import Listing
from tradeagent.messages import (
    ZERO,
    AccountUpdate,
    Execution,
    ExecutionReport,
    FundingPayment,
    InstrumentUpdate,
    Order,
    OrderStatus,
    PositionUpdate,
)
from tradeagent.messages.market import Side
from tradeagent.messages.orders import OrderType, TimeInForce

SIDES: dict[str, Side] = {"B": "buy", "A": "sell"}
TIFS: dict[str | None, TimeInForce] = {
    "Gtc": "GTC",
    "Alo": "ALO",
    "Ioc": "IOC",
    "FrontendMarket": "IOC",
    "LiquidationMarket": "IOC",
}
ONE = Decimal(1)
IMPOSED = ("Liquidated", "Auto-Deleveraging", "Settlement")
"""How the label of a fill begins that the venue made itself; nothing else in it tells."""


P = ParamSpec("P")
T = TypeVar("T")


def believable(read: Callable[P, T]) -> Callable[P, T]:
    """Return `read` so that what cannot be, such as a price of zero, is VenueUnavailable."""

    @wraps(read)
    def careful(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return read(*args, **kwargs)
        except ValidationError as error:
            raise VenueUnavailable(f"the venue tells what cannot be: {error}") from None

    return careful


def is_imposed(fill: UserFill, account: str) -> bool:
    """Tell whether the venue closed the account's position against its will."""
    part = fill.liquidation
    ours = part is not None and (part.liquidated_user or "").lower() == account
    return fill.cloid is None and (ours or fill.dir.startswith(IMPOSED))


def in_order(fills: Iterable[UserFill]) -> list[UserFill]:
    """Return fills by time; those of one moment and symbol as their positions follow each other.

    Each starts from the position the one before has left; where that chain is broken the venue's
    own order stands.
    """
    moments: dict[tuple[int, str], list[UserFill]] = defaultdict(list)
    for fill in fills:
        moments[fill.time, fill.coin].append(fill)
    ordered = []
    for key in sorted(moments, key=lambda one: one[0]):
        ordered += _chained(moments[key])
    return ordered


def _chained(fills: list[UserFill]) -> list[UserFill]:
    if len(fills) < 2:
        return fills
    ends = {_end(fill) for fill in fills}
    left = list(fills)
    follow = next((one for one in left if one.start_position not in ends), left[0])
    chain: list[UserFill] = []
    while True:
        left.remove(follow)
        chain.append(follow)
        end = _end(follow)
        found = next((one for one in left if one.start_position == end), None)
        if found is None:
            return chain + left
        follow = found


def _end(fill: UserFill) -> Decimal:
    return fill.start_position + (fill.sz if fill.side == "B" else -fill.sz)


@believable
def fill_report(
    fill: UserFill, cloid: str, *, whole: bool, while_down: bool, made: Order | None = None
) -> ExecutionReport:
    """Return the report of a fill; raises VenueUnavailable where it has no id.

    `whole` says that nothing of its order is left, `made` is the order where the venue made it.
    """
    if fill.tid is None:
        raise VenueUnavailable(f"a fill of {cloid} has no id")
    return ExecutionReport(
        cloid=cloid,
        symbol=fill.coin,
        status=OrderStatus.FILLED if whole else OrderStatus.PARTIAL,
        time=fill.time * MILLISECOND,
        oid=str(fill.oid),
        execution=Execution(
            tid=str(fill.tid),
            price=fill.px,
            size=fill.sz,
            fee=fill.fee,
            liquidity="taker" if fill.crossed else "maker",
            while_down=while_down,
            liquidation=made is not None,
        ),
        order=made,
    )


@believable
def imposed_order(fills: Sequence[UserFill]) -> Order:
    """Return the order the venue made, of which these are all fills of one moment.

    Its name is a pure function of them, so that it is the same however often they are told.
    """
    first = fills[0]
    name = f"liquidation-{first.oid}-{first.time}"
    return Order(
        cloid=name,
        intent_id=name,
        symbol=first.coin,
        side=SIDES[first.side],
        size=sum((one.sz for one in fills), ZERO),
        type="market",
        reduce_only=True,
    )


@believable
def order_of(shown: FrontendOrder, instrument: InstrumentUpdate | None) -> Order:
    """Return a resting order; one without a cloid has its number for it.

    An order for a whole position has no size of its own and shows as one lot.
    """
    name = shown.cloid or str(shown.oid)
    kind: OrderType = "limit"
    if shown.is_trigger:
        kind = "take_profit" if shown.order_type.startswith("Take") else "stop"
    return Order(
        cloid=name,
        intent_id=name,
        symbol=shown.coin,
        side=SIDES[shown.side],
        size=shown.orig_sz or shown.sz or (instrument.lot if instrument is not None else ONE),
        type=kind,
        limit=shown.limit_px if kind == "limit" or "Limit" in shown.order_type else None,
        trigger=shown.trigger_px if shown.is_trigger else None,
        tif=TIFS.get(shown.tif, "GTC"),
        reduce_only=shown.reduce_only,
    )


@believable
def payment_of(paid: FundingPart, time_ms: int) -> FundingPayment:
    """Return a funding payment: above 0 when paid, named by symbol and time."""
    return FundingPayment(
        symbol=paid.coin,
        time=time_ms * MILLISECOND,
        rate=paid.funding_rate,
        payment=-paid.usdc,
        tid=f"funding-{paid.coin}-{time_ms}",
    )


@believable
def account_of(state: ClearinghouseState, listing: Listing) -> AccountUpdate:
    """Return the account: equity at the marks, balance without what is not realised."""
    summary = state.margin_summary
    held = [one.position for one in state.asset_positions]
    unrealised = sum((one.unrealized_pnl for one in held), ZERO)
    return AccountUpdate(
        balance=summary.account_value - unrealised,
        equity=summary.account_value,
        margin_used=summary.total_margin_used,
        maintenance_margin=state.cross_maintenance_margin_used
        + sum((_own_maintenance(one, listing) for one in held), ZERO),
        unrealised_pnl=unrealised,
        time=state.time * MILLISECOND,
    )


def _own_maintenance(held: AssetPosition, listing: Listing) -> Decimal:
    """Return the maintenance margin of an isolated position, which the venue does not tell."""
    instrument = listing.find(held.coin)
    if held.leverage.type != "isolated" or instrument is None:
        return ZERO
    return instrument.maintenance(held.position_value)


@believable
def positions_of(state: ClearinghouseState) -> list[PositionUpdate]:
    """Return every position that is not flat."""
    return [
        PositionUpdate(
            symbol=one.position.coin,
            size=one.position.szi,
            entry_price=one.position.entry_px or ZERO,
            time=state.time * MILLISECOND,
            liquidation_price=_above_zero(one.position.liquidation_px),
        )
        for one in state.asset_positions
        if one.position.szi
    ]


def _above_zero(price: Decimal | None) -> Decimal | None:
    return price if price is not None and price > 0 else None
