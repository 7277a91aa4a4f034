"""Who signed: the worked example, and what the official SDK and ccxt really sign."""

from __future__ import annotations

import ccxt
import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from hyperliquid.utils import signing as sdk
from hypothesis import given, settings
from hypothesis import strategies as st

from tradeagent.simulation.venue.actions import USER_SIGNED, canonical
from tradeagent.simulation.venue.base import Json, Malformed
from tradeagent.simulation.venue.signing import (
    EXCHANGE,
    Signature,
    Unrecoverable,
    connection_id,
    l1_digest,
    user_digest,
)

KEY = "0x" + "22" * 32
WALLET = Account.from_key(KEY)
OWNER = WALLET.address.lower()
NONCE = 1751234567890
VAULT = "0x" + "Ab" * 20


def order(price: str = "61234", **more: object) -> Json:
    """Return an order action in canonical form."""
    one: Json = {"a": 0, "b": True, "p": price, "s": "0.002", "r": False}
    return {
        "type": "order",
        "orders": [{**one, "t": {"limit": {"tif": "Gtc"}}, **more}],
        "grouping": "na",
    }


def recovered(
    action: Json,
    signature: object,
    source: str = "b",
    vault: str | None = None,
    expires: int | None = None,
) -> str:
    """Return who the venue takes for the signer of an L1 action."""
    connection = connection_id(canonical(action), NONCE, vault, expires)
    return Signature.read(signature).signer(l1_digest(connection, source))


def test_the_worked_example_of_the_protocol_comes_out() -> None:
    """Hash, domain, and the signer of an r with 63 digits are those of the reference."""
    connection = connection_id(canonical(order()), NONCE, None, None)
    assert connection.hex() == ("cbfb03ec84ccd79cc3b49c72f859288fbc57a5685a3b81109abc7add68d7471d")
    assert EXCHANGE.hex() == "d79297fcdf2ffcd4ae223d01edaa2ba214ff8f401d7c9300d995d17c82aa4040"
    signature = {
        "r": "0x3a3623b37fe8c74f77bdbd0693e860977336af4327de1da37d3260e2ba1a09d",
        "s": "0x3b88ecf5268723764ff8b93640d6be9b889f41b101620e0c15f688a4ea24be5d",
        "v": 27,
    }
    assert len(signature["r"]) == 65
    assert recovered(order(), signature) == OWNER


@pytest.mark.parametrize("mainnet", [False, True])
@pytest.mark.parametrize("vault", [None, VAULT])
@pytest.mark.parametrize("expires", [None, NONCE + 5000])
def test_what_the_sdk_signs_is_recovered(
    mainnet: bool, vault: str | None, expires: int | None
) -> None:
    """Network, vault and expiry are all part of what was signed."""
    signature = sdk.sign_l1_action(WALLET, order(), vault, NONCE, expires, mainnet)
    source = "a" if mainnet else "b"
    assert recovered(order(), signature, source, vault, expires) == OWNER
    assert recovered(order(), signature, source, vault, NONCE) != OWNER
    assert recovered(order(), signature, "ab"[mainnet], vault, expires) != OWNER
    assert recovered(order("61235"), signature, source, vault, expires) != OWNER


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 2**256 // 2**130), st.integers(0, 2**48), st.integers(0, 2**40))
def test_every_signature_of_the_sdk_is_recovered(key: int, oid: int, nonce: int) -> None:
    """Whatever the key, the number or the nonce, and however short r and s come out."""
    wallet = Account.from_key(key.to_bytes(32, "big"))
    action: Json = {"type": "cancel", "cancels": [{"a": 3, "o": oid}]}
    signature = sdk.sign_l1_action(wallet, action, None, nonce, None, False)
    connection = connection_id(canonical(action), nonce, None, None)
    signer = Signature.read(signature).signer(l1_digest(connection, "b"))
    assert signer == wallet.address.lower()


def test_what_ccxt_signs_is_recovered() -> None:
    """It signs for mainnet whatever the URL, pads r and s, and names a vault without 0x."""
    client = ccxt.hyperliquid({"walletAddress": WALLET.address, "privateKey": KEY})
    bare = VAULT[2:].lower()
    for vault in (None, bare):
        signature = client.sign_l1_action(order(), NONCE, vault)
        assert recovered(order(), signature, "a", vault) == OWNER
        assert recovered(order(), signature, "b", vault) != OWNER
    message = {
        "hyperliquidChain": "Mainnet",
        "maxFeeRate": "0.01%",
        "builder": VAULT.lower(),
        "nonce": NONCE,
    }
    signature = client.build_approve_builder_fee_sig(message)
    action = {**message, "type": "approveBuilderFee", "signatureChainId": "0x66eee"}
    assert Signature.read(signature).signer(user_digest(canonical(action))) == OWNER


def test_keys_in_another_order_are_read_as_the_canonical_action() -> None:
    """A client that signs the canonical form may send its keys, zeros and hex in any form."""
    cloid = "0x" + "ab" * 16
    signature = sdk.sign_l1_action(WALLET, order(c=cloid), None, NONCE, None, False)
    mixed = order("61234.000", c=cloid.upper().replace("X", "x"))
    sent = {name: mixed[name] for name in ("grouping", "orders", "type")}
    assert recovered(sent, signature) == OWNER


def test_a_form_that_is_not_canonical_is_not_what_was_signed() -> None:
    """Signing "60000.0" or keys in another order gives an address nobody owns."""
    padded = order("60000.0")
    signature = sdk.sign_l1_action(WALLET, padded, None, NONCE, None, False)
    assert recovered(padded, signature) != OWNER
    turned = dict(reversed(order().items()))
    signature = sdk.sign_l1_action(WALLET, turned, None, NONCE, None, False)
    assert recovered(turned, signature) != OWNER


@pytest.mark.parametrize(
    ("kind", "fields", "sign"),
    [
        ("usdSend", {"destination": VAULT, "amount": "1.0"}, sdk.sign_usd_transfer_action),
        ("withdraw3", {"destination": VAULT, "amount": "2"}, sdk.sign_withdraw_from_bridge_action),
        (
            "spotSend",
            {"destination": VAULT, "token": "USDC:0x6d1e", "amount": "1"},
            sdk.sign_spot_transfer_action,
        ),
        ("usdClassTransfer", {"amount": "1", "toPerp": True}, sdk.sign_usd_class_transfer_action),
        (
            "sendAsset",
            {
                "destination": VAULT,
                "sourceDex": "",
                "destinationDex": "spot",
                "token": "USDC",
                "amount": "1",
                "fromSubAccount": "",
            },
            sdk.sign_send_asset_action,
        ),
        ("approveAgent", {"agentAddress": VAULT, "agentName": "bot 1"}, sdk.sign_agent),
        (
            "approveBuilderFee",
            {"maxFeeRate": "0.01%", "builder": VAULT},
            sdk.sign_approve_builder_fee,
        ),
        (
            "userSetAbstraction",
            {"user": VAULT, "abstraction": "disabled"},
            sdk.sign_user_set_abstraction_action,
        ),
        (
            "userDexAbstraction",
            {"user": VAULT, "enabled": True},
            sdk.sign_user_dex_abstraction_action,
        ),
        (
            "tokenDelegate",
            {"validator": VAULT, "wei": 5, "isUndelegate": False},
            sdk.sign_token_delegate_action,
        ),
        (
            "convertToMultiSigUser",
            {"signers": '{"threshold":1}'},
            sdk.sign_convert_to_multi_sig_user_action,
        ),
    ],
)
def test_every_user_signed_action_of_the_sdk_is_recovered(
    kind: str, fields: Json, sign: object
) -> None:
    """Each primary type of the protocol's table, on either network."""
    moment = USER_SIGNED[kind][1][-1][0]
    assert moment in ("time", "nonce")
    for mainnet in (False, True):
        action: Json = {**fields, moment: NONCE, "type": kind}
        signature = sign(WALLET, action, mainnet)
        assert Signature.read(signature).signer(user_digest(canonical(action))) == OWNER
        action["hyperliquidChain"] = "Testnet" if mainnet else "Mainnet"
        assert Signature.read(signature).signer(user_digest(canonical(action))) != OWNER


def test_an_unnamed_agent_was_signed_with_an_empty_name() -> None:
    """The SDK signs agentName "" and then leaves the key out."""
    action: Json = {"type": "approveAgent", "agentAddress": VAULT, "agentName": "", "nonce": NONCE}
    signature = sdk.sign_agent(WALLET, action, False)
    del action["agentName"]
    assert Signature.read(signature).signer(user_digest(canonical(action))) == OWNER


def test_any_chain_of_a_browser_wallet_will_do() -> None:
    """The chain id of a user-signed action is the one it says."""
    action: Json = {
        "type": "usdSend",
        "destination": VAULT,
        "amount": "1",
        "time": NONCE,
        "signatureChainId": "0xa4b1",
        "hyperliquidChain": "Mainnet",
    }
    payload = sdk.user_signed_payload(
        "HyperliquidTransaction:UsdSend", sdk.USD_SEND_SIGN_TYPES, action
    )
    made = WALLET.sign_message(encode_typed_data(full_message=payload))
    signature = {"r": hex(made.r), "s": hex(made.s), "v": made.v}
    assert Signature.read(signature).signer(user_digest(canonical(action))) == OWNER


@pytest.mark.parametrize(
    "signature",
    [
        {"r": "0x0", "s": "0x1", "v": 27},
        {"r": "0x1", "s": "0x" + "ff" * 32, "v": 27},
        {"r": "0x1", "s": "0x1", "v": 29},
        {"r": "0x5", "s": "0x1", "v": 28},
    ],
)
def test_a_signature_off_the_curve_has_no_signer(signature: Json) -> None:
    """Numbers that no key can have made are told apart from a stranger's signature."""
    with pytest.raises(Unrecoverable):
        recovered(order(), signature)


@pytest.mark.parametrize(
    "signature", [None, {}, {"r": "0x1", "s": "0x1"}, {"r": 1, "s": "0x1", "v": 27}, "0x12"]
)
def test_what_is_no_signature_is_malformed(signature: object) -> None:
    """A missing or mistyped part is a wrong shape, not a wrong signature."""
    with pytest.raises(Malformed):
        Signature.read(signature)
