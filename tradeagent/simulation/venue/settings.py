"""The settings of the venue."""

from __future__ import annotations

from decimal import Decimal

from pydantic import BaseModel, ConfigDict, Field

from tradeagent.simulation.settings import ExchangeSettings


class VenueSettings(BaseModel):
    """What the venue gives a new address and which of its rules can be chosen."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    exchange: ExchangeSettings = Field(
        default=ExchangeSettings(leverage=20),
        description="What an account starts with and what trading costs it.",
    )
    schedule_volume: Decimal = Field(
        default=Decimal(0),
        ge=0,
        description="What an account must have traded before it may schedule a cancel.",
    )
    builder_fees: bool = Field(
        default=True, description="Whether approvals of builder fees are accepted."
    )
    history_days: int = Field(
        default=90, ge=1, description="How far back its candles and funding rates go, in days."
    )
    always_place: bool = Field(
        default=True,
        description="Whether a modify must say so when its order may trade at once or is a "
        "trigger.",
    )
    seed: int = Field(default=1, description="What numbers fills and hashes are drawn from.")

    @property
    def balance(self) -> Decimal:
        """Return what a new address starts with."""
        return self.exchange.balance
