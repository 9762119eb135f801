"""The software platform's vendor: a root and a signing key that stand where AMD's ARK and ASK stand."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric import rsa

from simlab.sev.amd import AmdCertificate
from simlab.sev.chain import VendorChain
from simlab.sev.keys import SigningKey, Usage, rsa_algorithm

DEFAULT_BITS: Final = 2048
"""As Naples' ARK; 4096 (Rome and later) takes seconds to make."""


@dataclass(frozen=True, repr=False)
class Vendor:
    """A vendor who can sign chips. The root's private key is gone once it has signed the ASK."""

    chain: VendorChain
    signing_key: SigningKey


def create(bits: int = DEFAULT_BITS) -> Vendor:
    """Make a vendor: ARK signs itself and the ASK."""
    algorithm = rsa_algorithm(bits)
    ark_key = rsa.generate_private_key(65537, bits)
    ask_key = rsa.generate_private_key(65537, bits)
    ark_id, ask_id = os.urandom(16), os.urandom(16)
    ark_signer = SigningKey(Usage.ARK, algorithm, ark_key)
    ark = AmdCertificate.build(Usage.ARK, ark_key.public_key(), key_id=ark_id, certifying_id=ark_id)
    ask = AmdCertificate.build(Usage.ASK, ask_key.public_key(), key_id=ask_id, certifying_id=ark_id)
    chain = VendorChain(ask=ask.signed_by(ark_signer), ark=ark.signed_by(ark_signer))
    return Vendor(chain, SigningKey(Usage.ASK, algorithm, ask_key))
