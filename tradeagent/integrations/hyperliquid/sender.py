"""Sign actions and post them, within what the venue allows; entries wait behind all else."""

from __future__ import annotations

from typing import NamedTuple

from tradeagent.clock import MILLISECOND, SECOND, Clock
from tradeagent.errors import NotSent, OrderRefused, VenueUnavailable
from tradeagent.integrations.hyperliquid.breaker import Breaker
from tradeagent.integrations.hyperliquid.budget import Actions
from tradeagent.integrations.hyperliquid.nonces import Nonces
from tradeagent.integrations.hyperliquid.rest import Rest
from tradeagent.integrations.hyperliquid.settings import HyperliquidSettings
from tradeagent.integrations.hyperliquid.signing import Signer
from tradeagent.integrations.hyperliquid.timing import VenueTime
from tradeagent.integrations.hyperliquid.wording import Action


class Signed(NamedTuple):
    """A request ready to be posted; after `dies_at` (UTC ns, the venue's time) it is void."""

    nonce: int
    dies_at: int
    body: str


class Sender:
    """The way out: one nonce, one signature and one count for each action."""

    def __init__(
        self,
        settings: HyperliquidSettings,
        clock: Clock,
        rest: Rest,
        signer: Signer,
        nonces: Nonces,
        venue_time: VenueTime,
    ) -> None:
        self._settings = settings
        self._rest = rest
        self._signer = signer
        self._nonces = nonces
        self.venue_time = venue_time
        self.actions = Actions(settings.reserve)
        self.breaker = Breaker(clock, settings.breaker_failures, settings.breaker_pause)

    @property
    def signer(self) -> str:
        """Return the address that signs."""
        return self._signer.address

    def is_older(self, nonce: int) -> bool:
        """Tell whether a nonce is an earlier run's."""
        return nonce < self._nonces.first

    def sign(self, action: Action, seconds: float) -> Signed:
        """Return a request that is void after `seconds`.

        Raises VenueUnavailable for no nonce, and while the venue's time is not known.
        """
        expires_ms = (self.venue_time.certain() + int(seconds * SECOND)) // MILLISECOND
        given = self._nonces.next()
        body = self._signer.body(action, given, expires_ms)
        return Signed(given, expires_ms * MILLISECOND, body)

    def admit(self) -> None:
        """Count an entry; raises OrderRefused and NotSent, which say that nothing was sent."""
        skew = self.venue_time.skew
        if abs(skew) > self._settings.skew_allowed:
            raise OrderRefused(
                f"CLOCK_SKEW: this machine's clock is {skew:+.1f} s off the venue's, or its "
                "answers are late"
            )
        self.actions.enter()
        if not self.breaker.passes():
            raise NotSent("VENUE_AWAY: the venue gives no answers; it is left alone for now")
        self._rest.weights.spend(1)

    async def post(self, body: str, *, entry: bool = False) -> bytes:
        """Post a request and return the answer; raises VenueUnavailable and NotSent.

        An `entry` was admitted before; all else goes out whatever the limits say.
        """
        if not entry:
            self._rest.weights.charge(1)
        self.actions.charge()
        try:
            data = await self._rest.act(body)
        except (VenueUnavailable, NotSent):
            self.breaker.failed()
            raise
        self.breaker.worked()
        return data
