"""Whether a run may become a certificate: the rules of docs/certification.toml, a function of its results.

It asks what the run saw, and never what kind of lab it ran on: a chain that ends in no root of AMD's is one
that anybody can make.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lab.certificates.roots import AMD
from lab.fact import Fact
from lab.verdict import Verdict
from reports.model import BrokenRule, Certification

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from reports.model import Results

RULES: Final = Path(__file__).parents[1] / "docs" / "certification.toml"
UNKNOWN: Final = "unknown"


@dataclass(frozen=True)
class Rules:
    """The rules as written down: titles by id, and by profile which clauses it leaves out, and why.

    `challenged` are the profiles that demand proof of hardware.
    """

    titles: Mapping[str, str]
    left_out: Mapping[str, Mapping[str, str]]
    valid_days: int
    challenged: frozenset[str] = frozenset()

    @classmethod
    def read(cls, path: Path = RULES) -> Rules:
        """The rules of the suite."""
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        return cls(
            titles={rule["id"]: rule["title"] for rule in document["rule"]},
            left_out={profile["name"]: profile["left_out"] for profile in document["profile"]},
            valid_days=document["valid_days"],
            challenged=frozenset(
                profile["name"] for profile in document["profile"] if profile.get("challenge", False)
            ),
        )

    def mandatory(self, results: Results) -> list[str]:
        """The clauses that the run's profile must have proved, in the guide's order."""
        left_out = self.left_out.get(str(results.profile.get("name")), {})
        return [clause.id for clause in results.clauses if not clause.advisory and clause.id not in left_out]

    def demand_challenge(self, results: Results) -> bool:
        """Whether the run's profile demands that its platform answered a challenge."""
        return results.profile.get("name") in self.challenged


def judge(results: Results, rules: Rules) -> Certification:
    """Hold a run to every rule."""
    broken = [
        BrokenRule(rule=rule, title=title, found=found)
        for rule, title in rules.titles.items()
        if (found := _RULES[rule](results, rules))
    ]
    return Certification(certifiable=not broken, mandatory=rules.mandatory(results), broken=broken)


def _mandatory_clauses(results: Results, rules: Rules) -> list[str]:
    mandatory = set(rules.mandatory(results))
    return [
        f"{clause.id} is {clause.verdict or Verdict.NOT_PROVEN}: {clause.reason or 'no reason is given'}"
        for clause in results.clauses
        if clause.id in mandatory and clause.verdict is not Verdict.PASSED
    ] or ([] if mandatory else ["the run has no mandatory clause"])


def _known_profile(results: Results, rules: Rules) -> list[str]:
    name = results.profile.get("name")
    if name in rules.left_out:
        return []
    return [f"the profile is {name}, and the rules know {', '.join(rules.left_out)}"]


def _undeclared_skip(results: Results, rules: Rules) -> list[str]:
    left_out = rules.left_out.get(str(results.profile.get("name")), {})
    return [
        f"{scenario.id} was skipped: {scenario.reason}"
        for scenario in results.scenarios
        if scenario.verdict is Verdict.NOT_APPLICABLE
        and not scenario.advisory
        and not set(scenario.clauses) <= set(left_out)
    ]


def _whole_selection(results: Results, _rules: Rules) -> list[str]:
    return [
        f"{clause.id}: {clause.reason or 'no scenario of it ran'}"
        for clause in results.clauses
        if not clause.scenarios or "not selected" in clause.reason
    ]


def _no_retries(results: Results, _rules: Rules) -> list[str]:
    return [
        f"{scenario.id} ran {scenario.attempts} times"
        for scenario in results.scenarios
        if scenario.attempts > 1
    ]


def _undisturbed(results: Results, _rules: Rules) -> list[str]:
    found = [f"problem: {problem}" for problem in results.run.problems]
    if results.run.interrupted:
        found.append("it was interrupted")
    if results.run.exit_code != 0:
        found.append(f"it ended with exit code {results.run.exit_code}")
    return found


def _no_faults(results: Results, _rules: Rules) -> list[str]:
    named = results.lab.get("fault")
    return [f"the fault {fault}" for fault in results.run.faults or ([named] if named else [])]


def _vendor_root(results: Results, _rules: Rules) -> list[str]:
    if not results.session.platforms:
        return ["the run saw no certificate chain that verifies"]
    return [
        f"the chain {each.chain} ends in the ARK {each.ark}, which is none of AMD's ({', '.join(AMD)}): "
        "anybody can make such a chain, a simulated lab does"
        for each in results.session.platforms
        if each.ark not in AMD.values()
    ]


def _proof_of_hardware(results: Results, rules: Rules) -> list[str]:
    """Whether there is an answer; whether it is right only the challenge's maker can tell (`verify`)."""
    # A scenario that names no clause is none of the guide's: it is the challenge's.
    asked = [scenario for scenario in results.scenarios if not scenario.clauses]
    wrong = [
        f"{each.id} is {each.verdict}: {each.reason}" for each in asked if each.verdict is not Verdict.PASSED
    ]
    if wrong or not rules.demand_challenge(results):
        return wrong
    kept = {evidence.fact for scenario in asked for evidence in scenario.evidence}
    if Fact.CHALLENGE_RESPONSE in kept:
        return []
    return ["the profile demands an answer to a challenge, and the run has none: ./run --challenge FILE"]


def _one_platform(results: Results, _rules: Rules) -> list[str]:
    chips = {each.cek for each in results.session.platforms}
    return [f"the run saw chains of {len(chips)} chips: {', '.join(sorted(chips))}"] if len(chips) > 1 else []


def _known_suite(results: Results, _rules: Rules) -> list[str]:
    if results.suite.commit is None or results.suite.dirty is None:
        return ["the suite is no git checkout, or git does not answer: nobody can tell what ran"]
    return [f"its files differ from commit {results.suite.commit}"] if results.suite.dirty else []


def _known_versions(results: Results, _rules: Rules) -> list[str]:
    if not results.versions:
        return ["the run recorded no version"]
    return [
        f"{component}: {version or 'nothing'}"
        for component, version in results.versions.items()
        if not version or version.split()[0] == UNKNOWN
    ]


_RULES: Final[dict[str, Callable[[Results, Rules], list[str]]]] = {
    "mandatory-clauses": _mandatory_clauses,
    "known-profile": _known_profile,
    "undeclared-skip": _undeclared_skip,
    "whole-selection": _whole_selection,
    "no-retries": _no_retries,
    "undisturbed": _undisturbed,
    "no-faults": _no_faults,
    "vendor-root": _vendor_root,
    "proof-of-hardware": _proof_of_hardware,
    "one-platform": _one_platform,
    "known-suite": _known_suite,
    "known-versions": _known_versions,
}
