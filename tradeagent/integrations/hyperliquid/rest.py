"""Ask the venue over HTTP: questions that may be repeated, and actions that may not."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TypeVar

import aiohttp
from pydantic import TypeAdapter, ValidationError

from tradeagent.clock import Clock
from tradeagent.crash import crashpoint, halved
from tradeagent.errors import NotSent, VenueUnavailable
from tradeagent.integrations.hyperliquid.breaker import Breaker
from tradeagent.integrations.hyperliquid.budget import Weights
from tradeagent.integrations.hyperliquid.gathering import Gathering
from tradeagent.integrations.hyperliquid.settings import LineSettings
from tradeagent.integrations.hyperliquid.timing import within

T = TypeVar("T")
KEPT_ALIVE = 15.0
"""For how long an idle connection is used again, in seconds: less than servers keep it open."""
QUOTED = 200
"""How much of an answer that is not understood is quoted."""
TOO_MANY = 429
JSON_HEADERS = {"Content-Type": "application/json"}
CHEAP = 2
DEAR = 60
USUAL = 20
WEIGHTS = {
    "l2Book": CHEAP,
    "allMids": CHEAP,
    "clearinghouseState": CHEAP,
    "orderStatus": CHEAP,
    "exchangeStatus": CHEAP,
    "userRole": DEAR,
}
"""What each kind of question weighs; any other weighs 20."""
ITEMS = {"userFillsByTime": 20, "userFunding": 20, "fundingHistory": 20, "candleSnapshot": 60}
"""How many items of an answer weigh 1 more."""
SHARED = frozenset({"clearinghouseState", "frontendOpenOrders", "userFillsByTime"})
"""What several ask at once, as all do whose orders got no answer: one answer serves them."""
COMPANY = 0.05
"""For how long such a question waits for others that ask the same, in seconds."""
MORE_COMPANY = 1.0
"""For how long it does while weight is short."""


class Rest:
    """One session with the venue. What is not an answer as documented is VenueUnavailable."""

    def __init__(self, settings: LineSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self.weights = Weights(clock, settings.weight_share)
        self.reads = Breaker(clock, settings.breaker_failures, settings.breaker_pause)
        self._gathering = Gathering()
        self._session: aiohttp.ClientSession | None = None

    def open(self) -> None:
        """Make ready; nothing is sent."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(keepalive_timeout=KEPT_ALIVE),
                timeout=aiohttp.ClientTimeout(total=None),
                trust_env=self._settings.network != "local",
            )

    async def close(self) -> None:
        """Close the session."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def ask(
        self, question: Mapping[str, object], shape: TypeAdapter[T], patience: float | None = None
    ) -> T:
        """Return the answer to a question; raises VenueUnavailable, and NoRoom for want of weight.

        It waits for room in the weight limit, for `patience` seconds at most. Who asks the same
        until then shares the answer.
        """
        kind = str(question["type"])
        if not self.reads.passes():
            raise VenueUnavailable(f"{kind}: the venue does not answer; it is left alone for now")
        longest = self._settings.read_patience if patience is None else patience
        body = json.dumps(question, separators=(",", ":")).encode()
        return await self._gathering.ask(
            (body, longest),
            lambda: self._room(kind, longest),
            lambda: self._answer(kind, body, shape),
        )

    async def _room(self, kind: str, patience: float) -> None:
        """Wait for room, and for company where others are likely to ask the same."""
        if kind in SHARED:
            await self._clock.sleep(MORE_COMPANY if self.weights.is_short else COMPANY)
        await self.weights.wait(WEIGHTS.get(kind, USUAL), patience)

    async def _answer(self, kind: str, body: bytes, shape: TypeAdapter[T]) -> T:
        try:
            answer = await self._ask(kind, body, shape)
        except VenueUnavailable:
            self.reads.failed()
            raise
        self.reads.worked()
        if isinstance(answer, Sequence) and (per := ITEMS.get(kind)):
            self.weights.charge(len(answer) // per)
        return answer

    async def _ask(self, kind: str, body: bytes, shape: TypeAdapter[T]) -> T:
        try:
            data = await self._post("info", body)
        except _Cut:  # an idle connection the server had closed; a question may be repeated
            data = await self._post("info", body)
        try:
            return shape.validate_json(data)
        except ValidationError:
            raise VenueUnavailable(f"{kind}: {_quoted(data)} is no answer") from None

    async def act(self, body: str) -> bytes:
        """Post a signed request, once, and return what came back with status 200.

        The caller has counted it. Raises NotSent where no connection was made, VenueUnavailable
        where nobody knows what became of it.
        """
        try:
            return await self._post("exchange", body.encode())
        except _Unconnected as error:
            raise NotSent(str(error)) from None

    async def _post(self, path: str, body: bytes) -> bytes:
        if self._session is None:
            raise _Unconnected("not started")
        url = f"{self._settings.place.url}/{path}"
        try:
            async with (
                within(self._clock, self._settings.request_timeout),
                self._session.post(url, data=halved(body, "CP3"), headers=JSON_HEADERS) as response,
            ):
                if path == "exchange":
                    crashpoint("CP4")
                data = await response.read()
                status = response.status
        except TimeoutError:
            limit = self._settings.request_timeout
            raise VenueUnavailable(f"{path}: no answer within {limit:g} s") from None
        except aiohttp.ServerDisconnectedError as error:
            raise _Cut(f"{path}: {error or 'the connection was closed'}") from None
        except aiohttp.ClientConnectorError as error:
            raise _Unconnected(f"{path}: {error}") from None
        except (aiohttp.ClientError, OSError) as error:
            raise VenueUnavailable(f"{path}: {error or type(error).__name__}") from None
        if status == TOO_MANY:
            self.weights.push_back()
        if status != 200:
            raise VenueUnavailable(f"{path}: HTTP {status} {_quoted(data)}")
        return data


class _Cut(VenueUnavailable):
    """The connection was closed before an answer came."""


class _Unconnected(VenueUnavailable):
    """No connection was made: the request has not left."""


def _quoted(data: bytes) -> str:
    return repr(data[:QUOTED].decode(errors="replace"))
