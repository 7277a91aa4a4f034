"""Use each nonce once: the highest hundred of every signer, inside a window around now."""

from __future__ import annotations

from collections.abc import Sequence

KEPT = 100
DAY = 86_400_000
BEHIND = 2 * DAY
AHEAD = DAY


def nonce_refusal(used: Sequence[int], nonce: int, now: int) -> str | None:
    """Return why a signer may not use a nonce at `now` (ms), None when it may.

    `used` are the highest that this signer has used, at most a hundred, highest last; they count
    for the signing key, whatever account the action is for.
    """
    if nonce in used:
        return f"Invalid nonce: duplicate nonce {nonce}"
    if len(used) >= KEPT and nonce < used[0]:
        return f"Invalid nonce: nonce too low {nonce} < {used[0]}"
    if nonce <= now - BEHIND:
        return f"Invalid nonce: nonce too low {nonce} < {now - BEHIND}"
    if nonce >= now + AHEAD:
        return f"Invalid nonce: nonce too high {nonce} > {now + AHEAD}"
    return None
