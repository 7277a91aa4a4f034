"""Sign actions for the venue, and write the request down as it will be posted.

What is signed is made by the official SDK (`hyperliquid.utils.signing`), which does no I/O. The
curve itself is asked directly: the wallet's own way to it costs six times as much.
"""

from __future__ import annotations

import json
from contextlib import suppress

from coincurve import PrivateKey
from eth_account import Account
from eth_account.messages import encode_typed_data
from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak
from hyperliquid.utils.signing import action_hash, construct_phantom_agent, l1_payload
from pydantic import SecretStr

from tradeagent.errors import OperatorError
from tradeagent.integrations.hyperliquid.wording import Action


class Signer:
    """An agent's key that signs and shows itself nowhere; raises OperatorError for no key."""

    __slots__ = ("_curve", "_main", "address")

    def __init__(self, key: SecretStr, *, mainnet: bool) -> None:
        wallet: LocalAccount | None = None
        with suppress(ValueError, TypeError):  # the error would quote the key
            wallet = Account.from_key(key.get_secret_value().strip())
        if wallet is None:
            raise OperatorError(
                "HYPERLIQUID_PRIVATE_KEY: is no private key; give the agent's, 64 hexadecimal "
                "digits"
            )
        self._curve = PrivateKey(bytes(wallet.key))
        self._main = mainnet
        self.address: str = wallet.address.lower()

    def __repr__(self) -> str:
        return f"Signer({self.address})"

    def body(self, action: Action, nonce: int, expires_ms: int | None) -> str:
        """Return the request that asks for `action`, byte for byte as it is to be posted."""
        signature = self._signature(action, nonce, expires_ms)
        return json.dumps(
            {
                "action": action,
                "nonce": nonce,
                "signature": signature,
                "vaultAddress": None,
                "expiresAfter": expires_ms,
            },
            separators=(",", ":"),
        )

    def _signature(
        self, action: Action, nonce: int, expires_ms: int | None
    ) -> dict[str, str | int]:
        """Return what the SDK's `sign_l1_action` returns."""
        agent = construct_phantom_agent(action_hash(action, None, nonce, expires_ms), self._main)
        message = encode_typed_data(full_message=l1_payload(agent))
        digest = keccak(b"\x19" + message.version + message.header + message.body)
        signed = self._curve.sign_recoverable(digest, hasher=None)
        r, s = int.from_bytes(signed[:32]), int.from_bytes(signed[32:64])
        return {"r": hex(r), "s": hex(s), "v": signed[64] + 27}


def address_of(key: SecretStr) -> str:
    """Return the address that a key signs for; raises OperatorError for no key."""
    return Signer(key, mainnet=False).address
