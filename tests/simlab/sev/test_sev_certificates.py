"""Certificates and chains: bytes there and back, and which of them verify."""

from __future__ import annotations

import io
import os
from dataclasses import replace
from functools import cache

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from simlab.psp import vendor
from simlab.sev.amd import AmdCertificate, TruncatedSignatureError
from simlab.sev.certificate import SIZE, Certificate
from simlab.sev.chain import Chain, PlatformChain, VendorChain
from simlab.sev.errors import (
    FormatError,
    SignatureError,
    TruncatedError,
    UnknownVersionError,
    WrongFieldError,
)
from simlab.sev.keys import Algorithm, SigningKey, Usage


@cache
def chain() -> Chain:
    maker = vendor.create()
    keys = {
        usage: ec.generate_private_key(ec.SECP384R1())
        for usage in (Usage.OCA, Usage.PEK, Usage.CEK, Usage.PDH)
    }

    def certificate(usage: Usage, *signers: Usage) -> Certificate:
        made = Certificate.build(usage, keys[usage].public_key(), (1, 49))
        for signer in signers:
            made = made.signed_by(SigningKey(signer, Algorithm.ECDSA_SHA256, keys[signer]))
        return made

    platform = PlatformChain(
        pdh=certificate(Usage.PDH, Usage.PEK),
        pek=certificate(Usage.PEK, Usage.OCA, Usage.CEK),
        oca=certificate(Usage.OCA, Usage.OCA),
        cek=certificate(Usage.CEK).signed_by(maker.signing_key),
    )
    return Chain(platform, maker.chain)


def test_file_order_and_sizes() -> None:
    data = chain().encode()
    assert len(data) == 4 * SIZE + 2 * 832
    usages = [int.from_bytes(data[n * SIZE + 8 : n * SIZE + 12], "little") for n in range(4)]
    assert usages == [Usage.PDH, Usage.PEK, Usage.OCA, Usage.CEK]
    authorities = [int.from_bytes(data[4 * SIZE + n * 832 + 36 :][:4], "little") for n in range(2)]
    assert authorities == [Usage.ASK, Usage.ARK]


def test_round_trip() -> None:
    assert Chain.decode(chain().encode()) == chain()
    assert Chain.decode(chain().encode() + b"more").encode() == chain().encode()


def test_chain_verifies() -> None:
    assert chain().verify() == chain().platform.pdh
    assert chain().platform.pdh.api == (1, 49)


@pytest.mark.parametrize("bits", [2048, 4096])
def test_vendors_of_both_sizes(bits: int) -> None:
    made = vendor.create(bits).chain
    made.verify()
    assert made.ark.bits == bits
    assert VendorChain.read(io.BytesIO(made.encode())) == made


# One byte of what each signature covers, and one of each signature: all of the chain matters.
BODIES = [n * SIZE + 0x18 for n in range(4)] + [4 * SIZE + 100, 4 * SIZE + 832 + 100]
SIGNATURES = [n * SIZE + 0x41C + 5 for n in range(4)] + [
    SIZE + 0x624 + 5,
    4 * SIZE + 600,
    4 * SIZE + 832 + 600,
]


@pytest.mark.parametrize("offset", BODIES + SIGNATURES)
def test_one_changed_bit_breaks_the_chain(offset: int) -> None:
    data = bytearray(chain().encode())
    data[offset] ^= 1
    with pytest.raises((SignatureError, WrongFieldError)):
        Chain.decode(bytes(data)).verify()


def test_a_chain_of_two_platforms_does_not_verify() -> None:
    other = vendor.create().chain
    with pytest.raises(SignatureError):
        Chain(chain().platform, other).verify()
    with pytest.raises(SignatureError):
        VendorChain(ask=chain().vendor.ask, ark=other.ark).verify()


def test_a_signature_of_the_right_key_under_another_usage_does_not_count() -> None:
    pek = chain().platform.pek
    first, second = pek.signatures
    swapped = replace(pek, signatures=(replace(first, usage=Usage.CEK), second))
    with pytest.raises(SignatureError):
        swapped.verify(chain().platform.oca.issuer_key())


@pytest.mark.parametrize(
    "size", [0, 3, 4, SIZE - 1, SIZE, 4 * SIZE, 4 * SIZE + 3, 4 * SIZE + 100, 4 * SIZE + 700]
)
def test_truncated(size: int) -> None:
    with pytest.raises(TruncatedError):
        Chain.decode(chain().encode()[:size])


def test_truncated_in_the_last_signature() -> None:
    with pytest.raises(TruncatedSignatureError) as caught:
        Chain.decode(chain().encode()[:-10])
    assert caught.value.certificate.usage == Usage.ARK
    assert caught.value.missing_from == 246


def test_another_version() -> None:
    data = chain().encode()
    with pytest.raises(UnknownVersionError):
        Chain.decode(b"\x02" + data[1:])
    with pytest.raises(UnknownVersionError):
        VendorChain.read(io.BytesIO(b"\x02" + data[4 * SIZE + 1 :]))


def test_certificates_in_another_order() -> None:
    platform = chain().platform
    with pytest.raises(WrongFieldError, match="not a PDH"):
        PlatformChain.read(io.BytesIO(platform.pek.encode() + platform.pdh.encode()))
    authority = chain().vendor
    with pytest.raises(WrongFieldError, match="not an ASK"):
        VendorChain.read(io.BytesIO(authority.ark.encode() + authority.ask.encode()))


def test_no_room_for_a_third_signature() -> None:
    signer = SigningKey(Usage.OCA, Algorithm.ECDSA_SHA256, ec.generate_private_key(ec.SECP384R1()))
    with pytest.raises(WrongFieldError, match="taken"):
        chain().platform.pek.signed_by(signer)


def test_a_point_off_the_curve() -> None:
    body = bytearray(chain().platform.pdh.body)
    body[0x14] ^= 1
    with pytest.raises(WrongFieldError, match="not a point"):
        Certificate(bytes(body)).ecc_key()


def test_no_amd_key_of_3072_bits() -> None:
    key = rsa.generate_private_key(65537, 3072).public_key()
    with pytest.raises(WrongFieldError, match="3072"):
        AmdCertificate.build(Usage.ARK, key, key_id=os.urandom(16), certifying_id=os.urandom(16))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 4 * SIZE + 2 * 832 - 1), st.integers(0, 255)), min_size=1, max_size=12)
)
def test_damage_is_an_error_of_the_formats(damage: list[tuple[int, int]]) -> None:
    data = bytearray(chain().encode())
    for offset, value in damage:
        data[offset] = value
    try:
        Chain.decode(bytes(data)).verify()
    except FormatError:
        return
    # Bytes of a certificate behind the shorter signature are covered by nothing.
    assert Chain.decode(bytes(data)).platform.pdh.body == chain().platform.pdh.body
