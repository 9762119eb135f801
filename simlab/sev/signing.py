"""Signatures in AMD's byte order: every number little-endian."""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from simlab.sev.errors import SignatureError
from simlab.sev.keys import Algorithm, IssuerKey, SigningKey, hash_of

# An ECDSA signature is two 72-byte fields, whatever the curve (55766, appendix C).
_SCALAR_SIZE = 72


def _pss(algorithm: Algorithm) -> padding.PSS:
    digest = hash_of(algorithm)
    return padding.PSS(padding.MGF1(digest), digest.digest_size)


def sign(signer: SigningKey, message: bytes) -> bytes:
    """Sign a message; the signature is as long as the key (RSA) or 144 bytes (ECDSA)."""
    if isinstance(signer.key, ec.EllipticCurvePrivateKey):
        r, s = decode_dss_signature(signer.key.sign(message, ec.ECDSA(hash_of(signer.algorithm))))
        return r.to_bytes(_SCALAR_SIZE, "little") + s.to_bytes(_SCALAR_SIZE, "little")
    while True:
        signature = signer.key.sign(message, _pss(signer.algorithm), hash_of(signer.algorithm))
        # The `sev` crate 0.3.0 drops leading zeros and then finds such a signature too short.
        if signature[0]:
            return signature[::-1]


def verify(issuer: IssuerKey, message: bytes, signature: bytes) -> None:
    """Verify a signature. Raises SignatureError."""
    try:
        if isinstance(issuer.key, rsa.RSAPublicKey):
            size = issuer.key.key_size // 8
            if any(signature[size:]):
                raise SignatureError("the signature is longer than its key")
            issuer.key.verify(
                signature[:size][::-1], message, _pss(issuer.algorithm), hash_of(issuer.algorithm)
            )
        else:
            r = int.from_bytes(signature[:_SCALAR_SIZE], "little")
            s = int.from_bytes(signature[_SCALAR_SIZE : 2 * _SCALAR_SIZE], "little")
            issuer.key.verify(encode_dss_signature(r, s), message, ec.ECDSA(hash_of(issuer.algorithm)))
    except InvalidSignature as error:
        raise SignatureError("the signature does not fit") from error
