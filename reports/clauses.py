"""The guide's clauses and errata (docs/clauses.toml), and what broken advice means (docs/findings.toml)."""

from __future__ import annotations

import tomllib
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from gherkin.errors import ParserError
from gherkin.parser import Parser
from gherkin.pickles.compiler import Compiler
from gherkin.token_scanner import TokenScanner

from lab.record import Finding
from lab.verdict import Verdict
from reports import pedigree
from reports.model import ClauseResult, Erratum, PublishedGuide, RestsOn
from reports.verdicts import together

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from reports.model import ScenarioResult

DOCS: Final = Path(__file__).parents[1] / "docs"
CLAUSES: Final = DOCS / "clauses.toml"
FINDINGS: Final = DOCS / "findings.toml"


class Catalogue:
    """All clauses in the guide's order, and the guide's errata."""

    def __init__(
        self,
        path: Path = CLAUSES,
        *,
        features: Path | None = None,
        findings: Path = FINDINGS,
        facts: Path = pedigree.FACTS,
    ) -> None:
        """`features` is the folder of all scenarios: what a run selects may be less."""
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        guide = document["guide"]
        self.guide = PublishedGuide(title=guide["title"], url=guide["url"])
        self._anchors: Mapping[str, str] = guide["sections"]
        advice = tomllib.loads(findings.read_text(encoding="utf-8"))["finding"]
        self._advice: dict[str, dict[str, str]] = {
            entry["clause"]: entry for entry in advice if "clause" in entry
        }
        self._clauses: list[Mapping[str, str]] = document["clause"]
        self.errata = [Erratum(**entry, links=self._links(entry["section"])) for entry in document["erratum"]]
        self._features = features
        self._facts = pedigree.facts(facts)

    def findings(self, scenario: ScenarioResult) -> list[Finding]:
        """What the reader must know of an advisory scenario that failed: one finding for each clause."""
        return [
            Finding(detail=scenario.reason, **self._advice.get(clause, {"title": outcome, "clause": clause}))
            for clause, outcome in self._outcomes(scenario)
        ]

    def _outcomes(self, scenario: ScenarioResult) -> list[tuple[str, str]]:
        return [
            (clause["id"], f"This does not hold: {clause['outcome']}")
            for clause in self._clauses
            if clause["id"] in scenario.clauses
        ]

    def ids(self) -> list[str]:
        """The clauses' ids, in the guide's order."""
        return [clause["id"] for clause in self._clauses]

    def of_kind(self, kind: str) -> list[str]:
        """The ids of the clauses of a kind, in the guide's order."""
        return [clause["id"] for clause in self._clauses if clause["kind"] == kind]

    def sort(self, clauses: Iterable[str]) -> list[str]:
        """`clauses` in the guide's order; unknown ones last."""
        order = {clause: place for place, clause in enumerate(self.ids())}
        return sorted(clauses, key=lambda clause: (order.get(clause, len(order)), clause))

    def judge(self, scenarios: Iterable[ScenarioResult]) -> list[ClauseResult]:
        """Every clause with the scenarios that name it, and what they say of it together.

        All of a clause's scenarios prove it: where the run selected only some of them, it is *not proven*.
        """
        naming: dict[str, list[ScenarioResult]] = {}
        for scenario in scenarios:
            for clause in scenario.clauses:
                naming.setdefault(clause, []).append(scenario)
        existing = scenarios_per_clause(self._features) if self._features else None
        return [self._judge(clause, naming.get(clause["id"], []), existing) for clause in self._clauses]

    def _judge(
        self, clause: Mapping[str, str], selected: Sequence[ScenarioResult], existing: Counter[str] | None
    ) -> ClauseResult:
        verdict = together(scenario.verdict for scenario in selected)
        number = existing[clause["id"]] if existing is not None else len(selected)
        left_out = max(0, number - len(selected))
        reason = next((s.reason for s in selected if s.verdict is verdict), "")
        if not selected:
            reason = "not selected" if left_out or existing is None else "no scenario names it"
        elif left_out and verdict in (Verdict.PASSED, Verdict.NOT_APPLICABLE):
            verdict = Verdict.NOT_PROVEN
            reason = f"{left_out} of its {number} scenarios not selected"
        return ClauseResult(
            id=clause["id"],
            outcome=clause["outcome"],
            section=clause["section"],
            links=self._links(clause["section"]),
            kind=clause["kind"],
            advisory=clause["kind"] == "advisory",
            verdict=verdict,
            reason=reason,
            scenarios=[scenario.id for scenario in selected],
            evidence=[entry.file for scenario in selected for entry in scenario.evidence],
            facts=[
                RestsOn(id=fact.id, what=fact.what, standing=fact.standing)
                for fact in self._facts
                if clause["id"] in fact.clauses
            ],
        )

    def _links(self, section: str) -> list[str]:
        """Where the published guide has each of the sections."""
        return [f"{self.guide.url}#{self._anchors[name]}" for name in section.split(", ")]


def scenarios_per_clause(features: Path) -> Counter[str]:
    """How many scenarios below a folder name each clause; an outline counts once for each example."""
    counts: Counter[str] = Counter()
    for _, _, tags, _ in written_scenarios(features):
        counts.update(tags)
    return counts


def written_scenarios(features: Path) -> Iterator[tuple[str, str, tuple[str, ...], tuple[str, ...]]]:
    """Every scenario below a folder: its file's name, its own, its tags, its steps' texts.

    Those of an outline are one for each example. A feature that cannot be read has none: pytest tells of it.
    """
    for file in sorted(features.rglob("*.feature")):
        try:
            document: Any = Parser().parse(TokenScanner(file.read_text(encoding="utf-8")))
        except ParserError:
            continue
        for pickle in Compiler().compile(document | {"uri": str(file)}):
            tags = sorted(tag["name"].removeprefix("@") for tag in pickle["tags"])
            yield file.name, pickle["name"], tuple(tags), tuple(step["text"] for step in pickle["steps"])
