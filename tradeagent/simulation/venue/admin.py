"""Turn fault switches on and off over a port of their own, on the loopback only."""

from __future__ import annotations

import json
from typing import Annotated, Literal, get_args

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from tradeagent.simulation.venue.actions import USER_SIGNED, canonical
from tradeagent.simulation.venue.base import Actor, Json, Malformed
from tradeagent.simulation.venue.floor import Floor
from tradeagent.simulation.venue.streams import Streams
from tradeagent.simulation.venue.switches import SWITCH, AnySwitch, Switchboard
from tradeagent.simulation.venue.wire import address


class _Deed(BaseModel):
    """Something that is done once, or a state the venue is put into."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class LagInfo(_Deed):
    """Queries show what was `seconds` ago; 0 ends that."""

    switch: Literal["lag_info"]
    seconds: float = Field(ge=0, description="How far behind, by the venue's clock.")


class Skew(_Deed):
    """The venue's own time is off by `seconds`; 0 ends that."""

    switch: Literal["skew"]
    seconds: float = Field(description="How far ahead; below 0: behind.")


class PartialFills(_Deed):
    """Only a part of what would match fills; 1 ends that."""

    switch: Literal["partial_fills"]
    fraction: float = Field(gt=0, le=1, description="The part that fills.")
    user: str = Field(default="", description="The account; empty: every account.")


class RejectStops(_Deed):
    """Trigger orders are refused for their price."""

    switch: Literal["reject_stops"]
    count: int = Field(default=-1, ge=-1, description="How many; -1: all, 0: none any more.")
    user: str = Field(default="", description="The account; empty: every account.")


class Liquidate(_Deed):
    """A position, or every one of an account, is liquidated now."""

    switch: Literal["liquidate"]
    user: str = Field(description="The account.")
    coin: str = Field(default="", description="The position; empty: all of them.")


class Relist(_Deed):
    """What is listed changes: the decimals of sizes, the most leverage, delisting."""

    switch: Literal["metadata"]
    coin: str = Field(description="The coin.")
    szDecimals: int | None = Field(default=None, ge=0, le=6, description="Decimals of its sizes.")  # noqa: N815
    maxLeverage: int | None = Field(default=None, ge=1, description="Its most leverage.")  # noqa: N815
    isDelisted: bool | None = Field(default=None, description="Whether it is delisted.")  # noqa: N815


class Outsider(_Deed):
    """The account itself acts from elsewhere: any action, without a signature."""

    switch: Literal["outsider"]
    user: str = Field(description="The account.")
    action: dict[str, object] = Field(description="The action, as /exchange takes it.")


class DropSockets(_Deed):
    """Every open socket breaks now, or those that listen to one account."""

    switch: Literal["drop_sockets"]
    user: str = Field(default="", description="The account; empty: every socket.")


AnyDeed = Annotated[
    LagInfo | Skew | PartialFills | RejectStops | Liquidate | Relist | Outsider | DropSockets,
    Field(discriminator="switch"),
]
DEED: TypeAdapter[AnyDeed] = TypeAdapter(AnyDeed)
OUTSIDER = "0x" + "0" * 40
"""The address on record as the signer of what an account does from elsewhere."""


def names(union: object) -> tuple[str, ...]:
    """Return the words that a union of switches goes by."""
    kinds = get_args(get_args(union)[0])
    return tuple(get_args(kind.model_fields["switch"].annotation)[0] for kind in kinds)


DEEDS = names(AnyDeed)
NAMES = (*names(AnySwitch), *DEEDS)


class Admin:
    """The switches of one venue, as JSON over HTTP."""

    def __init__(self, floor: Floor, board: Switchboard, streams: Streams) -> None:
        self._floor = floor
        self._board = board
        self._streams = streams

    def app(self) -> web.Application:
        """Return the application to be served."""
        app = web.Application()
        app.router.add_get("/", self._show)
        app.router.add_post("/", self._switch)
        app.router.add_delete("/", self._clear)
        app.router.add_delete("/{number:\\d+}", self._turn_off)
        return app

    async def _show(self, _: web.Request) -> web.Response:
        """Tell what is on, what it has struck, and what could be switched on."""
        on = [armed.shown() for armed in self._board]
        return web.json_response({"time": self._floor.now_ms(), "on": on, "known": list(NAMES)})

    async def _switch(self, request: web.Request) -> web.Response:
        """Switch something on, or do it; 400 and the reason for what is no switch."""
        text = await request.text()
        try:
            if _is_deed(text):
                return web.json_response(self._do(DEED.validate_json(text)))
            return web.json_response({"id": self._board.turn_on(SWITCH.validate_json(text))})
        except ValidationError as error:
            return web.Response(status=400, text=_mistakes(error))
        except (Malformed, LookupError) as error:
            return web.Response(status=400, text=str(error))

    async def _clear(self, _: web.Request) -> web.Response:
        """Switch everything off, and end every state."""
        self._board.turn_off()
        self._floor.lag(0)
        self._floor.skew(0)
        self._floor.fill_parts(1)
        self._floor.reject_stops(0)
        return web.json_response({})

    async def _turn_off(self, request: web.Request) -> web.Response:
        found = self._board.turn_off(int(request.match_info["number"]))
        return web.json_response({}, status=200 if found else 404)

    def _do(self, deed: AnyDeed) -> Json:
        """Carry out what happens inside the venue at once."""
        floor = self._floor
        match deed:
            case LagInfo():
                floor.lag(deed.seconds)
            case Skew():
                floor.skew(deed.seconds)
            case PartialFills():
                floor.fill_parts(deed.fraction, deed.user and address(deed.user))
            case RejectStops():
                floor.reject_stops(deed.count, deed.user and address(deed.user))
            case Liquidate():
                return {"liquidated": floor.liquidate(address(deed.user), deed.coin)}
            case Relist():
                floor.relist(
                    deed.coin,
                    decimals=deed.szDecimals,
                    leverage=deed.maxLeverage,
                    delisted=deed.isDelisted,
                )
            case Outsider():
                return self._act(address(deed.user), deed.action)
            case DropSockets():
                return {"dropped": self._drop(deed.user and address(deed.user))}
        return {}

    def _act(self, user: str, action: Json) -> Json:
        """Let an account act from elsewhere; what a signature would add is filled in."""
        now = self._floor.now_ms()
        kind = action.get("type")
        if kind in USER_SIGNED:
            moment = USER_SIGNED[str(kind)][1][-1][0]
            signed = {"signatureChainId": "0x66eee", "hyperliquidChain": "Testnet", moment: now}
            action = {**signed, **action}
        actor = Actor(user, OUTSIDER, now, user_signed=kind in USER_SIGNED)
        return self._floor.act(actor, canonical(action))

    def _drop(self, user: str) -> int:
        chosen = [one for one in self._streams.sockets.values() if not user or user in one.users]
        for one in chosen:
            one.cut()
        return len(chosen)


def _is_deed(text: str) -> bool:
    try:
        asked = json.loads(text)
    except ValueError:
        return False
    return isinstance(asked, dict) and asked.get("switch") in DEEDS


def _mistakes(error: ValidationError) -> str:
    """Return what is wrong with a switch, one line for each mistake."""
    return "\n".join(
        f"{'.'.join(str(part) for part in one['loc']) or 'switch'}: {one['msg']}"
        for one in error.errors(include_url=False)
    )
