"""The statement that is signed: in-toto's, with a test result, and what that has no place for.

in-toto/attestation: spec/v1/statement.md, spec/predicates/test-result.md (v0.1), and spec/v1/README.md on
extension fields, which `sevCocoConformance` is one of. docs/certification.md documents it for readers.
"""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field

from lab.certificates.roots import AMD
from lab.record import PlatformIdentity  # noqa: TC001 - pydantic evaluates it
from lab.verdict import Verdict
from reports.certificate.files import RESULTS
from reports.model import BrokenRule, Model, Results, SuiteFacts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reports.certificate.files import Digest
    from reports.certification import Rules

STATEMENT: Final = "https://in-toto.io/Statement/v1"
TEST_RESULT: Final = "https://in-toto.io/attestation/test-result/v0.1"
CONFORMANCE: Final = "urn:sev-coco-conformance:run:v1"
CERTIFIED: Final = "Certified: this platform, with these versions, delivers every outcome of the guide"
NOT_CERTIFIED: Final = "NOT CERTIFIED: a report of a run, which breaks the rules that it names"


class Resource(Model):
    """in-toto's ResourceDescriptor, as far as it is used."""

    name: str
    digest: dict[str, str]


class FileDigest(Model):
    """A file of the run."""

    sha256: str
    size: int


class Unproven(Model):
    """Scenarios that did not pass and that the test result has no list for."""

    broken: list[str]
    not_proven: list[str] = Field(alias="notProven")
    not_applicable: list[str] = Field(alias="notApplicable")


class Conformance(Model):
    """What the test result has no place for. `expires` locks it: later, it is no certificate any more."""

    type: Literal["urn:sev-coco-conformance:run:v1"] = CONFORMANCE
    certified: bool
    reads: str
    broken_rules: list[BrokenRule] = Field(alias="brokenRules")
    run: str
    started: datetime
    finished: datetime
    issued: datetime
    expires: datetime
    lab: str
    platforms: list[PlatformIdentity]
    roots: list[str]
    profile: str
    suite: SuiteFacts
    versions: dict[str, str]
    mandatory: list[str]
    clauses: dict[str, Verdict | None]
    scenarios: Unproven
    files: dict[str, FileDigest]


class TestResult(Model):
    """in-toto's predicate test-result/v0.1."""

    __test__ = False  # no test of pytest's

    result: Literal["PASSED", "WARNED", "FAILED"]
    configuration: list[Resource]
    passed: list[str] = Field(alias="passedTests")
    warned: list[str] = Field(alias="warnedTests")
    failed: list[str] = Field(alias="failedTests")
    conformance: Conformance = Field(alias="sevCocoConformance")


class Statement(Model):
    """in-toto's Statement v1."""

    type: Literal["https://in-toto.io/Statement/v1"] = Field(alias="_type")
    subject: list[Resource]
    predicate_type: Literal["https://in-toto.io/attestation/test-result/v0.1"] = Field(alias="predicateType")
    predicate: TestResult

    @property
    def conformance(self) -> Conformance:
        """What the test result has no place for."""
        return self.predicate.conformance

    def document(self) -> bytes:
        """The statement as it is signed: JSON with sorted keys."""
        return canonical(self.model_dump(mode="json", by_alias=True))


def canonical(document: Any) -> bytes:
    """JSON of one form: sorted keys, no white space."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def state(results: Results, files: Mapping[str, Digest], rules: Rules, issued: datetime) -> Statement:
    """What a run's results and files say, and nothing that does not follow from them, the rules and a time.

    Only a run that breaks no rule is PASSED, or WARNED where advice does not hold: a verifier that knows
    nothing of this suite must not take a run on a simulated lab for a certificate.
    """
    certification = results.certification
    named: dict[Verdict, list[str]] = {
        verdict: [each.id for each in results.scenarios if each.verdict is verdict and not each.is_finding]
        for verdict in Verdict
    }
    warned = [each.id for each in results.scenarios if each.is_finding]
    outcome: Literal["PASSED", "WARNED", "FAILED"] = "WARNED" if warned else "PASSED"
    conformance = Conformance.model_validate(
        {
            "certified": certification.certifiable,
            "reads": CERTIFIED if certification.certifiable else NOT_CERTIFIED,
            "brokenRules": certification.broken,
            "run": results.run.id,
            "started": results.run.started,
            "finished": results.run.finished,
            "issued": issued,
            # Of the run, and not of the signature: to sign an old run again makes it no younger.
            "expires": results.run.finished + timedelta(days=rules.valid_days),
            "lab": str(results.lab.get("name")),
            "platforms": results.session.platforms,
            "roots": [root_name(each.ark) for each in results.session.platforms],
            "profile": str(results.profile.get("name")),
            "suite": results.suite,
            "versions": results.versions,
            "mandatory": certification.mandatory,
            "clauses": {clause.id: clause.verdict for clause in results.clauses},
            "scenarios": {
                "broken": named[Verdict.BROKEN],
                "notProven": named[Verdict.NOT_PROVEN],
                "notApplicable": named[Verdict.NOT_APPLICABLE],
            },
            "files": {name: FileDigest(sha256=each.sha256, size=each.size) for name, each in files.items()},
        },
        by_name=True,
        by_alias=True,
    )
    return Statement(
        _type=STATEMENT,
        predicateType=TEST_RESULT,
        subject=_subjects(results, files),
        predicate=TestResult(
            result=outcome if certification.certifiable else "FAILED",
            configuration=_configuration(results),
            passedTests=named[Verdict.PASSED],
            warnedTests=warned,
            failedTests=named[Verdict.FAILED],
            sevCocoConformance=conformance,
        ),
    )


def _subjects(results: Results, files: Mapping[str, Digest]) -> list[Resource]:
    """What was tested, as far as it has a digest, and the results, which tools are given to verify."""
    pins = results.lab.get("pins") or {}
    booted = results.lab.get("files") or {}
    tested = {
        "guest firmware": pins.get("firmware"),
        "guest kernel": pins.get("kernel"),
        "initrd of the online KBC": (booted.get("initrd_online") or {}).get("sha256"),
        "initrd of the offline KBC": (booted.get("initrd_offline") or {}).get("sha256"),
        RESULTS: files[RESULTS].sha256,
    }
    return [Resource(name=name, digest={"sha256": str(each)}) for name, each in tested.items() if each]


def _configuration(results: Results) -> list[Resource]:
    """The profile, as the results have it, and the suite's commit."""
    profile = hashlib.sha256(canonical(results.profile)).hexdigest()
    found = [Resource(name=f"profile {results.profile.get('name')}", digest={"sha256": profile})]
    if results.suite.commit:
        found.append(Resource(name="suite", digest={"gitCommit": results.suite.commit}))
    return found


def root_name(ark: str) -> str:
    """What a root is called: only AMD's have a name here."""
    names = {fingerprint: name for name, fingerprint in AMD.items()}
    return f"AMD {names[ark]}" if ark in names else f"not AMD's: {ark}"
