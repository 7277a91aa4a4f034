"""Numbers the venue makes up: hashes and trade ids, drawn from a text and the same for each run."""

from __future__ import annotations

from hashlib import blake2b

TID_BITS = 50


def hash_of(text: str) -> str:
    """Return a transaction hash: 32 bytes as hexadecimal digits."""
    return "0x" + blake2b(text.encode(), digest_size=32).hexdigest()


def tid_of(text: str) -> int:
    """Return a trade id of 50 bits."""
    digest = blake2b(text.encode(), digest_size=8).digest()
    return int.from_bytes(digest) >> (64 - TID_BITS)
