"""Who may say what on the bus: what comes from outside under another's name is forged."""

from __future__ import annotations

from tradeagent.messages import (
    AccountUpdate,
    AuditReport,
    ExecutionReport,
    Fill,
    FundingPayment,
    Message,
    OrderUpdate,
    PositionUpdate,
    Release,
    Restriction,
    RiskAssessment,
    RiskOverride,
    TrackRecord,
    TradingMode,
    TradingState,
)

SPOKEN_BY: dict[str, tuple[type[Message], ...]] = {
    "execution": (
        ExecutionReport,
        OrderUpdate,
        Fill,
        FundingPayment,
        PositionUpdate,
        AccountUpdate,
    ),
    "risk": (RiskAssessment, TradingState, Release, TrackRecord),
    "compliance": (Restriction, AuditReport),
}
"""What only one agent says: from outside its process it is forged."""
SHUT = frozenset({TradingMode.HALTED, TradingMode.SAFE_MODE, TradingMode.LOCKED})
"""The states that anybody on the bus may ask for."""


def frees(message: Message) -> bool:
    """Tell whether an operator's word could let trading go on: none from the bus may."""
    return (
        isinstance(message, RiskOverride) and message.mode is not None and message.mode not in SHUT
    )
