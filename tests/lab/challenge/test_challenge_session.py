"""The guest owner's half of a session: as the crate sev has it, and as the platform takes it."""

from __future__ import annotations

import dataclasses
import io
import os

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from lab.challenge.session import Build, answers, derived, mac, open_session
from lab.errors import LabError
from simlab.psp import guest
from simlab.psp.status import SevError
from simlab.sev.certificate import Certificate

DIGEST = bytes(range(32))
BUILD = Build(1, 42, 42)
POLICY = 3


@pytest.fixture
def pdh() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP384R1())


def measured(tik: bytes, *, policy: int = POLICY, digest: bytes = DIGEST, build: Build = BUILD) -> bytes:
    """LAUNCH_MEASURE (document 55766): the HMAC, and the nonce that the firmware chose."""
    nonce = os.urandom(16)
    return mac(tik, b"\x04" + build.measured() + policy.to_bytes(4, "little") + digest + nonce) + nonce


def test_keys_are_derived_as_the_crate_sev_derives_them() -> None:
    # virtee/sev v0.3.0, src/session/key.rs: its own tests.
    assert derived(bytes(16), "sev-master-secret", bytes(16)).hex() == "ab4d269fcc62bedb4511d56c386ce706"
    expected = "aa7855e13839dd767cd5da7c1ff5036540c9264b7a803029315e55375287b4af"
    assert mac(bytes(16), bytes(4)).hex() == expected


def test_the_platform_takes_the_keys_out_and_answers(pdh: ec.EllipticCurvePrivateKey) -> None:
    opened = open_session(pdh.public_key(), POLICY)
    owner = Certificate.read(io.BytesIO(opened.owner)).ecc_key()
    _, tik = guest.unwrap(pdh, owner, opened.session, POLICY)
    assert tik == opened.tik
    assert answers(measured(tik), tik=opened.tik, policy=POLICY, build=BUILD, digest=DIGEST)


def test_no_other_platform_and_no_other_policy_takes_the_keys_out(pdh: ec.EllipticCurvePrivateKey) -> None:
    opened = open_session(pdh.public_key(), POLICY)
    owner = Certificate.read(io.BytesIO(opened.owner)).ecc_key()
    with pytest.raises(SevError):
        guest.unwrap(ec.generate_private_key(ec.SECP384R1()), owner, opened.session, POLICY)
    with pytest.raises(SevError):
        guest.unwrap(pdh, owner, opened.session, POLICY - 1)


@pytest.mark.parametrize(
    "changed",
    [
        {"policy": 1},
        {"digest": bytes(32)},
        {"build": Build(1, 42, 43)},
        {"build": Build(1, 41, 42)},
        {"tik": bytes(16)},
    ],
    ids=range(5),
)
def test_a_measurement_of_anything_else_is_no_answer(changed: dict[str, object]) -> None:
    tik = os.urandom(16)
    claimed: dict[str, object] = {"tik": tik, "policy": POLICY, "build": BUILD, "digest": DIGEST}
    good = measured(tik)
    assert answers(good, **claimed)  # type: ignore[arg-type]
    assert not answers(good, **(claimed | changed))  # type: ignore[arg-type]
    assert not answers(good[:-1] + bytes([good[-1] ^ 1]), **claimed)  # type: ignore[arg-type]
    assert not answers(good[:-1], **claimed)  # type: ignore[arg-type]


def test_a_version_that_is_none_is_refused() -> None:
    with pytest.raises(LabError, match=r"1\.300 build 0 is none"):
        dataclasses.replace(BUILD, minor=300, build=0).measured()
