"""The results of a run that breaks no rule of certification, for tests to break."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from lab.certificates.roots import AMD
from lab.loading import load_profile
from lab.record import PlatformIdentity
from lab.verdict import Verdict
from reports.certificate.keys import PrivateKey, PublicKey
from reports.certificate.signing import sign
from reports.certificate.verification import Verification, verify
from reports.certification import Rules, judge
from reports.clauses import Catalogue
from reports.model import (
    Results,
    RunFacts,
    ScenarioResult,
    SessionFacts,
    StepResult,
    SuiteFacts,
)
from reports.run import answer, causes
from reports.words import all_findings

ROOT = Path(__file__).parents[2]
STARTED = datetime.now(UTC) - timedelta(days=1)
PROFILE = load_profile(ROOT / "profiles/anolis-8.6-coco-0.3.0.toml").model_dump(mode="json")
HARDWARE = PlatformIdentity(chain="c" * 64, ark=AMD["Milan"], cek="1" * 64, pdh="2" * 64)


def scenario(identifier: str, *clauses: str, **fields: Any) -> ScenarioResult:
    known: dict[str, Any] = {
        "name": identifier,
        "feature": "f",
        "file": "f.feature",
        "line": 1,
        "tags": list(clauses),
        "clauses": list(clauses),
        "verdict": Verdict.PASSED,
        "started": STARTED + timedelta(seconds=1),
        "attempts": 1,
        "steps": [StepResult(keyword="Then", text="it holds", line=2, verdict=Verdict.PASSED)],
    }
    return ScenarioResult(id=identifier, **(known | fields))


def results(*scenarios: ScenarioResult, **fields: Any) -> Results:
    """By default one scenario proves every clause, on hardware."""
    catalogue = Catalogue()
    chosen = list(scenarios) or [scenario("all", *catalogue.ids())]
    known: dict[str, Any] = {
        "run": RunFacts(
            id="20261102T030405Z-abcdef",
            started=STARTED,
            finished=STARTED + timedelta(seconds=60),
            seconds=60,
            interrupted=False,
            exit_code=0,
            arguments=[],
            problems=[],
        ),
        "answer": answer(chosen, [], 0),
        "suite": SuiteFacts(commit="a" * 40, dirty=False, python="3.11.7", packages={}),
        "lab": {"name": "sev-1"},
        "profile": PROFILE,
        "versions": {"kernel": "5.10.134-13_rc2.an8.x86_64"},
        "session": SessionFacts(platforms=[HARDWARE]),
        "scenarios": chosen,
        "causes": causes(chosen),
        "guide": catalogue.guide,
        "clauses": catalogue.judge(chosen),
        "errata": catalogue.errata,
    }
    whole = Results(**(known | fields))
    whole.findings = all_findings(whole)
    whole.certification = judge(whole, Rules.read())
    return whole


class SignedRun:
    """A small run in a folder, signed by its vendor; `features` has the one scenario that it should have."""

    def __init__(self, path: Path, whole: Results | None = None) -> None:
        path.mkdir(parents=True)
        self.whole = whole or results()
        self.folder = path / self.whole.run.id
        self.features = path / "features"
        self.vendor = PrivateKey("vendor", ed25519.Ed25519PrivateKey.generate())
        self.certifier = PrivateKey("certifier", ec.generate_private_key(ec.SECP256R1()))
        self.features.mkdir()
        feature = "Feature: f\n"
        for each in self.whole.scenarios:
            tags = " ".join(f"@{tag}" for tag in each.tags)
            feature += f"\n  {tags}\n  Scenario: {each.name}\n    Then it holds\n"
        (self.features / "f.feature").write_text(feature, encoding="utf-8")
        for name, text in {
            "results.json": self.whole.model_dump_json(indent=2),
            "index.html": "<p>all is well</p>",
            "evidence/all/001-uname.txt": "$ uname -r\n5.10\n",
            "evidence/全部/002-answer.json": '{"status": "OK"}',
        }.items():
            file = self.folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")

    def signed(self) -> SignedRun:
        sign(self.folder, self.vendor)
        return self

    def verified(
        self,
        *keys: PublicKey,
        threshold: int | None = None,
        at: datetime | None = None,
        folder: Path | None = None,
    ) -> Verification:
        chosen = keys or (self.vendor.public,)
        return verify(
            folder or self.folder,
            chosen,
            threshold=len(chosen) if threshold is None else threshold,
            now=at or datetime.now(UTC),
            features=self.features,
        )
