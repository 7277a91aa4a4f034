"""Who an order is: ids as pure functions of what they identify, and the seal of an approval."""

from __future__ import annotations

import hashlib
import hmac

from tradeagent.messages import Order, StopPlan, encode_part

TAG = "7a67"
"""The first two bytes of each of our client order ids."""


def intent_id(account: str, strategy: str, symbol: str, trigger: str, leg: str) -> str:
    """Return the id of a decision: the same cause gives the same intent, whenever it is made."""
    text = "|".join((account, strategy, symbol, trigger, leg))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def cloid(intent: str, attempt: int, epoch: int) -> str:
    """Return the client order id (128 bits) of one attempt at an intent.

    Tag and epoch let us tell ours, a foreign one and one of another run apart on the venue.
    """
    digest = hashlib.sha256(f"{intent}|{attempt}".encode()).hexdigest()[:24]
    return f"0x{TAG}{epoch & 0xFFFF:04x}{digest}"


def is_repeated(order: Order) -> bool:
    """Tell whether an order is another attempt at its intent, not the first."""
    return order.cloid != cloid(order.intent_id, 0, epoch_of(order.cloid))


def epoch_of(client_order_id: str) -> int:
    """Return the epoch (modulo 2**16) that one of our client order ids was given in."""
    return int(client_order_id[len(TAG) + 2 : len(TAG) + 6], 16)


def is_ours(client_order_id: str) -> bool:
    """Tell whether a client order id carries our tag."""
    return client_order_id.startswith(f"0x{TAG}")


def seal(key: bytes, order: Order, plan: StopPlan | None, expires_at: int) -> str:
    """Return the keyed digest (BLAKE2b) over exactly what is approved and until when (UTC ns)."""
    mark = hashlib.blake2b(encode_part(order), key=key, digest_size=32)
    mark.update(b"|" if plan is None else encode_part(plan))
    mark.update(b"%d" % expires_at)
    return mark.hexdigest()


def sealed(key: bytes, mark: str, order: Order, plan: StopPlan | None, expires_at: int) -> bool:
    """Tell whether `mark` is the seal of exactly this approval."""
    return hmac.compare_digest(mark, seal(key, order, plan, expires_at))
