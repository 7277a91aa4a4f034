"""Show how an account has done: its worth hour by hour, by day, week, month and all time."""

from __future__ import annotations

from decimal import Decimal

from tradeagent.messages import ZERO
from tradeagent.simulation.venue.base import Json
from tradeagent.simulation.venue.clearinghouse import Clearinghouse
from tradeagent.simulation.venue.house import House
from tradeagent.simulation.venue.seat import Seat
from tradeagent.simulation.venue.wire import decimal_text

DAY_MS = 86_400_000
SPANS = {"day": DAY_MS, "week": 7 * DAY_MS, "month": 30 * DAY_MS, "allTime": 0}
POINTS = 200
"""The points of one history at most."""


class Portfolio:
    """Notes what accounts are worth, and tells it as `portfolio` does."""

    def __init__(self, house: House, clearinghouse: Clearinghouse) -> None:
        self._house = house
        self._clearinghouse = clearinghouse

    def note(self) -> None:
        """Note what every account is worth now."""
        for seat in self._house.seats.values():
            value, pnl = self._worth(seat)
            self._house.ledger.worth(seat.user, self._house.now_ms(), value, pnl)

    def _worth(self, seat: Seat) -> tuple[Decimal, Decimal]:
        """Return what an account is worth, and how much of it did not come from outside."""
        value = self._clearinghouse.value(seat)
        return value, value - seat.deposit

    def answer(self, seat: Seat) -> list[object]:
        """Answer `portfolio`; here an account is worth what its perpetuals are."""
        now = self._house.now_ms()
        value, pnl = self._worth(seat)
        query = "SELECT time, value, pnl FROM worths WHERE user = ? AND time >= ? ORDER BY time"
        told: list[object] = []
        for prefix in ("", "perp"):
            for name, length in SPANS.items():
                since = now - length if length else 0
                rows = self._house.ledger.rows(query, seat.user, since)[-POINTS:]
                points = [(time, Decimal(str(a)), Decimal(str(b))) for time, a, b in rows]
                points.append((now, value, pnl))
                first = points[0][2] if length else ZERO
                volume = sum(
                    (
                        both
                        for day, (both, _) in seat.days.items()
                        if day * DAY_MS >= since - DAY_MS
                    ),
                    ZERO,
                )
                shown: Json = {
                    "accountValueHistory": [[time, decimal_text(a)] for time, a, _ in points],
                    "pnlHistory": [[time, decimal_text(b - first)] for time, _, b in points],
                    "vlm": decimal_text(volume),
                }
                told.append([prefix + (name[0].upper() + name[1:] if prefix else name), shown])
        return told
