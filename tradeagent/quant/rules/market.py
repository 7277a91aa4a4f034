"""Rules about the market around an order: its mark, its touch, and orders of our own."""

from __future__ import annotations

from decimal import Decimal

from tradeagent.quant.rules.context import PASSED, Finding, OrderContext, up
from tradeagent.quant.rules.limits import Limits

BP = Decimal(10_000)
"""Basis points in one."""


def collar(order: OrderContext, limits: Limits) -> Finding:
    """Refuse a price too far from the mark on either side, and entries while mid and mark differ.

    An exit is judged by its limit alone, for it fills at the market wherever that has gone.
    """
    mark, mid = order.mark, order.mid
    if order.reduce_only and order.limit is None:
        return PASSED
    asked = order.order_price
    if not order.reduce_only and abs(order.price - mark) > abs(asked - mark):
        asked = order.price
    away, most = up(abs(asked - mark), mark), limits.collar_ratio
    if away > most:
        return away, most, f"{asked!s} is {away!s} from mark {mark!s}, at most {most!s}"
    if mid is not None and not order.reduce_only:
        off, widest = up(abs(mid - mark), mark), limits.max_mid_deviation_ratio
        if off > widest:
            text = f"the mid {mid!s} is {off!s} from mark {mark!s}, at most {widest!s}"
            return None, None, text
    return away, most, ""


def slippage(order: OrderContext, limits: Limits) -> Finding:
    """Refuse what fills at once, but too far from what was decided on, or larger than the depth."""
    touch = order.touch
    if touch is None or not order.immediate:
        return PASSED
    # A limit says how far beyond the touch it reaches; a market order meets the touch wherever it
    # went since the decision.
    near, far = (order.price, touch) if order.limit is None else (touch, order.limit)
    away = up((far - near if order.side == "buy" else near - far) * BP, near)
    most = limits.max_slippage_bp
    if away > most:
        return away, most, f"{far!s} is {away!s} bp beyond {near!s}, at most {most!s}"
    depth = order.depth
    if depth is not None and order.size > depth:
        text = f"size {order.size!s}, but only {depth!s} stands within {most!s} bp of {touch!s}"
        return None, None, text
    return away, most, ""


def self_trade(order: OrderContext, _: Limits) -> Finding:
    """Refuse what would trade with a resting order of our own."""
    own = order.own_opposite
    if own is None:
        return PASSED
    reach = order.limit or order.touch or order.mark
    if own > reach if order.side == "buy" else own < reach:
        return PASSED
    text = f"a {order.side} up to {reach!s} would meet our own order at {own!s}; cancel that first"
    return reach, own, text
