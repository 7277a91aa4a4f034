"""Settings under which an order is what its strategy asked for: no limit binds, no lock falls."""

from __future__ import annotations

from pathlib import Path

FREE: dict[str, object] = {
    "exchange.balance": 1_000_000,
    "exchange.taker_fee": "0.0005",
    "exchange.maker_fee": "0.0002",
    "exchange.fee_tiers": [],
    "exchange.slippage_bp": 0,
    "risk.sizing": "fixed_quantity",
    "risk.quantity": 1,
    "risk.limits.require_stop": False,
    "risk.limits.max_order_notional": 10**9,
    "risk.limits.max_position_notional": 10**9,
    "risk.limits.max_repeated_entries": 10**6,
    "risk.limits.max_daily_loss_ratio": 1,
    "risk.limits.max_drawdown_ratio": 1,
    "risk.protections.max_losses_in_a_row": None,
}
MINUTE = 60_000_000_000
START = 1_640_995_200 * 1_000_000_000
"""2022-01-01, UTC ns."""


def write_bars(
    path: Path, closes: list[float], *, minutes: list[int] | None = None, spread: float = 0.5
) -> Path:
    """Write candles of a minute from 2022 on: each opens at the last close, or at its own."""
    lines, before = ["timestamp_ms,open,high,low,close,volume"], closes[0]
    for row, close in enumerate(closes):
        minute = row if minutes is None else minutes[row]
        high, low = max(before, close) + spread, min(before, close) - spread
        time = START // 1_000_000 + minute * 60_000
        lines.append(f"{time},{before!r},{high!r},{low!r},{close!r},10")
        before = close
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
