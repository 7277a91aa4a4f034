"""Take in requests: who signed, what the limits say, what the switches spoil; then ask the floor.

Both HTTP and the sockets' posts come through here, so that one answer is the other's.
"""

from __future__ import annotations

from dataclasses import dataclass

from tradeagent.clock import MILLISECOND, Clock
from tradeagent.simulation.venue import limits
from tradeagent.simulation.venue.actions import (
    USER_SIGNED,
    canonical,
    count,
    is_cancel,
    posts_only,
    record,
    weight_of,
)
from tradeagent.simulation.venue.base import Actor, Json, Malformed
from tradeagent.simulation.venue.floor import Floor
from tradeagent.simulation.venue.nonces import nonce_refusal
from tradeagent.simulation.venue.signing import (
    SOURCES,
    Signature,
    Unrecoverable,
    connection_id,
    l1_digest,
    user_digest,
)
from tradeagent.simulation.venue.switches import (
    BadGateway,
    DelayAnswer,
    DelayRequest,
    Garbage,
    Lose,
    Maintenance,
    Occasion,
    PostOnly,
    Switchboard,
    TimeOut,
    TooManyRequests,
)
from tradeagent.simulation.venue.wire import address, vault_address

SIGNED_FOR = {"any": SOURCES, "mainnet": ("a",), "testnet": ("b",)}
"""The source letters that count, by the network whose signatures are accepted."""
MOST_WEIGHT = 200
STALE_COSTS = 5
VAULT_BLIND = frozenset(
    {"createSubAccount", "setReferrer", "subAccountSpotTransfer", "subAccountTransfer"}
    | {"vaultTransfer"}
)
"""L1 actions signed without the vault that the request may name all the same."""
UNPROCESSABLE = "Failed to deserialize the JSON body into the target type"
NOT_POST_ONLY = "Only post-only orders are allowed immediately after a network upgrade."


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: JSON-ready with status 200, else a text. `raw` is sent as it is."""

    status: int
    body: object
    raw: bool = False


class Silence(Exception):
    """No answer is given; `seconds` of the venue's clock later the connection is cut."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


@dataclass(frozen=True, slots=True)
class Signed:
    """What came to /exchange, in canonical form, and who sent it; `refusal` when it is nobody."""

    actor: Actor
    action: Json
    expires: int | None
    refusal: str = ""


ENVELOPE = record(
    action=canonical,
    nonce=count,
    signature=lambda value: value,
    vaultAddress_=vault_address,
    expiresAfter_=count,
)


@dataclass(frozen=True, slots=True)
class Rules:
    """What the door insists on: `limited` is False where load is tested.

    `network` is the one whose signatures are accepted, a key of SIGNED_FOR; `open_accounts` tells
    whether an unknown signer has an account of its own.
    """

    network: str = "any"
    limited: bool = True
    open_accounts: bool = True


class Intake:
    """What stands between the network and the floor."""

    def __init__(self, floor: Floor, clock: Clock, board: Switchboard, rules: Rules) -> None:
        self.floor = floor
        self.clock = clock
        self.board = board
        self.rules = rules
        self.named: set[str] = set()
        """Addresses that queries have named: accounts somebody cares for."""
        self._sources = SIGNED_FOR[rules.network]
        self._weights = limits.Rolling(limits.WEIGHT_A_MINUTE)
        self._patience = limits.Patience()

    async def info(self, body: object, ip: str) -> Reply:
        """Answer a query; raises Silence, and Malformed for what is no query."""
        if not isinstance(body, dict) or not isinstance(body.get("type"), str):
            raise Malformed("a query is an object with a type")
        request: Json = body
        if isinstance(body.get("user"), str):
            request = {**body, "user": address(body["user"])}
            self.named.add(str(request["user"]))
        kind = str(body["type"])
        occasion = Occasion("info", kind, str(request.get("user") or ""))
        spoiled = await self._before(occasion)
        if spoiled is not None:
            return spoiled
        if not self._within(ip, limits.info_weight(kind)):
            return TOO_MANY
        answer = self.floor.answer(request)
        self._weights.add(ip, limits.surcharge(kind, answer), self.real_ms())
        return await self._after(occasion, Reply(200, answer))

    async def exchange(self, body: object, ip: str) -> Reply:
        """Carry out an action; raises Silence, and Malformed for what is none."""
        signed = self._read(body)
        kind = str(signed.action["type"])
        occasion = Occasion("exchange", kind, signed.actor.user)
        if self.board:
            spoiled = await self._before(occasion)
            if spoiled is not None:
                return spoiled
            signed = self._read(body)  # it may have been a while on its way
        if not self._within(ip, limits.exchange_weight(weight_of(signed.action))):
            return TOO_MANY
        return await self._after(occasion, Reply(200, self._act(signed, occasion)))

    async def _before(self, occasion: Occasion) -> Reply | None:
        """Let switches strike a request before it arrives."""
        if not self.board:
            return None
        board = self.board
        if (late := board.struck(DelayRequest, occasion)) is not None:
            await self.clock.sleep(late.seconds)
        if (lost := board.struck(Lose, occasion)) is not None:
            raise Silence(lost.seconds)
        if board.struck(TooManyRequests, occasion) is not None:
            return TOO_MANY
        return BAD_GATEWAY if board.struck(Maintenance, occasion) is not None else None

    async def _after(self, occasion: Occasion, reply: Reply) -> Reply:
        """Let switches strike the answer to a request that was carried out."""
        if not self.board:
            return reply
        board = self.board
        if (late := board.struck(DelayAnswer, occasion)) is not None:
            await self.clock.sleep(late.seconds)
        if (lost := board.struck(TimeOut, occasion)) is not None:
            raise Silence(lost.seconds)
        if board.struck(BadGateway, occasion) is not None:
            return BAD_GATEWAY
        garbled = board.struck(Garbage, occasion)
        return reply if garbled is None else GARBAGE[garbled.form]

    def real_ms(self) -> int:
        """Return the time that limits are counted by: the clock's, whatever the venue's shows."""
        return self.clock.now() // MILLISECOND

    def _within(self, ip: str, weight: int) -> bool:
        return not self.rules.limited or self._weights.take(ip, weight, self.real_ms())

    def _read(self, body: object) -> Signed:
        """Read an envelope and find its signer; raises Malformed."""
        shown = ENVELOPE(body)
        assert isinstance(shown, dict)
        action, nonce, expires = shown["action"], shown["nonce"], shown.get("expiresAfter")
        try:
            signature = Signature.read(shown["signature"])
            if action["type"] in USER_SIGNED:
                return self._user_signed(action, nonce, expires, signature)
            vault = None if action["type"] in VAULT_BLIND else shown.get("vaultAddress")
            connection = connection_id(action, nonce, vault, expires)
            signers = [signature.signer(l1_digest(connection, one)) for one in self._sources]
        except Unrecoverable:
            return Signed(Actor("", "", nonce), action, expires, "Unable to recover signer.")
        actor, refusal = self._signer(signers, nonce)
        if not refusal and vault is not None:
            refusal = f"Vault not registered: {vault}"
        return Signed(actor, action, expires, refusal)

    def _signer(self, signers: list[str], nonce: int) -> tuple[Actor, str]:
        """Return who of the possible signers acts; the other is nobody's address."""
        signer = min(signers, key=self._strangeness)
        master = self.floor.master_of(signer)
        if master is None and self.rules.open_accounts and not self.floor.was_agent(signer):
            master = signer
        if master is None:
            return Actor("", signer, nonce), f"User or API Wallet {signer} does not exist."
        return Actor(master, signer, nonce), ""

    def _strangeness(self, signer: str) -> int:
        """Return how little is known of an address: 0 for one that acts here."""
        if self.floor.master_of(signer) is not None:
            return 0
        if self.floor.was_agent(signer):
            return 1
        return 2 if signer in self.named else 3

    def _user_signed(
        self, action: Json, nonce: int, expires: int | None, signature: Signature
    ) -> Signed:
        """Find the signer of a user-signed action: it acts for itself and for nobody else."""
        signer = signature.signer(user_digest(action))
        actor = Actor(signer, signer, nonce, user_signed=True)
        source = {"Mainnet": "a", "Testnet": "b"}[str(action["hyperliquidChain"])]
        refusal = ""
        if expires is not None:
            refusal = "User-signed actions do not take expiresAfter."
        elif nonce != action.get("time", action.get("nonce")):
            refusal = f"Invalid nonce: {nonce} is not the nonce that was signed"
        elif source not in self._sources or not self._owns(signer):
            refusal = f"Must deposit before performing actions. User: {signer}"
        return Signed(actor, action, None, refusal)

    def _owns(self, signer: str) -> bool:
        """Return whether an address is an account of its own or becomes one; an agent never is."""
        master = self.floor.master_of(signer)
        return master == signer or (master is None and not self.floor.was_agent(signer))

    def _act(self, signed: Signed, occasion: Occasion) -> Json:
        """Let an action through to the floor, or say why not."""
        actor, action, floor = signed.actor, signed.action, self.floor
        batch = weight_of(action)
        refusal = signed.refusal or self._refusal(signed, batch)
        if refusal:
            return floor.turn_away(actor, action, refusal, burns=False)
        floor.spent(actor.user, batch)
        if not posts_only(action) and self.board.struck(PostOnly, occasion) is not None:
            return floor.turn_away(actor, action, NOT_POST_ONLY, burns=True)
        return floor.act(actor, action)

    def _refusal(self, signed: Signed, batch: int) -> str | None:
        """Return what keeps an action of a known signer from being carried out."""
        actor, floor = signed.actor, self.floor
        now = floor.now_ms()
        if signed.expires is not None and now > signed.expires:
            floor.spent(actor.user, STALE_COSTS * batch)
            return "Action already expired"
        used_up = nonce_refusal(floor.nonces(actor.signer), actor.nonce, now)
        if used_up is not None:
            return used_up
        if batch > MOST_WEIGHT:
            return f"Signed action over weight limit of {MOST_WEIGHT}."
        return self._over_budget(actor.user, batch, is_cancel(signed.action))

    def _over_budget(self, user: str, batch: int, cancel: bool) -> str | None:
        used, allowed = self.floor.budget(user)
        most = limits.ceiling(allowed, cancel)
        if not self.rules.limited or used + batch <= most:
            return None
        if self._patience.lets_pass(user, self.real_ms()):
            return None
        shown = self.floor.answer({"type": "userRateLimit", "user": user})
        assert isinstance(shown, dict)
        return limits.exhausted(used + batch, most, str(shown["cumVlm"]))


TOO_MANY = Reply(429, "")
BAD_GATEWAY = Reply(502, "<html><body><h1>502 Bad Gateway</h1></body></html>")
GARBAGE = {
    "text": Reply(200, "<html><body>upstream hiccup</body></html>", raw=True),
    "empty": Reply(200, "", raw=True),
    "bare": Reply(200, {"status": "ok"}),
}
