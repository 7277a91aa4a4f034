"""Find out who signed an action: msgpack, Keccak and EIP-712, then the key behind a signature.

Recovery never fails for a wrong payload: it gives an address that nobody owns. Whether an address
means anything is for the caller to look up.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import msgpack
from coincurve import PublicKey
from eth_utils.crypto import keccak

from tradeagent.simulation.venue.actions import USER_SIGNED
from tradeagent.simulation.venue.base import Json, Malformed

HEX = re.compile(r"(0x)?[0-9a-fA-F]{1,64}")
ORDER_OF_CURVE = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
DOMAIN = b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
SOURCES = ("b", "a")
"""The networks an L1 action may be signed for: testnet or any other, mainnet."""


class Unrecoverable(Exception):
    """A signature that belongs to no key at all."""


@dataclass(frozen=True, slots=True)
class Signature:
    """The two integers of an ECDSA signature and the parity of its point, 0 or 1."""

    r: int
    s: int
    parity: int

    @classmethod
    def read(cls, value: object) -> Signature:
        """Read r, s and v; hex may be unpadded. Raises Malformed, Unrecoverable."""
        if not isinstance(value, dict) or not {"r", "s", "v"} <= value.keys():
            raise Malformed("a signature is an object with r, s and v")
        r, s, v = value["r"], value["s"], value["v"]
        if type(v) is not int or not all(
            isinstance(part, str) and HEX.fullmatch(part) for part in (r, s)
        ):
            raise Malformed("a signature has r and s in hex and v as a number")
        if v not in (27, 28):
            raise Unrecoverable
        return cls(int(r, 16), int(s, 16), v - 27)

    def signer(self, digest: bytes) -> str:
        """Return the address, in lower case, whose key signed `digest`; raises Unrecoverable."""
        if not (0 < self.r < ORDER_OF_CURVE and 0 < self.s < ORDER_OF_CURVE):
            raise Unrecoverable
        raw = self.r.to_bytes(32, "big") + self.s.to_bytes(32, "big") + bytes([self.parity])
        try:
            key = PublicKey.from_signature_and_message(raw, digest, hasher=None)
        except ValueError as error:
            raise Unrecoverable from error
        return "0x" + keccak(key.format(compressed=False)[1:])[-20:].hex()


def _domain(name: str, chain: int) -> bytes:
    """Return an EIP-712 domain separator, version 1, without a contract."""
    parts = (keccak(DOMAIN), keccak(name.encode()), keccak(b"1"), chain.to_bytes(32, "big"))
    return keccak(b"".join(parts) + bytes(32))


EXCHANGE = _domain("Exchange", 1337)
AGENT = keccak(b"Agent(string source,bytes32 connectionId)")
SOURCE = {source: keccak(source.encode()) for source in SOURCES}


def connection_id(action: Json, nonce: int, vault: str | None, expires: int | None) -> bytes:
    """Return the hash that an L1 action is signed by; keys count in the order they have here.

    Raises Malformed for what msgpack cannot hold.
    """
    try:
        packed: bytes = msgpack.packb(action)
    except (OverflowError, ValueError) as error:
        raise Malformed(str(error)) from error
    parts = [packed, nonce.to_bytes(8, "big")]
    parts.append(b"\x00" if vault is None else b"\x01" + bytes.fromhex(vault.removeprefix("0x")))
    if expires is not None:
        parts.append(b"\x00" + expires.to_bytes(8, "big"))
    return keccak(b"".join(parts))


def l1_digest(connection: bytes, source: str) -> bytes:
    """Return the EIP-712 digest of an L1 action for one network."""
    return keccak(b"\x19\x01" + EXCHANGE + keccak(AGENT + SOURCE[source] + connection))


def user_digest(action: Mapping[str, object]) -> bytes:
    """Return the EIP-712 digest of a user-signed action; raises Malformed for a bad chain id."""
    primary, fields = USER_SIGNED[str(action["type"])]
    every = (("hyperliquidChain", "string"), *fields)
    listed = ",".join(f"{kind} {name}" for name, kind in every)
    head = keccak(f"HyperliquidTransaction:{primary}({listed})".encode())
    body = b"".join(_encoded(kind, action[name]) for name, kind in every)
    domain = _domain("HyperliquidSignTransaction", _chain(action["signatureChainId"]))
    return keccak(b"\x19\x01" + domain + keccak(head + body))


def _chain(text: object) -> int:
    if not isinstance(text, str) or not text.startswith("0x") or HEX.fullmatch(text) is None:
        raise Malformed(f"{text!r} is no chain id in hex")
    return int(text, 16)


def _encoded(kind: str, value: object) -> bytes:
    """Return one field as EIP-712 encodes it."""
    if kind == "string":
        return keccak(str(value).encode())
    if kind == "address":
        return bytes.fromhex(str(value).removeprefix("0x")).rjust(32, b"\x00")
    assert isinstance(value, int)
    return int(value).to_bytes(32, "big")
