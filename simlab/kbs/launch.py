"""The SEV side of a request (simple-kbs 0.1.1, src/sev_tools.rs and src/crypto.rs)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from simlab.kbs import rust, strict_base64
from simlab.sev.amd import ForgedVendorSignatureError, TruncatedSignatureError
from simlab.sev.chain import Chain
from simlab.sev.errors import FormatError, SignatureError, TruncatedError, UnknownVersionError
from simlab.sev.keys import Usage
from simlab.sev.owner import Launch, Owner, Verified
from simlab.sev.packets import Measurement

if TYPE_CHECKING:
    from simlab.kbs.connection import Connection

_IV_SIZE: Final = 12
_GCM_KEY_SIZE: Final = 32
_SMALL_KEY: Final = 2048

# The texts of Rust's std::io::Error
_CUT_SHORT: Final = "failed to fill whole buffer"
_INVALID_DATA: Final = "invalid data"
_INVALID_INPUT: Final = "invalid input parameter"
_NOT_FOUND: Final = "entity not found"


class LaunchError(Exception):
    """The launch cannot go on; the message goes to the client."""


def start(policy: int, chain: str) -> tuple[Launch, Owner]:
    """Answer GetBundle: check the chain (base64), whoever's root it ends in, and wrap new keys for its PDH.

    Raises LaunchError when it cannot be read, PanicError when a signature in it is wrong.
    """
    owner = Owner(policy)
    try:
        data = strict_base64.decode(chain)
    except strict_base64.Base64Error as error:
        raise LaunchError(str(error)) from error
    certificates = _read_chain(data)
    try:
        return owner.start(certificates.verify()), owner
    except FormatError as error:
        raise _unverified(error) from error


def _read_chain(data: bytes) -> Chain:
    try:
        return Chain.decode(data)
    except TruncatedSignatureError as error:
        reason = _without_signature(error)
    except TruncatedError:
        reason = _CUT_SHORT
    except UnknownVersionError:
        reason = _INVALID_DATA
    except FormatError:
        reason = _INVALID_INPUT
    raise LaunchError(f"Cert Chain not formatted correctly: {reason}")


def _unverified(error: FormatError) -> rust.PanicError:
    """Return the panic of a chain that does not verify.

    The `sev` crate 0.3.0 has a word of its own for an ARK's signature that does not fit, and none for those
    of a SEV certificate, of which another may (src/certs/crypto.rs, src/certs/sev/cert/mod.rs).
    """
    reason = _NOT_FOUND if isinstance(error, ForgedVendorSignatureError) else _INVALID_INPUT
    return rust.unwrap_panic(f"Failed to verify cert chain: {reason}", "src/sev_tools.rs:26:10")


def _without_signature(error: TruncatedSignatureError) -> str:
    """Return what becomes of a chain that ends inside of an AMD certificate's signature.

    The `sev` crate 0.3.0 (src/certs/ca/cert/v1.rs) puts the signature of Naples' ARK in its place, for every
    certificate. That one has 256 bytes: it panics where 512 are needed, does not verify where it is the
    ARK's, and leaves nothing to read an ARK from where it is the ASK's. (Rust's reader was at the signature's
    beginning then, before its 1.80.)
    """
    certificate = error.certificate
    if certificate.bits != _SMALL_KEY:
        raise rust.PanicError(
            "copy_from_slice: source slice length (256) does not match destination slice length (512)",
            rust.library("sev-0.3.0/src/certs/ca/cert/v1.rs:150:39"),
        )
    if certificate.usage == Usage.ARK:
        raise _unverified(ForgedVendorSignatureError("the signature of Naples' ARK"))
    return _CUT_SHORT


def verify(connection: Connection, measurement: str, owner: Owner) -> Verified:
    """Check a launch measurement (base64). Raises LaunchError, and PanicError when it is too short."""
    try:
        digest = strict_base64.decode(connection.fw_digest)
        data = strict_base64.decode(measurement)
    except strict_base64.Base64Error as error:
        raise LaunchError(str(error)) from error
    try:
        decoded = Measurement.decode(data)
    except FormatError as error:
        text = f'Error {{ kind: UnexpectedEof, message: "{_CUT_SHORT}" }}'
        raise rust.unwrap_panic(text, "src/sev_tools.rs:53:79") from error
    version = (connection.fw_api_major, connection.fw_api_minor, connection.fw_build_id)
    try:
        return owner.verify(digest, bytes(number & 0xFF for number in version), decoded)
    except SignatureError as error:
        raise LaunchError(f"Measurement Invalid: {_INVALID_INPUT}") from error


def encrypt(payload: bytes, symkey: str) -> tuple[str, str]:
    """Encrypt an online secret with AES-256-GCM; returns ciphertext and IV in base64.

    Raises LaunchError when the key is not base64, PanicError when it has another length.
    """
    try:
        key = strict_base64.decode(symkey)
    except strict_base64.Base64Error as error:
        raise LaunchError(str(error)) from error
    if len(key) != _GCM_KEY_SIZE:
        raise rust.PanicError(
            f"assertion `left == right` failed\n  left: {len(key)}\n right: {_GCM_KEY_SIZE}",
            rust.library("generic-array-0.14.6/src/lib.rs:565:9"),
        )
    iv = os.urandom(_IV_SIZE)
    return strict_base64.encode(AESGCM(key).encrypt(iv, payload, None)), strict_base64.encode(iv)
