"""The trading states: which follow which, by themselves or by an operator's word."""

from __future__ import annotations

from tradeagent.messages import TradingMode

M = TradingMode

AUTOMATIC: dict[TradingMode, frozenset[TradingMode]] = {
    M.ACTIVE: frozenset({M.REDUCE_ONLY, M.FLATTENING, M.HALTED, M.SAFE_MODE, M.LOCKED}),
    M.REDUCE_ONLY: frozenset({M.FLATTENING, M.HALTED, M.SAFE_MODE, M.LOCKED}),
    M.FLATTENING: frozenset({M.HALTED, M.SAFE_MODE, M.LOCKED}),
    M.HALTED: frozenset({M.SAFE_MODE, M.LOCKED}),
    M.SAFE_MODE: frozenset({M.LOCKED}),
    M.LOCKED: frozenset(),
}
"""Where a state goes by itself: only down."""

BY_OPERATOR: dict[TradingMode, frozenset[TradingMode]] = {
    M.ACTIVE: AUTOMATIC[M.ACTIVE],
    M.REDUCE_ONLY: AUTOMATIC[M.REDUCE_ONLY] | {M.ACTIVE},
    M.FLATTENING: AUTOMATIC[M.FLATTENING] | {M.ACTIVE, M.REDUCE_ONLY},
    M.HALTED: AUTOMATIC[M.HALTED] | {M.ACTIVE, M.REDUCE_ONLY, M.FLATTENING},
    M.SAFE_MODE: AUTOMATIC[M.SAFE_MODE] | {M.ACTIVE, M.REDUCE_ONLY, M.FLATTENING, M.HALTED},
    M.LOCKED: frozenset(),
}
"""Where an operator with a reason takes it; LOCKED ends only with a restart and `--unlock`."""


def falls(now: TradingMode, to: TradingMode) -> bool:
    """Tell whether a state may go there by itself."""
    return to in AUTOMATIC[now]


def may_order(now: TradingMode, to: TradingMode) -> bool:
    """Tell whether an operator may take a state there."""
    return to in BY_OPERATOR[now]


def kept(now: TradingMode, to: TradingMode) -> str:
    """Return why an operator cannot take a state there, in words."""
    if now is M.LOCKED:
        return "LOCKED ends only with a restart and --unlock"
    return f"{now} does not become {to} by an operator's word"
