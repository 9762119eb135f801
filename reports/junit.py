"""`junit.xml`: one suite per feature, one case per scenario."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from lab.verdict import Verdict
from reports.triage import sentence

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from reports.model import Results, ScenarioResult

# XML 1.0 knows no other control characters; a terminal's output does.
_NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ELEMENT = {
    Verdict.FAILED: "failure",
    Verdict.BROKEN: "error",
    Verdict.NOT_PROVEN: "skipped",
    Verdict.NOT_APPLICABLE: "skipped",
}


def write(results: Results, path: Path) -> None:
    """Write the results as JUnit's XML."""
    root = ET.Element("testsuites", name="conformance", time=f"{results.run.seconds:.3f}")
    _count(root, results.scenarios)
    features: dict[str, list[ScenarioResult]] = {}
    for scenario in results.scenarios:
        features.setdefault(scenario.feature, []).append(scenario)
    for feature, scenarios in features.items():
        root.append(_suite(feature, scenarios, results))
    ET.indent(root)
    ET.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


def _suite(feature: str, scenarios: Sequence[ScenarioResult], results: Results) -> ET.Element:
    suite = ET.Element("testsuite", name=_text(feature), time=f"{sum(s.seconds for s in scenarios):.3f}")
    suite.set("timestamp", results.run.started.isoformat(timespec="seconds"))
    suite.set("hostname", _text(str(results.lab.get("name", ""))))
    _count(suite, scenarios)
    for scenario in scenarios:
        suite.append(_case(scenario))
    return suite


def _case(scenario: ScenarioResult) -> ET.Element:
    case = ET.Element(
        "testcase",
        classname=_text(scenario.feature),
        name=_text(scenario.name),
        time=f"{scenario.seconds:.3f}",
        file=scenario.file,
        line=str(scenario.line),
    )
    properties = ET.SubElement(case, "properties")
    for clause in scenario.clauses:
        ET.SubElement(properties, "property", name="clause", value=clause)
    ET.SubElement(properties, "property", name="verdict", value=scenario.verdict)
    for name, where in (("host", scenario.host), ("worker", scenario.worker)):
        if where:
            ET.SubElement(properties, "property", name=name, value=_text(where))
    if scenario.owner:
        ET.SubElement(properties, "property", name="owner", value=scenario.owner)
    if scenario.verdict is not Verdict.PASSED:
        reason = scenario.reason or str(scenario.verdict)
        told = ET.SubElement(case, _element(scenario) or "", message=_text(reason))
        told.set("type", str(scenario.verdict))
        triage = sentence(scenario.triage) if scenario.triage else ""
        told.text = _text("\n".join(filter(None, [scenario.detail, triage, scenario.cleanup])))
    ET.SubElement(case, "system-out").text = _text(_steps(scenario))
    return case


def _element(scenario: ScenarioResult) -> str | None:
    """What JUnit calls a verdict. CI takes a failure for a decision, and a finding is none."""
    return "skipped" if scenario.is_finding else _ELEMENT.get(scenario.verdict)


def _steps(scenario: ScenarioResult) -> str:
    """The steps, a line each, as far as the scenario came."""
    return "\n".join(
        f"{step.verdict or 'not run'}: {step.keyword} {step.text} ({step.seconds:.1f} s)"
        for step in scenario.steps
    )


def _count(element: ET.Element, scenarios: Sequence[ScenarioResult]) -> None:
    """Give a suite the counts that JUnit's readers show."""
    verdicts = [_element(scenario) for scenario in scenarios]
    element.set("tests", str(len(verdicts)))
    element.set("failures", str(verdicts.count("failure")))
    element.set("errors", str(verdicts.count("error")))
    element.set("skipped", str(verdicts.count("skipped")))


def _text(text: str) -> str:
    """`text` without characters that XML 1.0 cannot hold."""
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
