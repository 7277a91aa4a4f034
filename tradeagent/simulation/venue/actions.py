"""Know the shape of every action: what it must hold, and the canonical form its signature covers.

A venue reads an action into a typed record and writes that record out again before it hashes it, so
keys may come in any order and decimals padded, as long as the client signed the canonical form.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tradeagent.simulation.venue.base import Json, Malformed
from tradeagent.simulation.venue.wire import address, cloid, plain_decimal

Shape = Callable[[object], object]
"""Returns the canonical form of a value; raises Malformed."""
LONGEST_INTEGER = 1 << 64


def integer(value: object) -> int:
    """Accept a whole number that fits 64 bits, signed or not."""
    if type(value) is not int or not -(LONGEST_INTEGER >> 1) <= value < LONGEST_INTEGER:
        raise Malformed(f"{value!r} is no integer")
    return value


def count(value: object) -> int:
    """Accept a whole number of 0 or more."""
    if integer(value) < 0:
        raise Malformed(f"{value!r} is negative")
    return integer(value)


def flag(value: object) -> bool:
    """Accept true or false."""
    if not isinstance(value, bool):
        raise Malformed(f"{value!r} is no boolean")
    return value


def text(value: object) -> str:
    """Accept any text that UTF-8 can write."""
    if not isinstance(value, str) or (not value.isascii() and _unwritable(value)):
        raise Malformed(f"{value!r} is no string")
    return value


def _unwritable(value: str) -> bool:
    return any("\ud800" <= letter <= "\udfff" for letter in value)


def one_of(*words: str) -> Shape:
    """Return a shape that accepts these words only."""

    def check(value: object) -> object:
        if not isinstance(value, str) or value not in words:
            raise Malformed(f"unknown variant {value!r}, expected one of {', '.join(words)}")
        return value

    return check


def either(first: Shape, second: Shape) -> Shape:
    """Return a shape that accepts what one of two shapes accepts."""

    def check(value: object) -> object:
        try:
            return first(value)
        except Malformed:
            return second(value)

    return check


def each(item: Shape) -> Shape:
    """Return a shape that accepts a list of items."""

    def check(value: object) -> object:
        if not isinstance(value, list):
            raise Malformed(f"{value!r} is no list")
        return [item(one) for one in value]

    return check


def record(**fields: Shape) -> Shape:
    """Return a shape with these keys in this order; a key that ends in `_` may be left out or null.

    A missing or an unknown key is malformed.
    """
    wanted = [(name.rstrip("_"), name.endswith("_"), shape) for name, shape in fields.items()]
    known = {name for name, _, _ in wanted}

    def check(value: object) -> object:
        """Return the fields that are known; raises Malformed."""
        if not isinstance(value, dict):
            raise Malformed(f"{value!r} is no object")
        unknown = [key for key in value if key not in known]
        if unknown:
            raise Malformed(f"unknown field {unknown[0]!r}")
        found: Json = {}
        for name, optional, shape in wanted:
            given = value.get(name)
            if given is not None:
                found[name] = shape(given)
            elif not optional:
                raise Malformed(f"missing field {name!r}")
        return found

    return check


TIF = record(tif=one_of("Gtc", "Ioc", "Alo", "FrontendMarket"))
TRIGGER = record(isMarket=flag, triggerPx=plain_decimal, tpsl=one_of("tp", "sl"))
ORDER = record(
    a=count,
    b=flag,
    p=plain_decimal,
    s=plain_decimal,
    r=flag,
    t=either(record(limit=TIF), record(trigger=TRIGGER)),
    c_=cloid,
)
OID = either(count, cloid)
GROUPING = either(one_of("na", "normalTpsl", "positionTpsl"), record(p=count))

BODIES: Mapping[str, Mapping[str, Shape]] = {
    "order": {
        "orders": each(ORDER),
        "grouping": GROUPING,
        "builder_": record(b=address, f=count),
    },
    "cancel": {"cancels": each(record(a=count, o=count)), "f_": flag},
    "cancelByCloid": {"cancels": each(record(asset=count, cloid=cloid)), "f_": flag},
    "modify": {"oid": OID, "order": ORDER, "a_": flag},
    "batchModify": {"modifies": each(record(oid=OID, order=ORDER, a_=flag)), "a_": flag},
    "scheduleCancel": {"time_": count},
    "updateLeverage": {"asset": count, "isCross": flag, "leverage": count},
    "updateIsolatedMargin": {"asset": count, "isBuy": flag, "ntli": integer},
    "topUpIsolatedOnlyMargin": {"asset": count, "leverage": plain_decimal},
    "noop": {},
    "twapOrder": {
        "twap": record(a=count, b=flag, s=plain_decimal, r=flag, m=count, t=flag),
    },
    "twapCancel": {"a": count, "t": count},
    "reserveRequestWeight": {"weight": count},
    "setReferrer": {"code": text},
    "createSubAccount": {"name": text},
    "subAccountTransfer": {"subAccountUser": address, "isDeposit": flag, "usd": count},
    "vaultTransfer": {"vaultAddress": address, "isDeposit": flag, "usd": count},
    "evmUserModify": {"usingBigBlocks": flag},
    "agentEnableDexAbstraction": {},
    "agentSetAbstraction": {"abstraction": text},
}
"""Every action signed as L1 action that is read here, in the order its fields are hashed."""
SHAPES = {name: record(type=text, **body) for name, body in BODIES.items()}
FOREIGN = frozenset(
    {
        "CSignerAction",
        "CValidatorAction",
        "agentSendAsset",
        "borrowLend",
        "claimRewards",
        "createVault",
        "gossipPriorityBid",
        "multiSig",
        "perpDeploy",
        "registerReferrer",
        "setDisplayName",
        "spotDeploy",
        "spotUser",
        "subAccountModify",
        "subAccountSpotTransfer",
        "validatorL1Stream",
        "vaultDistribute",
        "vaultModify",
    }
)
"""L1 actions of the real venue that are not offered here; they are hashed as they came."""
USER_SIGNED: Mapping[str, tuple[str, tuple[tuple[str, str], ...]]] = {
    "usdSend": (
        "UsdSend",
        (("destination", "string"), ("amount", "string"), ("time", "uint64")),
    ),
    "withdraw3": (
        "Withdraw",
        (("destination", "string"), ("amount", "string"), ("time", "uint64")),
    ),
    "spotSend": (
        "SpotSend",
        (
            ("destination", "string"),
            ("token", "string"),
            ("amount", "string"),
            ("time", "uint64"),
        ),
    ),
    "usdClassTransfer": (
        "UsdClassTransfer",
        (("amount", "string"), ("toPerp", "bool"), ("nonce", "uint64")),
    ),
    "sendAsset": (
        "SendAsset",
        (
            ("destination", "string"),
            ("sourceDex", "string"),
            ("destinationDex", "string"),
            ("token", "string"),
            ("amount", "string"),
            ("fromSubAccount", "string"),
            ("nonce", "uint64"),
        ),
    ),
    "approveAgent": (
        "ApproveAgent",
        (("agentAddress", "address"), ("agentName", "string"), ("nonce", "uint64")),
    ),
    "approveBuilderFee": (
        "ApproveBuilderFee",
        (("maxFeeRate", "string"), ("builder", "address"), ("nonce", "uint64")),
    ),
    "userSetAbstraction": (
        "UserSetAbstraction",
        (("user", "address"), ("abstraction", "string"), ("nonce", "uint64")),
    ),
    "userDexAbstraction": (
        "UserDexAbstraction",
        (("user", "address"), ("enabled", "bool"), ("nonce", "uint64")),
    ),
    "tokenDelegate": (
        "TokenDelegate",
        (
            ("validator", "address"),
            ("wei", "uint64"),
            ("isUndelegate", "bool"),
            ("nonce", "uint64"),
        ),
    ),
    "convertToMultiSigUser": (
        "ConvertToMultiSigUser",
        (("signers", "string"), ("nonce", "uint64")),
    ),
}
"""Each user-signed action: its primary type and its fields after `hyperliquidChain`, in order."""
KINDS: Mapping[str, Shape] = {
    "string": text,
    "uint64": count,
    "bool": flag,
    "address": address,
}


def canonical(action: object) -> Json:
    """Return an action as it is hashed and carried out; raises Malformed for any other shape."""
    if not isinstance(action, dict) or not isinstance(action.get("type"), str):
        raise Malformed("an action is an object with a type")
    kind = action["type"]
    if kind in FOREIGN:
        return action
    if kind in USER_SIGNED:
        return _user_signed(kind, action)
    if kind not in SHAPES:
        raise Malformed(f"unknown variant {kind!r}")
    found = SHAPES[kind](action)
    assert isinstance(found, dict)
    return found


def _user_signed(kind: str, action: Json) -> Json:
    """Return a user-signed action with an unnamed agent's name filled in, as it was signed."""
    fields = USER_SIGNED[kind][1]
    shown = {"agentName": "", **action} if kind == "approveAgent" else action
    if shown.get("agentName", "") is None:
        shown = {**shown, "agentName": ""}
    shape = record(
        type=text,
        signatureChainId=text,
        hyperliquidChain=one_of("Mainnet", "Testnet"),
        **{name: KINDS[type_] for name, type_ in fields if name != "destination"},
        **{name: text for name, _ in fields if name == "destination"},
    )
    found = shape(shown)
    assert isinstance(found, dict)
    if "destination" in found:
        address(found["destination"])
    if "amount" in found:  # a sub-account may stand behind it
        plain_decimal(str(found["amount"]).partition(" ")[0])
    return found


def weight_of(action: Mapping[str, object]) -> int:
    """Return how many orders or cancels an action holds, 1 for any other."""
    for key in ("orders", "cancels", "modifies"):
        items = action.get(key)
        if isinstance(items, list):
            return len(items)
    return 1


def is_cancel(action: Mapping[str, object]) -> bool:
    """Return whether an action only takes orders away."""
    return action["type"] in ("cancel", "cancelByCloid", "twapCancel")


def posts_only(action: Json) -> bool:
    """Return whether every order that an action places is post-only."""
    placed: list[Json] = []
    match action:
        case {"type": "order", "orders": list(orders)}:
            placed = orders
        case {"type": "modify", "order": dict(order)}:
            placed = [order]
        case {"type": "batchModify", "modifies": list(changes)}:
            placed = [change["order"] for change in changes]
    return all(order["t"] == {"limit": {"tif": "Alo"}} for order in placed)
