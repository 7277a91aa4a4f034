"""The whole venue behind its door: accounts, orders and the market they meet, played on a clock."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tradeagent.clock import Clock
from tradeagent.integrations.base import MarketFeed
from tradeagent.simulation.venue.base import Actor, Hear, Json
from tradeagent.simulation.venue.settings import VenueSettings


class Floor:
    """The venue: `answer` serves /info, `act` serves /exchange, `listen` feeds /ws.

    Nothing suspends but `run`. News are told after what they tell of is on disk, and before `act`
    returns.
    """

    def __init__(
        self, settings: VenueSettings, feed: MarketFeed, clock: Clock, state: Path | None
    ) -> None:
        """Stand where the folder `state` stood; None keeps everything in memory."""
        raise NotImplementedError

    async def run(self) -> None:
        """Play the market and the venue's timers until cancelled."""

    def close(self) -> None:
        """Close the ledger; orders stay where they are."""

    def now_ms(self) -> int:
        """Return the venue's own time, with its skew."""
        raise NotImplementedError

    def listen(self, hear: Hear) -> Callable[[], None]:
        """Hand every later piece of news to `hear`; returns what ends that."""
        raise NotImplementedError

    # -- who

    def master_of(self, signer: str) -> str | None:
        """Return the account an address signs for: its own, or its master's. None: unknown."""
        raise NotImplementedError

    def nonces(self, signer: str) -> list[int]:
        """Return the nonces that `signer` has used, highest last, at most the 100 highest."""
        raise NotImplementedError

    def spent(self, user: str, count: int) -> None:
        """Count `count` requests against the address budget of `user`."""
        raise NotImplementedError

    def budget(self, user: str) -> tuple[int, int]:
        """Return (requests used, requests allowed) of `user`."""
        raise NotImplementedError

    # -- requests

    def answer(self, request: Json) -> object:
        """Answer an /info request, ready for JSON; raises Malformed."""
        raise NotImplementedError

    def act(self, actor: Actor, action: Json) -> Json:
        """Carry out an action that passed signature, nonce, expiry and budget; raises Malformed.

        Returns {"status": "ok", "response": ..} or {"status": "err", "response": text}.
        """
        raise NotImplementedError

    def turn_away(self, actor: Actor, action: Json, text: str, *, burns: bool) -> Json:
        """Put an action on record that the door refused; returns {"status": "err", ..}.

        `burns` tells that its nonce is used up all the same.
        """
        raise NotImplementedError

    # -- switches

    def lag(self, seconds: float) -> None:
        """Let /info show what was `seconds` ago, its `time` too; 0 ends that."""
        raise NotImplementedError

    def skew(self, seconds: float) -> None:
        """Let the venue's own time be off by `seconds`."""
        raise NotImplementedError

    def fill_parts(self, fraction: float, user: str = "") -> None:
        """Fill only a fraction of what would match, for one account or all; 1 ends that."""
        raise NotImplementedError

    def reject_stops(self, count: int, user: str = "") -> None:
        """Refuse the next `count` trigger orders with BadTriggerPx; -1 for all, 0 ends that."""
        raise NotImplementedError

    def liquidate(self, user: str, coin: str = "") -> bool:
        """Liquidate a position, or all of an account, now; tells whether there was one."""
        raise NotImplementedError

    def relist(
        self,
        coin: str,
        *,
        decimals: int | None = None,
        leverage: int | None = None,
        delisted: bool | None = None,
    ) -> None:
        """Change what is listed: size decimals, most leverage, delisting (cancels its orders)."""
        raise NotImplementedError
