"""A signed run verifies, and does not when anything of it changes."""

from __future__ import annotations

import base64
import json
import os
import shutil
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lab.verdict import Verdict
from reports.certificate.envelope import Envelope, Signature, encoded
from reports.certificate.refusal import Refusal
from reports.certificate.signing import countersign, sign, signed_statement
from reports.certificate.statement import CERTIFIED, NOT_CERTIFIED
from reports.clauses import Catalogue
from reports.model import SessionFacts
from tests.reports.certified import SignedRun, results, scenario

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def run(tmp_path: Path) -> SignedRun:
    return SignedRun(tmp_path / "made").signed()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> SignedRun:
    return SignedRun(tmp_path_factory.mktemp("shared") / "made").signed()


def statement_of(run: SignedRun) -> dict[str, Any]:
    document = json.loads((run.folder / "certificate.json").read_bytes())
    parsed: dict[str, Any] = json.loads(base64.b64decode(document["payload"]))
    return parsed


def resigned(run: SignedRun, change: Callable[[dict[str, Any]], None], **fields: Any) -> None:
    """What a vendor who lies would do: another statement, with a good signature."""
    content = statement_of(run)
    change(content)
    payload = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    (run.folder / "certificate.json").write_bytes(Envelope(payload, **fields).signed(run.vendor).document())


def rewrite(run: SignedRun, change: Callable[[dict[str, Any]], None]) -> None:
    file = run.folder / "results.json"
    content = json.loads(file.read_bytes())
    change(content)
    file.write_text(json.dumps(content, indent=2), encoding="utf-8")


def test_what_is_signed_is_dsse_s_own_example() -> None:
    expected = b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    assert encoded("http://example.com/HelloWorld", b"hello world") == expected


def test_a_run_on_hardware_that_breaks_no_rule_is_a_certificate(run: SignedRun) -> None:
    found = run.verified()
    assert found.problems == []
    assert found.certified
    content = statement_of(run)
    assert content["predicateType"] == "https://in-toto.io/attestation/test-result/v0.1"
    assert content["predicate"]["result"] == "PASSED"
    assert content["predicate"]["passedTests"] == ["all"]
    details = content["predicate"]["sevCocoConformance"]
    assert details["reads"] == CERTIFIED
    assert details["roots"] == ["AMD Milan"]
    assert sorted(details["files"]) == [
        "evidence/all/001-uname.txt",
        "evidence/全部/002-answer.json",
        "index.html",
        "results.json",
    ]


def test_a_run_whose_chain_anybody_can_make_reads_so_and_fails(tmp_path: Path) -> None:
    other = SignedRun(tmp_path / "made", results(session=SessionFacts())).signed()
    found = other.verified()
    assert found.problems == []
    assert not found.certified
    content = statement_of(other)
    assert content["predicate"]["result"] == "FAILED"
    assert content["predicate"]["sevCocoConformance"]["reads"] == NOT_CERTIFIED


def test_advice_that_does_not_hold_is_a_warning(tmp_path: Path) -> None:
    most = [clause for clause in Catalogue().ids() if clause != "X-2.1"]
    advised = scenario("advised", "X-2.1", verdict=Verdict.FAILED, reason="open")
    run = SignedRun(tmp_path / "made", results(scenario("most", *most), advised)).signed()
    predicate = statement_of(run)["predicate"]
    assert (predicate["result"], predicate["warnedTests"], predicate["failedTests"]) == (
        "WARNED",
        ["advised"],
        [],
    )


def test_a_countersignature_is_a_second_key_s(run: SignedRun) -> None:
    both = (run.vendor.public, run.certifier.public)
    (problem,) = run.verified(*both).problems
    assert "signed by 1 of the keys" in problem
    countersign(run.folder, run.certifier)
    found = run.verified(*both)
    assert found.problems == []
    assert len(found.signers) == 2
    with pytest.raises(Refusal, match="has signed it already"):
        countersign(run.folder, run.certifier)


def test_a_signature_counts_once_and_for_its_own_key_only(run: SignedRun) -> None:
    envelope, _ = signed_statement(run.folder)
    (own,) = envelope.signatures
    forged = Signature(run.certifier.public.id, own.value)
    doubled = Envelope(envelope.payload, envelope.payload_type, (own, own, forged))
    (run.folder / "certificate.json").write_bytes(doubled.document())
    problems = run.verified(run.vendor.public, run.certifier.public).problems
    assert any("was not made by it" in problem for problem in problems)
    assert any("signed by 1 of the keys" in problem for problem in problems)


@settings(
    max_examples=120,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
@given(data=st.data())
def test_one_byte_anywhere_is_refused(shared: SignedRun, data: st.DataObject) -> None:
    files = sorted(path for path in shared.folder.rglob("*") if path.is_file())
    file = data.draw(st.sampled_from(files))
    good = file.read_bytes()
    place = data.draw(st.integers(0, len(good) - 1))
    value = data.draw(st.integers(0, 255).filter(lambda value: value != good[place]))
    try:
        file.write_bytes(good[:place] + bytes([value]) + good[place + 1 :])
        found = shared.verified()
        assert found.problems, f"{file.name} at {place}: {good[place]} became {value}"
        assert not found.certified
    finally:
        file.write_bytes(good)


def test_files_too_many_and_missing_and_changed_are_all_named_at_once(run: SignedRun) -> None:
    (run.folder / "index.html").write_text("<p>other</p>")
    (run.folder / "evidence/all/001-uname.txt").unlink()
    (run.folder / "evidence/all/003-more.txt").write_text("more")
    problems = run.verified().problems
    assert [problem.split("'")[1] for problem in problems] == [
        "evidence/all/001-uname.txt",
        "evidence/all/003-more.txt",
        "index.html",
    ]


def test_a_link_in_the_run_is_refused(run: SignedRun) -> None:
    (run.folder / "index.html").unlink()
    (run.folder / "index.html").symlink_to("/etc/passwd")
    assert any("is a link or a device" in problem for problem in run.verified().problems)
    (run.folder / "index.html").unlink()
    os.mkfifo(run.folder / "index.html")
    assert any("is a link or a device" in problem for problem in run.verified().problems)


def test_a_certificate_of_an_earlier_run_is_refused(run: SignedRun, tmp_path: Path) -> None:
    whole = results()
    whole.run.id = "20260101T000000Z-000000"
    older = SignedRun(tmp_path / "older", whole)
    sign(older.folder, run.vendor)
    shutil.copy(older.folder / "certificate.json", run.folder)
    assert any("the statement says" in problem for problem in run.verified().problems)


def test_another_lab_s_evidence_is_refused(run: SignedRun, tmp_path: Path) -> None:
    other = SignedRun(tmp_path / "other")
    (other.folder / "evidence/all/001-uname.txt").write_text("$ uname -r\n4.19\n")
    shutil.rmtree(run.folder / "evidence")
    shutil.copytree(other.folder / "evidence", run.folder / "evidence")
    assert any("001-uname.txt' was changed" in problem for problem in run.verified().problems)


def test_a_swapped_key_is_refused(run: SignedRun) -> None:
    (problem,) = run.verified(run.certifier.public).problems
    assert "signed by 0 of the keys" in problem


def test_a_changed_payload_type_is_refused(run: SignedRun) -> None:
    envelope, _ = signed_statement(run.folder)
    other = Envelope(envelope.payload, "application/json", envelope.signatures)
    (run.folder / "certificate.json").write_bytes(other.document())
    assert any("and not a application/vnd.in-toto+json" in problem for problem in run.verified().problems)


def test_an_expired_certificate_is_refused(run: SignedRun) -> None:
    expires = run.whole.run.finished + timedelta(days=180)
    assert run.verified(at=expires - timedelta(seconds=1)).certified
    (problem,) = run.verified(at=expires + timedelta(seconds=1)).problems
    assert problem.startswith("expired at ")


def removed_scenario(content: dict[str, Any]) -> None:
    content["scenarios"] = []


def edited_verdict(content: dict[str, Any]) -> None:
    content["scenarios"][0]["verdict"] = "failed"


def edited_clause(content: dict[str, Any]) -> None:
    content["clauses"][3]["verdict"] = "failed"


def edited_count(content: dict[str, Any]) -> None:
    content["answer"]["proved"] = 99


def edited_rules(content: dict[str, Any]) -> None:
    content["session"]["platforms"] = []


@pytest.mark.parametrize(
    "change", [removed_scenario, edited_verdict, edited_clause, edited_count, edited_rules]
)
def test_a_vendor_who_edits_results_before_signing_is_refused(
    tmp_path: Path, change: Callable[[dict[str, Any]], None]
) -> None:
    lying = SignedRun(tmp_path / "made").signed()
    rewrite(lying, change)
    (lying.folder / "certificate.json").unlink()
    try:
        lying.signed()
    except Refusal:
        return  # our own tool does not even sign it
    assert lying.verified().problems


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("predicate", "sevCocoConformance", "expires"), "2099-01-01T00:00:00Z"),
        (("predicate", "sevCocoConformance", "brokenRules"), [{"rule": "r", "title": "t", "found": []}]),
        (("predicate", "sevCocoConformance", "versions"), {"kernel": "6.1"}),
        (("predicate", "sevCocoConformance", "lab"), "another"),
        (("predicate", "passedTests"), ["all", "more"]),
        (("subject",), []),
    ],
)
def test_a_statement_that_says_more_than_the_results_is_refused(
    run: SignedRun, path: tuple[str, ...], value: Any
) -> None:
    def change(content: dict[str, Any]) -> None:
        for key in path[:-1]:
            content = content[key]
        content[path[-1]] = value

    resigned(run, change)
    assert any(problem.startswith("the statement says") for problem in run.verified().problems)


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("lab", {"name": ["x"]}),
        ("lab", {"pins": "x"}),
        ("lab", {"files": {"initrd_online": "x"}}),
        ("lab", {"images": []}),
        ("profile", {"name": {"a": 1}}),
    ],
    ids=range(5),
)
def test_results_of_another_form_are_refused_in_a_line(run: SignedRun, part: str, value: Any) -> None:
    rewrite(run, lambda content: content.update({part: value}))
    assert any(f"does not fit its schema: {part}." in problem for problem in run.verified().problems)


def test_what_is_no_run_is_not_signed_twice(run: SignedRun) -> None:
    with pytest.raises(Refusal, match="is signed already"):
        sign(run.folder, run.vendor)


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("results.json", b"\xff\xfe", "results.json is not UTF-8"),
        ("results.json", b"{", "results.json is not JSON"),
        ("results.json", b'{"schema_version": 2}', "reads version 1: use the suite that wrote it"),
        ("results.json", b'{"schema_version": 1, "schema_minor": 99}', "reads up to 1.1: use the suite that"),
        ("results.json", b'{"schema_version": 1, "schema_minor": -1}', "schema_minor: Input should be"),
        ("results.json", b'{"schema_version": 1}', "does not fit its schema: run: Field required"),
        ("results.json", b"[" * 100_000, "nested too deep"),
        ("results.json", b'{"a": 1, "a": 2}', "an object has a key twice"),
        ("results.json", b'{"a": NaN}', "NaN is no number"),
        ("certificate.json", b"[]", "it is no DSSE envelope"),
        ("certificate.json", b'{"payload": 1, "payloadType": "x", "signatures": []}', "no DSSE envelope"),
        ("certificate.json", b'{"payload": "!", "payloadType": "x", "signatures": []}', "no DSSE envelope"),
    ],
)
def test_what_cannot_be_read_is_refused_in_a_line(
    run: SignedRun, name: str, content: bytes, told: str
) -> None:
    (run.folder / name).write_bytes(content)
    assert any(told in problem for problem in run.verified().problems), run.verified().problems
