"""What the venue answers, field by field, so that a dump gives back the same JSON.

Every shape may have more keys than are named here; they are kept. Amounts of the account are
Decimal; prices and sizes of the market stay the text they came as until a message is made of them.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, TypeAdapter
from pydantic.alias_generators import to_camel

from tradeagent.messages import InstrumentUpdate

PERP_DECIMALS = 6
SIGNIFICANT = 5


def plain(value: Decimal) -> str:
    """Return a number as the venue writes it: no exponent."""
    return format(value, "f")


Money = Annotated[Decimal, Field(allow_inf_nan=False), PlainSerializer(plain, return_type=str)]
Figure = Annotated[str, Field(pattern=r"^-?[0-9]{1,30}(\.[0-9]{1,30})?$")]
Milliseconds = Annotated[int, Field(ge=0, lt=1 << 43)]
Letter = Literal["A", "B"]


class Answer(BaseModel):
    """A part of an answer: frozen, named as on the wire, unknown keys kept."""

    model_config = ConfigDict(
        frozen=True, extra="allow", alias_generator=to_camel, hide_input_in_errors=True
    )

    def dump(self) -> object:
        """Return the JSON it came as."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)


# -- what is traded -------------------------------------------------------------------------------


class MarginTier(Answer):
    """From which notional on how much leverage is left."""

    lower_bound: Money
    max_leverage: int


class MarginTable(Answer):
    """The tiers of one kind of instrument, rising."""

    description: str = ""
    margin_tiers: tuple[MarginTier, ...]


class Asset(Answer):
    """One perpetual; its place in the universe is its number."""

    name: str
    sz_decimals: int = Field(ge=0, le=PERP_DECIMALS)
    max_leverage: int = Field(ge=1)
    margin_table_id: int | None = None
    is_delisted: bool = False
    only_isolated: bool = False

    def instrument(self, tables: dict[int, MarginTable]) -> InstrumentUpdate:
        """Return the grid and the margin tiers: five digits, and six decimals less the size's."""
        table = tables.get(self.margin_table_id or 0)
        tiers = table.margin_tiers if table is not None else ()
        return InstrumentUpdate(
            symbol=self.name,
            tick=Decimal(1).scaleb(self.sz_decimals - PERP_DECIMALS),
            lot=Decimal(1).scaleb(-self.sz_decimals),
            significant=SIGNIFICANT,
            max_leverage=self.max_leverage,
            margin_tiers=tuple(
                (one.lower_bound, one.max_leverage) for one in tiers if one.lower_bound > 0
            ),
        )


class Meta(Answer):
    """What the venue lists."""

    universe: tuple[Asset, ...]
    margin_tables: tuple[tuple[int, MarginTable], ...] = ()


class Level(Answer):
    """A price of a book, the size there and by how many orders."""

    px: Figure
    sz: Figure
    n: int


class BookSnapshot(Answer):
    """A book: bids and asks, best first."""

    coin: str
    time: Milliseconds = 0
    levels: tuple[tuple[Level, ...], tuple[Level, ...]]


class Candle(Answer):
    """A candle, closed or not; `trades` grows until it closes."""

    opened: Milliseconds = Field(alias="t")
    closes: Milliseconds = Field(alias="T")
    coin: str = Field(alias="s")
    interval: str = Field(alias="i")
    open: Figure = Field(alias="o")
    high: Figure = Field(alias="h")
    low: Figure = Field(alias="l")
    close: Figure = Field(alias="c")
    volume: Figure = Field(alias="v")
    trades: int = Field(alias="n")


class FundingRate(Answer):
    """The funding of one hour."""

    coin: str
    funding_rate: Money
    premium: Money
    time: Milliseconds


# -- orders ---------------------------------------------------------------------------------------


class BasicOrder(Answer):
    """An order as `openOrders` and the stream of updates show it."""

    coin: str
    side: Letter
    limit_px: Money
    sz: Money
    oid: int
    timestamp: Milliseconds
    orig_sz: Money | None = None
    cloid: str | None = None
    reduce_only: bool = False


class FrontendOrder(BasicOrder):
    """An order with its trigger."""

    trigger_condition: str = ""
    is_trigger: bool = False
    trigger_px: Money = Decimal(0)
    children: tuple[FrontendOrder, ...] = ()
    is_position_tpsl: bool = False
    order_type: str = ""
    tif: str | None = None


class OrderHistory(Answer):
    """An order, the word for how it stands, and since when."""

    order: FrontendOrder
    status: str
    status_timestamp: Milliseconds


class KnownOrder(Answer):
    """The answer for an order the venue has seen."""

    status: Literal["order"]
    order: OrderHistory


class UnknownOrder(Answer):
    """The answer for an order the venue has not seen, or has forgotten."""

    status: Literal["unknownOid"]


class FillLiquidation(Answer):
    """Whose liquidation a fill was part of."""

    liquidated_user: str | None = None
    mark_px: Money | None = None
    method: str | None = None


class UserFill(Answer):
    """A fill; the fee is above 0 when paid, and `crossed` says that it took."""

    coin: str
    px: Money
    sz: Money
    side: Letter
    time: Milliseconds
    start_position: Money
    dir: str
    closed_pnl: Money
    hash: str
    oid: int
    crossed: bool
    fee: Money
    tid: int | None = None
    cloid: str | None = None
    liquidation: FillLiquidation | None = None


# -- the account ----------------------------------------------------------------------------------


class AssetLeverage(Answer):
    """The leverage of a position, cross or on a margin of its own."""

    type: Literal["cross", "isolated"]
    value: int
    raw_usd: Money | None = None


class AssetPosition(Answer):
    """A position; its size is signed."""

    coin: str
    szi: Money
    leverage: AssetLeverage
    entry_px: Money | None = None
    position_value: Money
    unrealized_pnl: Money
    liquidation_px: Money | None = None
    margin_used: Money


class HeldAsset(Answer):
    """A position in its wrapping."""

    type: str
    position: AssetPosition


class MarginSummary(Answer):
    """Totals of the account."""

    account_value: Money
    total_ntl_pos: Money
    total_raw_usd: Money
    total_margin_used: Money


class ClearinghouseState(Answer):
    """Positions and margin at `time`, ms of the venue."""

    margin_summary: MarginSummary
    cross_margin_summary: MarginSummary | None = None
    cross_maintenance_margin_used: Money = Decimal(0)
    withdrawable: Money | None = None
    asset_positions: tuple[HeldAsset, ...]
    time: Milliseconds = 0


class FundingPart(Answer):
    """What was paid for a position; `usdc` is below 0 when paid."""

    coin: str
    usdc: Money
    szi: Money
    funding_rate: Money


class FundingDelta(FundingPart):
    """A funding payment among other changes of the account."""

    type: Literal["funding"]


class UserFunding(Answer):
    """A funding payment and when it was made."""

    time: Milliseconds
    hash: str
    delta: FundingDelta


class UserRateLimit(Answer):
    """How many actions the account has used and may use."""

    cum_vlm: Money
    n_requests_used: int
    n_requests_cap: int
    n_requests_surplus: int = 0


class RoleData(Answer):
    """Whose agent or sub-account it is."""

    user: str | None = None
    master: str | None = None


class ExtraAgent(Answer):
    """An agent that has a name, and until when it may sign, in ms; null: for ever."""

    name: str
    address: str
    valid_until: Milliseconds | None = None


class UserRole(Answer):
    """What an address is to the venue."""

    role: str
    data: RoleData | None = None


class ExchangeTime(Answer):
    """The venue's time, and what is special about it now."""

    time: Milliseconds


META = TypeAdapter(Meta)
MIDS = TypeAdapter(dict[str, Figure])
BOOK = TypeAdapter(BookSnapshot | None)
CANDLES = TypeAdapter(list[Candle])
FUNDING_HISTORY = TypeAdapter(list[FundingRate])
OPEN_ORDERS = TypeAdapter(list[BasicOrder])
FRONTEND_ORDERS = TypeAdapter(list[FrontendOrder])
ORDER_STATUS: TypeAdapter[KnownOrder | UnknownOrder] = TypeAdapter(
    Annotated[KnownOrder | UnknownOrder, Field(discriminator="status")]
)
ORDER_HISTORY = TypeAdapter(list[OrderHistory])
FILLS = TypeAdapter(list[UserFill])
STATE = TypeAdapter(ClearinghouseState)
FUNDING = TypeAdapter(list[UserFunding])
RATE_LIMIT = TypeAdapter(UserRateLimit)
ROLE = TypeAdapter(UserRole)
AGENTS = TypeAdapter(list[ExtraAgent])
TIME = TypeAdapter(ExchangeTime)
WORD = TypeAdapter(str)
