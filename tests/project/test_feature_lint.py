from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pytest_bdd.parsers import get_parser, parse
from pytest_bdd.steps import StepFunctionContext

from tests.project.feature_lint import FeatureLint

if TYPE_CHECKING:
    from pathlib import Path

CLAUSES = ("W-1.1", "W-1.2", "A-2.7")


def step_one() -> None: ...
def step_two() -> None: ...
def step_three() -> None: ...


def definition(kind: Any, phrase: Any, function: Any) -> StepFunctionContext:
    return StepFunctionContext(kind, function, get_parser(phrase))


DEFINITIONS = [
    definition("given", "a lab", step_one),
    definition("when", parse("{image} is started"), step_two),
    definition("then", "it runs", step_three),
]
GOOD = """\
Feature: Images
  As the guide has it.

  Background:
    Given a lab

  @W-1.1 @W-1.2
  Scenario: An image runs
    The line under the name says what it means when this fails.
    When nginx is started
    Then it runs
    And it runs

  @A-2.7
  Scenario Outline: The image <image> runs
    When <image> is started
    Then it runs

    Examples:
      | image   |
      | nginx   |
      | busybox |

  @W-1.1
  Rule: Rules come last
    Scenario: An image of a rule
      When nginx is started
      Then it runs
"""


def lint(folder: Path, *texts: str, definitions: list[StepFunctionContext] = DEFINITIONS) -> list[str]:
    linter = FeatureLint(CLAUSES, definitions)
    for number, text in enumerate(texts):
        file = folder / f"{number}.feature"
        file.write_text(text)
        linter.add(file)
    return [str(each).replace(f"{folder}/", "") for each in sorted(linter.complaints)]


def test_a_good_feature_has_no_complaints(tmp_path: Path) -> None:
    assert lint(tmp_path, GOOD) == []


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        (
            "    Then it runs\n    And",
            "    Then it flies\n    And",
            "0.feature:11: no definition for the then step 'it flies'",
        ),
        (
            "    And it runs",
            "    And a lab",
            "0.feature:12: no definition for the then step 'a lab' (there is one for given)",
        ),
        (
            "    When <image> is started",
            "    When <imge> starts",
            "0.feature:16: no definition for the when step '<imge> starts'",
        ),
        (
            "@W-1.1 @W-1.2",
            "@W-1.1 @W-1.3",
            "0.feature:8: @W-1.3 is no clause of docs/clauses.toml; did you mean @W-1.2?",
        ),
        ("@W-1.1 @W-1.2", "@W-1.1 @W-1.1", "0.feature:8: @W-1.1 is named 2 times"),
        ("  @A-2.7\n", "", "0.feature:14: a scenario that names no clause"),
        (
            "Outline: The image <image> runs",
            "Outline: An image runs",
            "0.feature:15: the name of this Scenario is also that of",
        ),
        (
            "    When nginx is started\n    Then",
            "    Whne nginx is started\n    Then",
            "0.feature:8: 'Whne nginx is started' is no step: did you mean When?",
        ),
        (
            "    When nginx is started\n    Then",
            "    given a lab\n    Then",
            "0.feature:8: 'given a lab' is no step: did you mean Given?",
        ),
        (
            "    When nginx is started\n    Then",
            "    And a lab\n    Then",
            "0.feature:10: the first step must say Given, When or Then",
        ),
        (
            "      | nginx   |\n      | busybox |\n",
            "",
            "0.feature:15: a Scenario Outline without examples: it would not run",
        ),
        (
            "    Scenario: An image of a rule",
            "  Scenario: An image of no rule",
            "0.feature:26: this scenario belongs to the Rule in line 25",
        ),
        (
            "      When nginx is started\n      Then it runs\n",
            "",
            "0.feature:26: a scenario without steps: it would pass",
        ),
        (
            "    Then it runs\n    And it runs",
            "    Then it runs\n    Adn it runs",
            "0.feature:12: expected: ",
        ),
        ("Scenario: An image of a rule", "Scenario:", "0.feature:26: a Scenario without a name"),
    ],
)
def test_a_bad_feature_is_complained_about(tmp_path: Path, old: str, new: str, complaint: str) -> None:
    assert old in GOOD
    complaints = lint(tmp_path, GOOD.replace(old, new, 1))
    assert any(each.startswith(complaint) for each in complaints), complaints


@pytest.mark.parametrize(
    ("text", "complaint"),
    [("", "no feature"), ("Feature: Empty\n", "a feature without scenarios"), ("Fature: x\n", "expected: ")],
)
def test_a_file_without_scenarios_is_complained_about(tmp_path: Path, text: str, complaint: str) -> None:
    assert lint(tmp_path, text)[0].startswith(f"0.feature:1: {complaint}")


def test_a_name_may_occur_only_once_in_all_files(tmp_path: Path) -> None:
    other = "Feature: Others\n  @W-1.1\n  Scenario: An image runs\n    Then it runs\n"
    complaints = lint(tmp_path, GOOD, other)
    assert complaints == [
        "1.feature:3: the name of this Scenario is also that of "
        f"{tmp_path}/0.feature:8: one of them would be lost".replace(f"{tmp_path}/", "")
    ]


def test_a_step_with_two_definitions_is_complained_about(tmp_path: Path) -> None:
    twice = [*DEFINITIONS, definition(None, "it runs", step_one)]
    complaints = lint(tmp_path, GOOD, definitions=twice)
    assert "0.feature:11: 2 definitions match the step 'it runs': step_three, step_one" in complaints


def test_a_definition_that_no_step_uses_is_found(tmp_path: Path) -> None:
    linter = FeatureLint(CLAUSES, [*DEFINITIONS, definition("then", "it flies", step_one)])
    (tmp_path / "0.feature").write_text(GOOD)
    linter.add(tmp_path / "0.feature")
    assert [each.what for each in linter.unused()] == ["step_one: no scenario uses this step"]
