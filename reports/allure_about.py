"""What Allure is told beside the results: where the guide says it, how much it matters, whose it is."""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Final

from allure_commons.model2 import Label, Link
from allure_commons.types import LabelType, LinkType, Severity

from reports.clauses import Catalogue

if TYPE_CHECKING:
    from pathlib import Path

    from reports.model import ClauseResult, Results, ScenarioResult

CONFIGURATION: Final = "allurerc.json"
# A clause of these kinds is what the guide is for; a state is on the way there.
_CRITICAL: Final = frozenset({"workload", "refusal"})
# Each result's message begins with its verdict; a bug's goes on with the kind of a Python exception.
_CATEGORIES: Final = (
    ("Product: a clause of the guide is broken", ["failed"], r"failed: [\s\S]*"),
    ("Suite: a bug", ["broken"], r"broken: (?:\w+\.)*\w*(?:Error|Exception|Exit|Interrupt|Warning): [\s\S]*"),
    ("Lab: lost on the way, or not put right again", ["broken"], r"broken: [\s\S]*"),
    ("Lab: a precondition does not hold, or it never ran", ["skipped"], r"not proven: [\s\S]*"),
    ("Not applicable: the profile or the platform excludes it", ["skipped"], r"not applicable: [\s\S]*"),
)


@cache
def _clauses() -> dict[str, ClauseResult]:
    return {clause.id: clause for clause in Catalogue().judge([])}


def links(scenario: ScenarioResult) -> list[Link]:
    """The places of the published guide that promise what a scenario proves."""
    return [
        Link(LinkType.LINK, url, f"{clause.id} {section}")
        for clause in map(_clauses().get, scenario.clauses)
        if clause
        for section, url in zip(clause.section.split(", "), clause.links, strict=True)
    ]


def severity(scenario: ScenarioResult) -> Label:
    """How much a scenario matters: advice is trivial, a pod's outcome and a refusal are critical."""
    kinds = {clause.kind for clause in map(_clauses().get, scenario.clauses) if clause}
    if scenario.advisory:
        level = Severity.TRIVIAL
    else:
        level = Severity.CRITICAL if kinds & _CRITICAL else Severity.NORMAL
    return Label(LabelType.SEVERITY, level.value)


def write_about(folder: Path, results: Results) -> None:
    """Write Allure's categories, and the environment: what was tested.

    Allure 2 takes the categories from the results, Allure 3 (3.18) from a configuration: beside them.
    """
    categories = [
        {"name": name, "matchedStatuses": statuses, "messageRegex": message}
        for name, statuses, message in _CATEGORIES
    ]
    folder.mkdir(exist_ok=True)
    text = json.dumps(categories, indent=2, ensure_ascii=False)
    (folder / "categories.json").write_text(text + "\n", encoding="utf-8")
    configuration = {"name": f"{results.lab.get('name', '')}, {results.run.id}", "categories": categories}
    text = json.dumps(configuration, indent=2, ensure_ascii=False)
    (folder.parent / CONFIGURATION).write_text(text + "\n", encoding="utf-8")
    about = {
        "Lab": str(results.lab.get("name", "")),
        "Profile": str(results.profile.get("title", "")),
        "Run": results.run.id,
        "Suite": results.suite.commit or "unknown",
        "May be certified": "yes" if results.certification.certifiable else "no",
        **results.versions,
    }
    lines = [f"{_property(key, key=True)} = {_property(value)}" for key, value in about.items()]
    (folder / "environment.properties").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _property(text: str, *, key: bool = False) -> str:
    """A text in a file of Java properties: on one line, and nothing in a key that ends it."""
    line = " ".join(text.split()).replace("\\", "\\\\")
    if key:
        for character in " =:#!":
            line = line.replace(character, f"\\{character}")
    return line
