"""Known answers: the vectors in the tests of the `sev` crate 0.3.0 (src/session/key.rs, mod.rs)."""

from __future__ import annotations

import hashlib

import pytest

from simlab.sev import primitives
from simlab.sev.errors import SignatureError
from simlab.sev.owner import Owner, policy_bytes
from simlab.sev.packets import Measurement

ZEROS = bytes(16)
WRAPPED = bytes.fromhex("2137bc7f9bb8bd7c3e55a576a15d3454b3856b8ba27afadf46dcfee9f02c02c4")
WRAP_MAC = bytes.fromhex("3176c0752738bd9d5e86689534020f528c088f16238826b000b327dee6aeed7d")
MAC_OF_ZEROS = bytes.fromhex("aa7855e13839dd767cd5da7c1ff5036540c9264b7a803029315e55375287b4af")
MEASURED = Measurement(
    mac=bytes.fromhex("6faab2daae389bcd3405a05d6cafe33c0414f7bedd0bae19ba5f38b7fd1664ea"),
    nonce=bytes.fromhex("4fbe0bedbad6c86ae8f68971d103e554"),
)


def test_key_derivation() -> None:
    master = primitives.derive(ZEROS, 16, ZEROS, primitives.MASTER_SECRET_LABEL)
    assert master.hex() == "ab4d269fcc62bedb4511d56c386ce706"


def test_key_derivation_over_several_blocks_begins_as_the_vector_of_its_length() -> None:
    # The length is part of what is hashed: a longer key is another key, not a longer spelling of the same.
    assert len(primitives.derive(ZEROS, 70, b"", b"label")) == 70
    assert primitives.derive(ZEROS, 70, b"", b"label")[:16] != primitives.derive(ZEROS, 16, b"", b"label")


def test_mac() -> None:
    assert primitives.mac(ZEROS, bytes(4)) == MAC_OF_ZEROS


def test_wrapping() -> None:
    kek, kik = primitives.wrapping_keys(ZEROS, ZEROS)
    wrapped = primitives.crypt(kek, ZEROS, bytes(32))
    assert wrapped == WRAPPED
    assert primitives.mac(kik, wrapped) == WRAP_MAC


def _owner_of_the_vector() -> Owner:
    owner = Owner(policy=0)
    owner._tik = bytes.fromhex("66320db73158a35a255d051758e95ed4")
    return owner


def test_measurement() -> None:
    verified = _owner_of_the_vector().verify(hashlib.sha256().digest(), bytes([0x00, 0x12, 0x0F]), MEASURED)
    assert verified.measurement == MEASURED.mac


@pytest.mark.parametrize(
    ("digest", "build"),
    [
        (hashlib.sha256(b"another").digest(), bytes([0x00, 0x12, 0x0F])),
        (hashlib.sha256().digest(), bytes([0x00, 0x12, 0x10])),
        (hashlib.sha256().digest(), bytes([0x01, 0x12, 0x0F])),
    ],
    ids=["digest", "build", "API major"],
)
def test_measurement_of_something_else(digest: bytes, build: bytes) -> None:
    with pytest.raises(SignatureError):
        _owner_of_the_vector().verify(digest, build, MEASURED)


def test_measurement_with_another_key() -> None:
    with pytest.raises(SignatureError):
        Owner(policy=0).verify(hashlib.sha256().digest(), bytes([0x00, 0x12, 0x0F]), MEASURED)


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (0x00, "00000000"),
        (0x05, "05000000"),
        (0xFFFF, "3f000000"),
        (0x0015_0001, "01000105"),  # not 01001500, which is what the platform authenticates
    ],
)
def test_policy_as_the_crate_reads_it(policy: int, expected: str) -> None:
    assert policy_bytes(policy).hex() == expected
