"""Signatures are the venue's, the body is what was signed, and the key shows nowhere."""

from __future__ import annotations

import json

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from hyperliquid.utils.signing import (
    action_hash,
    construct_phantom_agent,
    l1_payload,
    sign_l1_action,
)
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import SecretStr

from tests.integrations.hyperliquid.scripted import ACCOUNT, KEY, SIGNER
from tradeagent.errors import OperatorError
from tradeagent.integrations.hyperliquid import Credentials
from tradeagent.integrations.hyperliquid.signing import Signer

ACTION: dict[str, object] = {
    "type": "order",
    "orders": [
        {
            "a": 0,
            "b": True,
            "p": "61234",
            "s": "0.002",
            "r": False,
            "t": {"limit": {"tif": "Gtc"}},
        }
    ],
    "grouping": "na",
}
NONCE = 1751234567890
CURVE = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
"""The order of secp256k1: keys are below it."""


def recovered(body: str, *, mainnet: bool) -> str:
    """Return who signed a body, as the venue finds out."""
    told = json.loads(body)
    digest = action_hash(told["action"], None, told["nonce"], told["expiresAfter"])
    payload = l1_payload(construct_phantom_agent(digest, mainnet))
    mark = told["signature"]
    vrs = (mark["v"], int(mark["r"], 16), int(mark["s"], 16))
    signer: str = Account.recover_message(encode_typed_data(full_message=payload), vrs=vrs)
    return signer.lower()


def test_the_worked_example() -> None:
    """Key, action and nonce of the reference give its hash and its signature, digit for digit."""
    signer = Signer(SecretStr(KEY), mainnet=False)

    told = json.loads(signer.body(ACTION, NONCE, None))

    assert signer.address == SIGNER
    assert action_hash(ACTION, None, NONCE, None).hex() == (
        "cbfb03ec84ccd79cc3b49c72f859288fbc57a5685a3b81109abc7add68d7471d"
    )
    assert told["signature"] == {
        "r": "0x3a3623b37fe8c74f77bdbd0693e860977336af4327de1da37d3260e2ba1a09d",
        "s": "0x3b88ecf5268723764ff8b93640d6be9b889f41b101620e0c15f688a4ea24be5d",
        "v": 27,
    }
    assert told["action"] == ACTION


@given(
    st.integers(1, 1 << 60),
    st.none() | st.integers(1, 1 << 60),
    st.booleans(),
    st.binary(min_size=32, max_size=32),
)
def test_signatures_are_the_sdks(
    nonce: int,
    expires: int | None,
    mainnet: bool,
    key: bytes,
) -> None:
    """For any key, nonce, expiry and network ours is the SDK's signature, digit by digit."""
    assume(0 < int.from_bytes(key, "big") < CURVE)
    signer = Signer(SecretStr("0x" + key.hex()), mainnet=mainnet)
    wallet = Account.from_key(key)

    told = json.loads(signer.body(ACTION, nonce, expires))
    assert told["signature"] == sign_l1_action(wallet, ACTION, None, nonce, expires, mainnet)


@pytest.mark.parametrize("mainnet", [False, True])
def test_the_body_recovers_to_the_signer(mainnet: bool) -> None:
    """Nonce, expiry and network are part of what is signed."""
    signer = Signer(SecretStr(KEY), mainnet=mainnet)
    body = signer.body(ACTION, NONCE, NONCE + 10_000)

    assert recovered(body, mainnet=mainnet) == SIGNER
    assert recovered(body, mainnet=not mainnet) != SIGNER
    assert recovered(body.replace(f"{NONCE + 10_000}", f"{NONCE}"), mainnet=mainnet) != SIGNER


@pytest.mark.parametrize("key", ["", "0x1234", "a word", "0x" + "zz" * 32, "0x" + "00" * 32])
def test_a_wrong_key_is_not_quoted(key: str) -> None:
    """An operator learns which setting is wrong, and the log does not learn the key."""
    with pytest.raises(OperatorError, match="HYPERLIQUID_PRIVATE_KEY") as caught:
        Signer(SecretStr(key), mainnet=False)

    assert not key or key not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_the_key_shows_nowhere() -> None:
    """Neither credentials nor signer print, dump or represent the key."""
    credentials = Credentials(account=ACCOUNT.upper().replace("X", "x"), key=SecretStr(KEY))
    signer = Signer(credentials.key, mainnet=False)
    shown = [repr(credentials), str(credentials), credentials.model_dump_json(), repr(signer)]

    assert credentials.account == ACCOUNT
    assert not any("22" * 16 in text for text in shown)
    assert not hasattr(signer, "__dict__")
