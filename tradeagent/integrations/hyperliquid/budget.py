"""Stay within what the venue allows: weight a minute for the machine, actions for the account."""

from __future__ import annotations

from collections import deque

from tradeagent.clock import Clock
from tradeagent.errors import OrderRefused, VenueUnavailable
from tradeagent.integrations.hyperliquid.answers import UserRateLimit
from tradeagent.integrations.hyperliquid.timing import elapsed

PER_MINUTE = 1200
WINDOW = 60.0
FOR_ACTIONS = 0.2
"""The part of the weight that questions leave to actions."""
SHORT = 0.5
"""The part of what questions may use from which on weight is short."""
PUSHED_BACK = 10.0
"""For how long nothing is asked after the venue said that it was too much, in seconds."""


class NoRoom(VenueUnavailable):
    """There was no room to ask in time: nothing was sent, and of the venue nothing is known."""


class Weights:
    """What requests weighed in the last minute, against this line's share of the venue's limit."""

    def __init__(self, clock: Clock, share: float) -> None:
        self._clock = clock
        self.limit = int(PER_MINUTE * share)
        self._spent: deque[tuple[float, int]] = deque()
        self._sum = 0
        self._closed_until = 0.0

    @property
    def used(self) -> int:
        """Return what the last minute's requests weighed."""
        self._forget(elapsed(self._clock))
        return self._sum

    @property
    def is_short(self) -> bool:
        """Tell whether questions had better be saved."""
        return self.used > self._for_questions * SHORT

    @property
    def _for_questions(self) -> int:
        return int(self.limit * (1 - FOR_ACTIONS))

    def charge(self, weight: int) -> None:
        """Count a request, whatever room there is: cancels and exits wait for nobody."""
        self._spent.append((elapsed(self._clock), weight))
        self._sum += weight

    def spend(self, weight: int) -> None:
        """Count an entry; raises OrderRefused when there is no room for it."""
        if self._wait(weight, self.limit) > 0:
            raise OrderRefused(
                f"VENUE_BUDGET: the requests of the last minute weigh {self._sum} of {self.limit}"
            )
        self.charge(weight)

    async def wait(self, weight: int, patience: float) -> None:
        """Count a question once there is room for it.

        Raises NoRoom when that takes longer than `patience` seconds.
        """
        room = max(weight, self._for_questions)
        waited = 0.0
        while (pause := self._wait(weight, room)) > 0:
            if waited + pause > patience:
                raise NoRoom(f"no room to ask: {self._sum} of {room} weight in use")
            await self._clock.sleep(pause)
            waited += pause
        self.charge(weight)

    def push_back(self) -> None:
        """Ask and enter nothing for a while: the venue says that it was too much."""
        self._closed_until = elapsed(self._clock) + PUSHED_BACK

    def _wait(self, weight: int, room: int) -> float:
        """Return for how many seconds there is no room for `weight`."""
        now = elapsed(self._clock)
        self._forget(now)
        pause = max(0.0, self._closed_until - now)
        excess = self._sum + weight - room
        for at, spent in self._spent:
            if excess <= 0:
                break
            excess -= spent
            pause = max(pause, at + WINDOW - now)
        return pause

    def _forget(self, now: float) -> None:
        spent = self._spent
        while spent and spent[0][0] <= now - WINDOW:
            self._sum -= spent.popleft()[1]


class Actions:
    """The account's actions: used and allowed as the venue last told, and ours since."""

    def __init__(self, reserve: int) -> None:
        self._reserve = reserve
        self.used = 0
        self.allowed: int | None = None
        self.touched = False
        """Whether an action was taken since the venue last told."""

    def learn(self, told: UserRateLimit) -> None:
        """Take over the venue's count."""
        self.used = told.n_requests_used
        self.allowed = told.n_requests_cap + told.n_requests_surplus
        self.touched = False

    def charge(self) -> None:
        """Count an action."""
        self.used += 1
        self.touched = True

    def exhaust(self) -> None:
        """Note that the venue says that there are none left."""
        self.allowed = self.used if self.allowed is None else self.allowed
        self.used = max(self.used, self.allowed)
        self.touched = True

    def enter(self) -> None:
        """Raise OrderRefused when only the reserve is left."""
        if self.allowed is not None and self.allowed - self.used <= self._reserve:
            raise OrderRefused(
                f"VENUE_BUDGET: {self.used} of {self.allowed} actions are used and "
                f"{self._reserve} are kept for cancels and exits"
            )
