"""Order tickets: how requests are made, and what they have in common."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tradeagent.agents.base import AgentSettings
from tradeagent.agents.desk import Desk, Work
from tradeagent.agents.identity import intent_id
from tradeagent.messages import (
    InstrumentUpdate,
    OrderRequest,
)


class TradingSettings(AgentSettings):
    """How opinions become one target, and targets become orders.

    `net` adds up weights, `strongest` follows the heaviest opinion, `agree` stays flat while
    opinions differ. Signals below `min_confidence` do not count. Exits are market orders.
    """

    conflict: Literal["net", "strongest", "agree"] = Field(
        default="net",
        description="What to do when strategies differ on a symbol: add up their weights, follow "
        "the heaviest, or be flat.",
    )
    removed: Literal["refuse", "adopt", "close"] = Field(
        default="refuse",
        description="What to do at a start with a position whose strategy is configured no more: "
        "do not start, keep it with its stops until those or the operator close it, or close it.",
    )
    min_confidence: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="The least confidence of a signal that counts, from 0 to 1.",
    )
    entry: Literal["market", "limit", "twap", "iceberg"] = Field(
        default="market",
        description="How positions are opened: at once, by a resting limit, by `slices` market "
        "orders over `twap_s`, or by `slices` limits, one shown at a time. Exits are always market "
        "orders.",
    )
    limit_offset_bp: float = Field(
        default=1.0,
        ge=0,
        le=100,
        description="How much better than the last price a limit entry asks for, in basis points.",
    )
    reprice_s: float = Field(
        default=30.0,
        gt=0,
        le=3600,
        description="How long a limit entry rests before it is moved to the price of the moment, "
        "in seconds of the clock.",
    )
    reprices: int = Field(
        default=5,
        ge=0,
        le=100,
        description="How often a limit entry is moved; then it is given up.",
    )
    slices: int = Field(
        default=6,
        ge=2,
        le=100,
        description="In how many parts twap and iceberg enter.",
    )
    twap_s: float = Field(
        default=300.0,
        gt=0,
        le=86_400,
        description="Over how long twap spreads its parts, in seconds of the clock.",
    )


class Tickets:
    """The grids of instruments, and what every request of an account has in common."""

    def __init__(self, account: str) -> None:
        """Write for one account."""
        self.instruments: dict[str, InstrumentUpdate] = {}
        self._account = account

    def send(
        self, desk: Desk, request: OrderRequest, steps: dict[str, float], now: int
    ) -> OrderRequest:
        """Note on its desk that a request is under way, and by which steps it changes weights."""
        if desk.work is not None:
            desk.ended = desk.work  # nobody knows what became of it; late fills count
        desk.work = Work(request.intent_id, now, steps, request.limit, request.size)
        return request

    def intent(self, desk: Desk, author: str, trigger: str, leg: str) -> str:
        """Return the id of a request that `author` makes because of `trigger`."""
        return intent_id(self._account, author, desk.symbol, trigger, leg)
