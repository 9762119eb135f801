"""Chains made with keys of their own, in the formats of AMD's document 55766, appendix C."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from functools import cache

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

USAGES = {"ARK": 0, "ASK": 0x13, "OCA": 0x1001, "PEK": 0x1002, "PDH": 0x1003, "CEK": 0x1004}
ORDER = ("PDH", "PEK", "OCA", "CEK", "ASK", "ARK")
SIGNERS = {
    "PDH": ("PEK",), "PEK": ("OCA", "CEK"), "OCA": ("OCA",),
    "CEK": ("ASK",), "ASK": ("ARK",), "ARK": ("ARK",),
}  # fmt: skip


@cache
def rsa_key(name: str, bits: int) -> rsa.RSAPrivateKey:
    """One key a name: making one takes a while."""
    return rsa.generate_private_key(65537, bits)


@dataclass
class Keys:
    """The keys of one chain. `tag` makes those of its certificate authority another's."""

    tag: str = "ours"
    bits: int = 2048
    curve: dict[str, ec.EllipticCurvePrivateKey] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("PDH", "PEK", "OCA", "CEK"):
            self.curve.setdefault(name, ec.generate_private_key(ec.SECP384R1()))

    def ca(self, name: str) -> rsa.RSAPrivateKey:
        return rsa_key(f"{self.tag} {name}", self.bits)


def little(number: int, size: int) -> bytes:
    return number.to_bytes(size, "little")


def platform_body(name: str, key: ec.EllipticCurvePrivateKey) -> bytes:
    numbers = key.public_key().public_numbers()
    algorithm = 3 if name == "PDH" else 2
    head = struct.pack("<IBBHII", 1, 1, 42, 0, USAGES[name], algorithm)
    point = struct.pack("<I", 2) + little(numbers.x, 72) + little(numbers.y, 72)
    return (head + point).ljust(1044, b"\0")


def ca_body(name: str, key: rsa.RSAPrivateKey) -> bytes:
    numbers = key.public_key().public_numbers()
    bits = key.key_size
    head = struct.pack("<I16s16sI16sII", 1, name.encode(), b"ARK", USAGES[name], bytes(16), bits, bits)
    return head + little(numbers.e, bits // 8) + little(numbers.n, bits // 8)


def rsa_signature(key: rsa.RSAPrivateKey, body: bytes) -> bytes:
    digest = hashes.SHA256() if key.key_size == 2048 else hashes.SHA384()
    return key.sign(body, padding.PSS(padding.MGF1(digest), digest.digest_size), digest)[::-1]


def slot(signer: str, keys: Keys, body: bytes) -> bytes:
    if signer == "ASK":
        algorithm = 1 if keys.bits == 2048 else 0x101
        value = rsa_signature(keys.ca("ASK"), body)
    else:
        algorithm = 2
        r, s = decode_dss_signature(keys.curve[signer].sign(body, ec.ECDSA(hashes.SHA256())))
        value = little(r, 72) + little(s, 72)
    return struct.pack("<II", USAGES[signer], algorithm) + value.ljust(512, b"\0")


def certificate(name: str, keys: Keys, signing: Keys) -> bytes:
    """One certificate of `keys`, signed by the keys of `signing`."""
    if name in {"ASK", "ARK"}:
        body = ca_body(name, keys.ca(name))
        return body + rsa_signature(signing.ca("ARK"), body)
    body = platform_body(name, keys.curve[name])
    slots = b"".join(slot(signer, signing, body) for signer in SIGNERS[name])
    return (body + slots).ljust(2084, b"\0")


def parts(keys: Keys) -> dict[str, bytes]:
    """A good chain's certificates by name."""
    return {name: certificate(name, keys, keys) for name in ORDER}


def chain(of: dict[str, bytes]) -> bytes:
    """The file that `sevctl export --full` would write."""
    return b"".join(of[name] for name in ORDER)
