"""Keys of vendors and certifiers: Ed25519, or ECDSA on P-256 with SHA-256, in PEM files.

A key's id is its fingerprint as `ssh-keygen -l` shows it. Verifiers in Go take that for keys without an id
(go-securesystemslib, dsse/verify.go, SHA256KeyID), and skip signatures of any other id.
"""

from __future__ import annotations

import base64
import hashlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from lab.bounded import read_at_most
from lab.secret import Secret
from reports.certificate.refusal import Mistake

if TYPE_CHECKING:
    from pathlib import Path

_ALLOWED: Final = "an Ed25519 key, or an ECDSA key on P-256"
_LARGEST: Final = 1 << 16  # bytes of a PEM file
# FIPS 186-4, D.1.2.3
_P256_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


@dataclass(frozen=True)
class PublicKey:
    """A key that verifies. `name` is the file that it was read from."""

    name: str
    key: ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey

    @property
    def id(self) -> str:
        """The fingerprint, as `SHA256:` and unpadded base64 of SSH's form of the key."""
        _, encoded = self.key.public_bytes(
            serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
        ).split()[:2]
        digest = hashlib.sha256(base64.b64decode(encoded)).digest()
        return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")

    def made(self, signature: bytes, data: bytes) -> bool:
        """Whether this key's private half made the signature over `data`.

        Of the two that ECDSA has for each, one is taken: who has no key could make the other from it.
        """
        try:
            if isinstance(self.key, ed25519.Ed25519PublicKey):
                self.key.verify(signature, data)
            else:
                self.key.verify(signature, data, ec.ECDSA(hashes.SHA256()))
                return _lower(signature) == signature
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True)
class PrivateKey:
    """A key that signs."""

    name: str
    key: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey

    @property
    def public(self) -> PublicKey:
        """Its public half."""
        return PublicKey(self.name, self.key.public_key())

    def sign(self, data: bytes) -> bytes:
        """The signature over `data`."""
        if isinstance(self.key, ed25519.Ed25519PrivateKey):
            return self.key.sign(data)
        return _lower(self.key.sign(data, ec.ECDSA(hashes.SHA256())))


def _lower(signature: bytes) -> bytes:
    """Of an ECDSA signature (r, s) and its twin (r, -s) the one with the smaller s, in DER."""
    r, s = decode_dss_signature(signature)
    return encode_dss_signature(r, min(s, _P256_ORDER - s))


def public_key(path: Path) -> PublicKey:
    """The public key in a PEM file. Raises Mistake."""
    data = _read(path)
    if b"PRIVATE KEY" in data:
        raise Mistake(f"key {path}: it is a private key, which stays with its owner; give the public one")
    try:
        key = serialization.load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm):
        raise Mistake(
            f"key {path}: it holds no public key in PEM (BEGIN PUBLIC KEY); allowed is {_ALLOWED}"
        ) from None
    if isinstance(key, ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey) and not _on_another_curve(key):
        return PublicKey(str(path), key)
    raise Mistake(f"key {path}: it is another kind of key; allowed is {_ALLOWED}")


def private_key(path: Path, passphrase: Secret | None) -> PrivateKey:
    """The private key in a PEM file. Raises Mistake, which names the file and never the passphrase."""
    data = _read(path)
    try:
        key = serialization.load_pem_private_key(data, passphrase.reveal().encode() if passphrase else None)
    except TypeError:
        if passphrase is None:
            raise Mistake(
                f"key {path}: it is encrypted; name its passphrase by --passphrase-env or --passphrase-file"
            ) from None
        raise Mistake(f"key {path}: it is not encrypted, and a passphrase was named for it") from None
    except (ValueError, UnsupportedAlgorithm):
        cause = "the passphrase is wrong, or it" if passphrase else "it"
        raise Mistake(
            f"key {path}: {cause} holds no private key in PEM (PKCS #8); allowed is {_ALLOWED}"
        ) from None
    if isinstance(key, ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey) and not _on_another_curve(key):
        return PrivateKey(str(path), key)
    raise Mistake(f"key {path}: it is another kind of key; allowed is {_ALLOWED}")


def passphrase_from(variable: str | None, file: Path | None) -> Secret | None:
    """The passphrase in an environment variable or in the first line of a file; None where none is named."""
    if variable is not None:
        value = os.environ.get(variable, "")
        if not value:
            raise Mistake(f"passphrase: the environment variable {variable} is not set, or empty")
        return Secret(value)
    if file is None:
        return None
    try:
        value = file.read_text(encoding="utf-8").partition("\n")[0].rstrip("\r")
    except (OSError, UnicodeDecodeError) as error:
        raise Mistake(f"passphrase: {file} cannot be read ({type(error).__name__})") from None
    if not value:
        raise Mistake(f"passphrase: the first line of {file} is empty")
    return Secret(value)


def _read(path: Path) -> bytes:
    try:
        return read_at_most(path, _LARGEST)
    except OSError as error:
        raise Mistake(f"key {path}: it cannot be read: {error.strerror}") from None


def _on_another_curve(key: object) -> bool:
    curve = getattr(key, "curve", None)
    return curve is not None and not isinstance(curve, ec.SECP256R1)
