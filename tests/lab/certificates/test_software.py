"""A platform in software: all is well with its chain but the root."""

from __future__ import annotations

import pytest

from lab.certificates import Roots, SoftwarePlatform, verify_chain
from lab.certificates.chain import LINKS
from lab.certificates.formats import Usage, ca_certificate


@pytest.fixture(scope="module")
def platform() -> SoftwarePlatform:
    return SoftwarePlatform()


def test_only_the_root_is_foreign(platform: SoftwarePlatform) -> None:
    [broken] = verify_chain(platform.chain(), Roots.of("amd")).broken
    assert "is none of the roots allowed here" in broken


def test_up_to_its_own_root_it_verifies(platform: SoftwarePlatform) -> None:
    report = verify_chain(platform.chain(), Roots.of("amd"))
    own = Roots({report.certificates[-1].fingerprint: "its own"})
    assert verify_chain(platform.chain(), own).broken == []
    assert len(LINKS) == 7


def test_a_forged_chip_breaks_that_link_alone(platform: SoftwarePlatform) -> None:
    broken = verify_chain(platform.chain(forged_chip=True), Roots.of("amd")).broken
    assert broken[0] == "the CEK is not signed by the ASK"
    assert len(broken) == 2


def test_the_vendors_certificates_name_their_signers_key(platform: SoftwarePlatform) -> None:
    # The crate sev v0.3.0 compares key ids (src/certs/crypto.rs), and the parser above does not.
    data = platform.chain()[4 * 2084 :]
    ask = ca_certificate(data, Usage.ASK).data
    ark = ca_certificate(data[len(ask) :], Usage.ARK).data
    assert ask[20:36] == ark[4:20] == ark[20:36]
    assert ask[4:20] != ark[4:20]


def test_no_two_platforms_are_alike(platform: SoftwarePlatform) -> None:
    assert SoftwarePlatform().chain() != platform.chain()
