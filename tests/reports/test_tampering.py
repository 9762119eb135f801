"""Tampering of every kind with a signed run, by a stranger and by the vendor itself: none of it verifies."""

from __future__ import annotations

import copy
import json
import shutil
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from lab.record import Finding
from lab.verdict import Verdict
from reports import page, suite
from reports.certificate.archive import pack, unpack
from reports.certificate.envelope import Envelope, Signature, encoded
from reports.certificate.refusal import Refusal
from reports.certificate.signing import countersign, sign, signed_statement
from reports.certification import Rules, judge
from reports.clauses import Catalogue
from reports.model import Evidence, Results, SessionFacts, StepResult
from reports.run import answer
from reports.words import all_findings
from tests.reports.certified import HARDWARE, SignedRun, results, scenario

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from reports.certificate.keys import PublicKey

WHOLE = {
    "evidence/all/001-uname.txt": Evidence(
        name="uname", file="evidence/all/001-uname.txt", media_type="text/plain", size=16, step=0
    ),
    "evidence/全部/002-answer.json": Evidence(
        name="answer", file="evidence/全部/002-answer.json", media_type="application/json", size=16, step=0
    ),
}


def run_of_two(path: Path) -> SignedRun:
    """A run of two scenarios for W-5.1, and one for all other clauses."""
    others = [clause for clause in Catalogue().ids() if clause != "W-5.1"]
    return SignedRun(
        path,
        results(
            scenario("most", *others, evidence=list(WHOLE.values())),
            scenario("one", "W-5.1"),
            scenario("other", "W-5.1"),
        ),
    )


@pytest.fixture
def run(tmp_path: Path) -> SignedRun:
    return run_of_two(tmp_path / "made").signed()


def told(run: SignedRun, *keys: PublicKey, **arguments: Any) -> str:
    found = run.verified(*keys, **arguments)
    assert not found.certified
    return "\n".join(found.problems)


def test_the_run_itself_is_a_certificate(run: SignedRun) -> None:
    found = run.verified()
    assert found.problems == []
    assert found.certified


# By a stranger, who has no key.


def _trailing_bytes(folder: Path) -> None:
    with (folder / "certificate.json").open("ab") as file:
        file.write(b"\n")


def _other_json_form(folder: Path) -> None:
    document = json.loads((folder / "certificate.json").read_bytes())
    (folder / "certificate.json").write_text(json.dumps(document), encoding="utf-8")


def _unpadded_base64(folder: Path) -> None:
    document = json.loads((folder / "certificate.json").read_bytes())
    document["signatures"][0]["sig"] = document["signatures"][0]["sig"].rstrip("=")
    (folder / "certificate.json").write_bytes(json.dumps(document, indent=1).encode() + b"\n")


def _no_signature(folder: Path) -> None:
    document = json.loads((folder / "certificate.json").read_bytes())
    document["signatures"] = []
    (folder / "certificate.json").write_bytes(json.dumps(document, indent=1).encode() + b"\n")


def _certificate_elsewhere(folder: Path) -> None:
    shutil.move(folder / "certificate.json", folder.parent / "elsewhere.json")
    (folder / "certificate.json").symlink_to("../elsewhere.json")


def _folder_elsewhere(folder: Path) -> None:
    shutil.move(folder / "evidence", folder.parent / "elsewhere")
    (folder / "evidence").symlink_to("../elsewhere")


def _other_case(folder: Path) -> None:
    (folder / "INDEX.html").write_text("<p>other</p>", encoding="utf-8")


def _same_name_in_other_unicode(folder: Path) -> None:
    (folder / "evidence" / "all" / "001-uname.txt\N{ZERO WIDTH SPACE}").write_text("x", encoding="utf-8")


def _empty_folder(folder: Path) -> None:
    (folder / "evidence" / "by-hand").mkdir()


def _two_files_swapped(folder: Path) -> None:
    one, other = (folder / name for name in WHOLE)
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)


def _second_certificate(folder: Path) -> None:
    shutil.copy(folder / "certificate.json", folder / "evidence" / "certificate.json")


@pytest.mark.parametrize(
    ("tamper", "said"),
    [
        (_trailing_bytes, "no DSSE envelope in the form"),
        (_other_json_form, "no DSSE envelope in the form"),
        (_unpadded_base64, "no DSSE envelope"),
        (_no_signature, "it names: nobody"),
        (_certificate_elsewhere, "certificate.json cannot be read"),
        (_folder_elsewhere, "'evidence' is a link"),
        (_other_case, "'INDEX.html' is not part of"),
        (_same_name_in_other_unicode, "is no name that a run gives a file"),
        (_empty_folder, "'evidence/by-hand' is an empty folder"),
        (_two_files_swapped, "001-uname.txt' was changed"),
        (_second_certificate, "'evidence/certificate.json' is not part of"),
    ],
)
def test_a_stranger_s_tampering_is_refused(run: SignedRun, tamper: Callable[[Path], None], said: str) -> None:
    tamper(run.folder)
    assert said in told(run)


def test_a_threshold_of_two_wants_two_keys_and_not_two_signatures(run: SignedRun) -> None:
    envelope, _ = signed_statement(run.folder)
    (own,) = envelope.signatures
    again = Signature(run.certifier.public.id, run.vendor.sign(b"whatever"))
    (run.folder / "certificate.json").write_bytes(
        Envelope(envelope.payload, envelope.payload_type, (own, own, again)).document()
    )
    both = (run.vendor.public, run.certifier.public)
    assert "signed by 1 of the keys that were given, not by 2" in told(run, *both, threshold=2)


def test_a_countersignature_does_not_outlive_what_it_was_made_for(run: SignedRun, tmp_path: Path) -> None:
    countersign(run.folder, run.certifier)
    envelope, _ = signed_statement(run.folder)
    whole = run.whole.model_copy(deep=True)
    whole.versions = {"kernel": "6.1"}
    other = SignedRun(tmp_path / "other", whole)
    sign(other.folder, run.vendor)
    theirs, _ = signed_statement(other.folder)
    (own,) = theirs.signatures
    moved = Envelope(theirs.payload, theirs.payload_type, (own, envelope.signatures[1]))
    (other.folder / "certificate.json").write_bytes(moved.document())
    said = told(other, run.vendor.public, run.certifier.public)
    assert f"names certifier ({run.certifier.public.id}) was not made by it" in said


def test_the_twin_of_an_ecdsa_signature_is_none(run: SignedRun) -> None:
    countersign(run.folder, run.certifier)
    envelope, _ = signed_statement(run.folder)
    own, theirs = envelope.signatures
    r, s = decode_dss_signature(theirs.value)
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    twin = Signature(theirs.keyid, encode_dss_signature(r, order - s))
    # A verifier that knows nothing of this takes it.
    data = encoded(envelope.payload_type, envelope.payload)
    key = run.certifier.public.key
    assert isinstance(key, ec.EllipticCurvePublicKey)
    key.verify(twin.value, data, ec.ECDSA(hashes.SHA256()))
    (run.folder / "certificate.json").write_bytes(
        Envelope(envelope.payload, envelope.payload_type, (own, twin)).document()
    )
    assert "was not made by it" in told(run, run.vendor.public, run.certifier.public)


@pytest.mark.parametrize(
    ("by", "said"), [(timedelta(days=-2), "it is issued in the future"), (timedelta(days=400), "expired at")]
)
def test_a_clock_that_is_wrong_by_days_certifies_nothing(run: SignedRun, by: timedelta, said: str) -> None:
    assert said in told(run, at=datetime.now(UTC) + by)


@pytest.mark.parametrize("more", [b"\0" * 512, b"more", b"\x1f\x8b\x08\0\0\0\0\0\2\xff\3\0\0\0\0\0\0\0\0\0"])
def test_what_follows_the_end_of_an_archive_is_refused(run: SignedRun, tmp_path: Path, more: bytes) -> None:
    archive = tmp_path / "run.tar.gz"
    pack(run.folder, archive)
    archive.write_bytes(archive.read_bytes() + more)
    with pytest.raises(Refusal, match="bytes follow its end"):
        unpack(archive, tmp_path)


# By the vendor, who signs what it changed as our own tool would.


def _failed(whole: Results) -> None:
    whole.scenarios[1].verdict = Verdict.FAILED


def _passed_in_name_only(whole: Results) -> None:
    whole.scenarios[1].steps[0].verdict = Verdict.FAILED


def _one_in_the_place_of_another(whole: Results) -> None:
    whole.scenarios[1] = whole.scenarios[2].model_copy(update={"id": "other-2"}, deep=True)


def _of_its_own_making(whole: Results) -> None:
    whole.scenarios[1] = scenario("kinder", "W-5.1")


def _without_its_step(whole: Results) -> None:
    whole.scenarios[1].steps = []


def _another_step(whole: Results) -> None:
    whole.scenarios[1].steps = [
        StepResult(keyword="Then", text="all is well", line=2, verdict=Verdict.PASSED)
    ]


def _clause_of_another(whole: Results) -> None:
    whole.scenarios[1].tags = whole.scenarios[1].clauses = ["W-5.2"]
    whole.scenarios[0].tags = whole.scenarios[0].clauses = [*whole.scenarios[0].clauses, "W-5.1"]


def _asked_for_less(whole: Results) -> None:
    whole.profile = whole.profile | {"host": whole.profile["host"] | {"kernel": "4.19"}}


def _of_yesterday(whole: Results) -> None:
    whole.scenarios[1].started = whole.run.started - timedelta(days=1)


def _never_ran(whole: Results) -> None:
    whole.scenarios[1].started = None


def _backwards(whole: Results) -> None:
    whole.run.started = whole.run.finished + timedelta(seconds=30)


def _finding_left_out(whole: Results) -> None:
    whole.session.findings.append(Finding("policies are ignored", "seen"))
    whole.findings = []


def _cause_left_out(whole: Results) -> None:
    whole.scenarios[1].verdict = Verdict.NOT_PROVEN
    whole.causes = []


def _fault_left_out(whole: Results) -> None:
    whole.lab = {"name": "sev-1", "fault": "no-key: no key"}


def _evidence_twice(whole: Results) -> None:
    whole.scenarios[1].evidence = whole.scenarios[0].evidence[:1]


def _evidence_elsewhere(whole: Results) -> None:
    whole.scenarios[0].evidence[0].file = "../../../../etc/passwd"


def _evidence_of_another_size(whole: Results) -> None:
    whole.scenarios[0].evidence[0].size = 1


def _another_chip(whole: Results) -> None:
    other = type(HARDWARE)(chain="d" * 64, ark=HARDWARE.ark, cek="3" * 64, pdh="4" * 64)
    whole.session = SessionFacts(platforms=[HARDWARE, other])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_failed, "mandatory-clauses"),
        (_passed_in_name_only, "one is told as passed, and not every step of it is"),
        (_one_in_the_place_of_another, "'other' of f.feature is none of this suite's"),
        (_of_its_own_making, "'kinder' of f.feature is none of this suite's"),
        (_without_its_step, "'one' of f.feature is none of this suite's, or has other clauses or steps"),
        (_another_step, "'one' of f.feature is none of this suite's, or has other clauses or steps"),
        (_clause_of_another, "'one' of f.feature is none of this suite's, or has other clauses or steps"),
        (_asked_for_less, "the profile's host is not as in this suite's anolis-8.6-coco-0.3.0.toml"),
        (_of_yesterday, "and not while the run went on"),
        (_never_ran, "one is told as passed, and never ran"),
        (_backwards, "the run ended before it began"),
        (_finding_left_out, "its findings are not those"),
        (_cause_left_out, "its causes are not those"),
        (_fault_left_out, "no-faults"),
        (_evidence_twice, "'evidence/all/001-uname.txt' is the evidence of 2 things"),
        (_evidence_elsewhere, "'../../../../etc/passwd' is not in the run"),
        (_evidence_of_another_size, "has 16 bytes, not 1"),
        (_another_chip, "one-platform"),
    ],
)
def test_a_vendor_who_makes_the_rest_fit_is_refused(
    tmp_path: Path, change: Callable[[Results], None], said: str
) -> None:
    honest = run_of_two(tmp_path / "made")
    whole = copy.deepcopy(honest.whole)
    whole.findings = all_findings(whole)
    change(whole)
    whole.answer = answer(whole.scenarios, [], 0)
    whole.clauses = Catalogue(features=honest.features).judge(whole.scenarios)
    whole.certification = judge(whole, Rules.read())
    (honest.folder / "results.json").write_text(whole.model_dump_json(indent=2), encoding="utf-8")
    sign(honest.folder, honest.vendor)
    found = honest.verified()
    assert not found.certified
    broken = [rule.rule for rule in found.conformance.broken_rules] if found.conformance else []
    assert said in "\n".join([*found.problems, *broken])


def test_a_page_that_tells_more_than_the_results_is_refused_by_the_suite_that_made_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = run_of_two(tmp_path / "made")
    monkeypatch.setattr(suite, "look", lambda _root: made.whole.suite)
    page.write(made.whole, made.folder, "index.html")
    honest = (made.folder / "index.html").read_bytes()
    sign(made.folder, made.vendor)
    assert made.verified().problems == []
    assert made.verified().certified
    (made.folder / "certificate.json").unlink()
    (made.folder / "index.html").write_bytes(honest.replace(b"May be certified", b"Is the best of all"))
    sign(made.folder, made.vendor)
    assert "index.html is not what this suite makes of the results" in told(made)
    # With other packages the page may differ by itself.
    other = made.whole.suite.model_copy(update={"packages": {"Jinja2": "9"}})
    monkeypatch.setattr(suite, "look", lambda _root: other)
    found = made.verified()
    assert found.certified
    assert any("index.html is not what this suite makes" in note for note in found.notes)
