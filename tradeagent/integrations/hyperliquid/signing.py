"""Sign actions for the venue, and write the request down as it will be posted.

The signature is the official SDK's (`hyperliquid.utils.signing`), which does no I/O; with
`coincurve` installed it takes about a third of a millisecond.
"""

from __future__ import annotations

import json
from contextlib import suppress

from eth_account import Account
from eth_account.signers.local import LocalAccount
from hyperliquid.utils.signing import sign_l1_action
from pydantic import SecretStr

from tradeagent.errors import OperatorError
from tradeagent.integrations.hyperliquid.wording import Action


class Signer:
    """An agent's key that signs and shows itself nowhere; raises OperatorError for no key."""

    __slots__ = ("_main", "_wallet", "address")

    def __init__(self, key: SecretStr, *, mainnet: bool) -> None:
        wallet: LocalAccount | None = None
        with suppress(ValueError, TypeError):  # the error would quote the key
            wallet = Account.from_key(key.get_secret_value().strip())
        if wallet is None:
            raise OperatorError(
                "HYPERLIQUID_PRIVATE_KEY: is no private key; give the agent's, 64 hexadecimal "
                "digits"
            )
        self._wallet = wallet
        self._main = mainnet
        self.address: str = wallet.address.lower()

    def __repr__(self) -> str:
        return f"Signer({self.address})"

    def body(self, action: Action, nonce: int, expires_ms: int | None) -> str:
        """Return the request that asks for `action`, byte for byte as it is to be posted."""
        signature = sign_l1_action(self._wallet, action, None, nonce, expires_ms, self._main)
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


def address_of(key: SecretStr) -> str:
    """Return the address that a key signs for; raises OperatorError for no key."""
    return Signer(key, mainnet=False).address
