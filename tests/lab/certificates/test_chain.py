from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.certificates import CertificateError, Roots, pdh_of, verify_chain
from lab.errors import LabError
from tests.lab.certificates.chains import ORDER, SIGNERS, Keys, ca_body, certificate, chain, parts

OURS = Keys()
OTHERS = Keys(tag="others")
GOOD = parts(OURS)


@pytest.fixture(scope="module")
def roots(tmp_path_factory: pytest.TempPathFactory) -> Roots:
    file = tmp_path_factory.mktemp("root") / "ask_ark.cert"
    file.write_bytes(GOOD["ASK"] + GOOD["ARK"])
    return Roots.of(file)


def test_a_good_chain_has_no_broken_link(roots: Roots) -> None:
    report = verify_chain(chain(GOOD), roots)
    assert report.broken == []
    assert [certificate.usage.name for certificate in report.certificates] == list(ORDER)


def test_a_chain_of_4096_bits_verifies_too(tmp_path: Path) -> None:
    large = parts(Keys(tag="large", bits=4096))
    file = tmp_path / "ark.cert"
    file.write_bytes(large["ARK"])
    assert verify_chain(chain(large), Roots.of(file)).broken == []


@pytest.mark.parametrize("name", ORDER)
def test_a_certificate_of_another_platform_breaks_its_links(name: str, roots: Roots) -> None:
    mixed = {**GOOD, name: certificate(name, OTHERS, OTHERS)}
    broken = " ".join(verify_chain(chain(mixed), roots).broken)
    links = [f"the {name} is not signed by the {signer}" for signer in SIGNERS[name] if signer != name]
    links += [
        f"the {signed} is not signed by the {name}"
        for signed, signers in SIGNERS.items()
        if name in signers and signed != name
    ]
    assert links
    for link in links:
        assert link in broken
    assert ("none of the roots allowed here" in broken) is (name == "ARK")


@pytest.mark.parametrize("name", ORDER)
def test_one_altered_bit_of_a_signed_body_is_seen(name: str, roots: Roots) -> None:
    altered = bytearray(GOOD[name])
    altered[6 if name not in {"ASK", "ARK"} else 8] ^= 1  # reserved, and a key id: no key is touched
    broken = verify_chain(chain({**GOOD, name: bytes(altered)}), roots).broken
    for signer in SIGNERS[name]:
        by = "itself" if signer == name else f"the {signer}"
        assert f"the {name} is not signed by {by}" in broken


def test_a_pek_needs_both_signatures(roots: Roots) -> None:
    without_chip = GOOD["PEK"][: 1044 + 520] + bytes(520)
    assert verify_chain(chain({**GOOD, "PEK": without_chip}), roots).broken == [
        "the PEK is not signed by the CEK"
    ]


def test_a_whole_chain_of_another_root_breaks_at_the_root_alone(roots: Roots) -> None:
    broken = verify_chain(chain(parts(OTHERS)), roots).broken
    assert len(broken) == 1
    assert "is none of the roots allowed here (the root in ask_ark.cert)" in broken[0]
    assert "Milan" in verify_chain(chain(GOOD), Roots.of("amd")).broken[0]


@pytest.mark.parametrize("missing", range(6))
def test_a_chain_that_ends_early_names_what_is_missing(missing: int, roots: Roots) -> None:
    data = chain(GOOD)[: sum(len(GOOD[name]) for name in ORDER[:missing])]
    assert verify_chain(data, roots).broken == [
        f"the {ORDER[missing]} is truncated: 0 bytes"
        if missing > 3
        else f"the {ORDER[missing]} is truncated: 0 of 2084 bytes"
    ]
    assert verify_chain(chain(GOOD)[:-1], roots).broken == ["the ARK is truncated: 831 of 832 bytes"]


def test_order_and_end_matter(roots: Roots) -> None:
    swapped = {**GOOD, "OCA": GOOD["CEK"], "CEK": GOOD["OCA"]}
    assert verify_chain(chain(swapped), roots).broken == [
        "there is no OCA in its place: found CEK, version 1"
    ]
    assert verify_chain(chain(GOOD) + b"\n", roots).broken == [
        "1 bytes follow the ARK, which should end the chain"
    ]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, len(chain(GOOD)) - 1), st.integers(1, 255))
def test_no_altered_byte_is_an_exception(position: int, change: int) -> None:
    data = bytearray(chain(GOOD))
    data[position] ^= change
    assert isinstance(verify_chain(bytes(data), Roots.of("amd")).broken, list)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=3000))
def test_garbage_is_broken_and_no_exception(data: bytes) -> None:
    assert verify_chain(data, Roots.of("amd")).broken


def test_the_pdh_is_found_with_and_without_the_vendors_part() -> None:
    assert pdh_of(chain(GOOD)) == pdh_of(chain(GOOD)[: 4 * 2084]) == GOOD["PDH"]
    with pytest.raises(CertificateError, match="there is no PDH in its place: found PEK"):
        pdh_of(GOOD["PEK"])
    with pytest.raises(CertificateError, match="truncated"):
        pdh_of(b"")


def test_a_root_file_must_hold_an_ark(tmp_path: Path) -> None:
    file = tmp_path / "ask.cert"
    file.write_bytes(GOOD["ASK"])
    with pytest.raises(LabError, match="no ARK in AMD's certificate format"):
        Roots.of(file)
    with pytest.raises(LabError, match="No such file"):
        Roots.of(tmp_path / "none.cert")


def test_the_body_of_a_ca_certificate_has_the_documented_size() -> None:
    assert len(ca_body("ARK", OURS.ca("ARK"))) == 64 + 2 * 256
