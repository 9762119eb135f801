"""Finds in feature files what pytest-bdd would pass over in silence, or notice only when a scenario runs."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from gherkin.errors import ParserError
from gherkin.parser import Parser
from gherkin.pickles.compiler import Compiler
from gherkin.token_scanner import TokenScanner

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from pytest_bdd.steps import StepFunctionContext

CLAUSE: Final = re.compile(r"[A-Z]-\d+\.\d+")
KEYWORDS: Final = ("Given", "When", "Then", "And", "But", "Background", "Examples", "Scenario", "Rule")
INNOCENT: Final = ("The", "There", "These", "They")  # like keywords, but how a description may begin
_TYPES: Final = {"Context": "given", "Action": "when", "Outcome": "then"}


@dataclass(frozen=True, order=True)
class Complaint:
    """What is wrong, and where; `str()` is a line that an editor can follow."""

    file: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.what}"


class FeatureLint:
    """Collects complaints about feature files, and which step definitions they use."""

    def __init__(self, clauses: Collection[str], definitions: Iterable[StepFunctionContext]) -> None:
        self.complaints: list[Complaint] = []
        self._clauses = clauses
        self._definitions = list(definitions)
        self._used: set[int] = set()
        self._names: dict[str, str] = {}

    def add(self, file: Path) -> None:
        """Lint a file, also against those that were added before it."""
        try:
            document = dict[str, Any](Parser().parse(TokenScanner(file.read_text(encoding="utf-8"))))
        except ParserError as error:
            for each in getattr(error, "errors", [error]):
                self._complain(file, {"location": each.location}, str(each).partition(": ")[2])
            return
        feature = document.get("feature")
        if feature is None:
            self._complain(file, {"location": {"line": 1}}, "no feature")
            return
        self._name(file, feature, "Feature")
        scenarios = list(_scenarios(feature))
        if not scenarios:
            self._complain(file, feature, "a feature without scenarios")
        for scenario in scenarios:
            self._scenario(file, scenario)
        self._rules(file, feature)
        self._pickles(file, document)

    def unused(self) -> list[Complaint]:
        """The step definitions that no step of the added files matches."""
        functions = (each.step_func for each in self._definitions if id(each) not in self._used)
        codes = ((function.__code__, function.__name__) for function in functions)
        return [
            Complaint(
                str(Path(code.co_filename).name), code.co_firstlineno, f"{name}: no scenario uses this step"
            )
            for code, name in codes
        ]

    def _complain(self, file: Path, node: Any, what: str) -> None:
        complaint = Complaint(str(file), node["location"]["line"], what)
        if complaint not in self.complaints:
            self.complaints.append(complaint)

    def _name(self, file: Path, node: Any, kind: str) -> None:
        name = node["name"]
        if not name:
            self._complain(file, node, f"a {kind} without a name")
            return
        here = f"{file}:{node['location']['line']}"
        first = self._names.setdefault(f"{kind} {name}", here)
        if first != here:
            self._complain(
                file, node, f"the name of this {kind} is also that of {first}: one of them would be lost"
            )

    def _scenario(self, file: Path, scenario: Any) -> None:
        self._name(file, scenario, "Scenario")
        if not scenario["steps"]:
            self._complain(file, scenario, "a scenario without steps: it would pass")
        elif scenario["steps"][0]["keyword"].strip() in {"And", "But", "*"}:
            self._complain(file, scenario["steps"][0], "the first step must say Given, When or Then")
        for line in scenario["description"].splitlines():
            word = re.split(r"\W", line.strip(), maxsplit=1)[0].capitalize()
            meant = difflib.get_close_matches(word, KEYWORDS, n=1, cutoff=0.7)
            if meant and word not in INNOCENT:
                self._complain(file, scenario, f"{line.strip()!r} is no step: did you mean {meant[0]}?")
        outline = (
            "Outline" in scenario["keyword"] or "Template" in scenario["keyword"] or scenario["examples"]
        )
        if outline and not any(example["tableBody"] for example in scenario["examples"]):
            self._complain(file, scenario, "a Scenario Outline without examples: it would not run")

    def _rules(self, file: Path, feature: Any) -> None:
        for rule in (child["rule"] for child in feature["children"] if "rule" in child):
            self._name(file, rule, "Rule")
            for scenario in (child["scenario"] for child in rule["children"] if "scenario" in child):
                if scenario["location"]["column"] <= rule["location"]["column"]:
                    line = rule["location"]["line"]
                    self._complain(
                        file, scenario, f"this scenario belongs to the Rule in line {line}: rules last"
                    )

    def _pickles(self, file: Path, document: dict[str, Any]) -> None:
        nodes = {node["id"]: node for node in _nodes(document)}
        with_uri: Any = document | {"uri": str(file)}
        for pickle in Compiler().compile(with_uri):
            scenario = nodes[pickle["astNodeIds"][0]]
            tags = [tag["name"].removeprefix("@") for tag in pickle["tags"]]
            for tag in tags:
                if tag not in self._clauses:
                    near = difflib.get_close_matches(tag, list(self._clauses), n=1)
                    hint = f"; did you mean @{near[0]}?" if near else ""
                    self._complain(file, scenario, f"@{tag} is no clause of docs/clauses.toml{hint}")
            if not any(CLAUSE.fullmatch(tag) for tag in tags):
                self._complain(file, scenario, "a scenario that names no clause")
            for tag, times in Counter(tags).items():
                if times > 1:
                    self._complain(file, scenario, f"@{tag} is named {times} times")
            for step in pickle["steps"]:
                self._step(file, nodes[step["astNodeIds"][0]], _TYPES.get(step["type"], ""), step["text"])

    def _step(self, file: Path, node: Any, kind: str, text: str) -> None:
        matching = [
            each for each in self._definitions if each.type in {None, kind} and each.parser.is_matching(text)
        ]
        self._used |= {id(each) for each in matching}
        if not matching:
            others = sorted({each.type or "" for each in self._definitions if each.parser.is_matching(text)})
            hint = f" (there is one for {' and '.join(others)})" if others else ""
            self._complain(file, node, f"no definition for the {kind} step {text!r}{hint}")
        elif len(matching) > 1:
            where = ", ".join(each.step_func.__qualname__ for each in matching)
            self._complain(file, node, f"{len(matching)} definitions match the step {text!r}: {where}")


def _scenarios(node: Any) -> Iterator[Any]:
    for child in node["children"]:
        if "scenario" in child:
            yield child["scenario"]
        elif "rule" in child:
            yield from _scenarios(child["rule"])


def _nodes(node: Any) -> Iterator[Any]:
    if isinstance(node, dict):
        if "id" in node and "location" in node:
            yield node
        for inner in node.values():
            yield from _nodes(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from _nodes(inner)
