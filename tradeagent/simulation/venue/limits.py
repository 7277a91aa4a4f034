"""Keep to the limits of the protocol: weight for each IP, requests for each account, sockets.

Time is in ms and comes in as an argument.
"""

from __future__ import annotations

from collections import Counter, deque

MINUTE = 60_000
WEIGHT_A_MINUTE = 1200
CHEAP = frozenset(
    {
        "l2Book",
        "allMids",
        "clearinghouseState",
        "orderStatus",
        "spotClearinghouseState",
        "exchangeStatus",
    }
)
PER_TWENTY = frozenset(
    {
        "recentTrades",
        "historicalOrders",
        "userFills",
        "userFillsByTime",
        "fundingHistory",
        "userFunding",
        "userNonFundingLedgerUpdates",
        "twapHistory",
        "userTwapSliceFills",
        "userTwapSliceFillsByTime",
    }
)
MORE_CANCELS = 100_000
ONE_IN = 10_000
"""Milliseconds between the requests that an exhausted account is let through with."""
MOST_CONNECTIONS = 10
MOST_NEW_CONNECTIONS = 30
MOST_SUBSCRIPTIONS = 1000
MOST_USERS = 10
MOST_MESSAGES = 2000
MOST_POSTS = 100


def exchange_weight(batch: int) -> int:
    """Return the weight of an action with this many orders or cancels."""
    return 1 + batch // 40


def info_weight(kind: object) -> int:
    """Return the weight of a query, without what its answer adds."""
    if kind in CHEAP:
        return 2
    return 60 if kind == "userRole" else 20


def surcharge(kind: object, answer: object) -> int:
    """Return what the length of an answer adds to the weight of its query."""
    if not isinstance(answer, list):
        return 0
    if kind in PER_TWENTY:
        return len(answer) // 20
    return len(answer) // 60 if kind == "candleSnapshot" else 0


class Rolling:
    """Weights of the last minute, by whom they are counted for; nothing is kept for longer."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._spent: dict[str, deque[tuple[int, int]]] = {}
        self._total: Counter[str] = Counter()

    def take(self, whom: str, weight: int, now: int) -> bool:
        """Count a weight; returns False, and counts nothing, when it would be too much."""
        self._forget(whom, now)
        if self._total[whom] + weight > self.most:
            return False
        self.add(whom, weight, now)
        return True

    def add(self, whom: str, weight: int, now: int) -> None:
        """Count a weight that has been spent whatever the limit."""
        if weight:
            self._spent.setdefault(whom, deque()).append((now, weight))
            self._total[whom] += weight

    def _forget(self, whom: str, now: int) -> None:
        spent = self._spent.get(whom)
        while spent and spent[0][0] <= now - MINUTE:
            self._total[whom] -= spent.popleft()[1]


class Patience:
    """Lets one request through every ten seconds for an account that has used up its requests."""

    def __init__(self) -> None:
        self._passed: dict[str, int] = {}

    def lets_pass(self, user: str, now: int) -> bool:
        """Return whether it is this account's turn; what is refused does not count."""
        if now - self._passed.get(user, -ONE_IN) < ONE_IN:
            return False
        self._passed[user] = now
        return True


def ceiling(allowed: int, cancel: bool) -> int:
    """Return how many requests an account may have sent; cancels may go beyond the others."""
    return min(allowed + MORE_CANCELS, allowed * 2) if cancel else allowed


def exhausted(sent: int, most: int, traded: str) -> str:
    """Return what an account is told that has no request left; `traded` is in USDC."""
    return (
        f"Too many cumulative requests sent ({sent} > {most}) for cumulative volume traded "
        f"${traded}. Place taker orders to free up 1 request per USDC traded."
    )
