"""Read and write values as they stand on the wire: decimals, addresses, client order ids."""

from __future__ import annotations

import re
from decimal import Decimal

from tradeagent.simulation.venue.base import Malformed

DECIMAL = re.compile(r"-?[0-9]{1,20}(\.[0-9]{1,20})?")
ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
CLOID = re.compile(r"0x[0-9a-fA-F]{32}")
BARE = re.compile(r"[0-9a-fA-F]{40}")


def decimal_text(value: Decimal) -> str:
    """Return a decimal as answers show it: no exponent, trimmed, with at least one decimal."""
    shown = format(value, "f")
    if "." not in shown:
        return shown + ".0"
    shown = shown.rstrip("0")
    if shown.endswith("."):
        shown += "0"
    return "0.0" if shown == "-0.0" else shown


def plain_decimal(text: object) -> str:
    """Return a decimal as actions are signed: trimmed, without a needless point or zero.

    Raises Malformed for what is no plain decimal text.
    """
    if not isinstance(text, str) or DECIMAL.fullmatch(text) is None:
        raise Malformed(f"{text!r} is no decimal")
    whole, _, part = text.partition(".")
    negative = whole.startswith("-")
    digits = whole.lstrip("-").lstrip("0") or "0"
    part = part.rstrip("0")
    plain = f"{digits}.{part}" if part else digits
    return f"-{plain}" if negative and plain != "0" else plain


def address(text: object) -> str:
    """Return an address in lower case; raises Malformed for what is none."""
    if not isinstance(text, str) or ADDRESS.fullmatch(text) is None:
        raise Malformed(f"{text!r} is no address")
    return text.lower()


def vault_address(text: object) -> str:
    """Return an address in lower case that may come without its 0x; raises Malformed."""
    if isinstance(text, str) and BARE.fullmatch(text):
        return "0x" + text.lower()
    return address(text)


def cloid(text: object) -> str:
    """Return a client order id in lower case; raises Malformed for what is none."""
    if not isinstance(text, str) or CLOID.fullmatch(text) is None:
        raise Malformed(f"{text!r} is no client order id")
    return text.lower()
