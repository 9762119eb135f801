"""Each way in which a scenario can end, and the verdict that it gives."""

from __future__ import annotations

import pytest

from lab.verdict import Verdict
from tests.reports.small_suite import Left, Suite, allure

FEATURE = """\
Feature: One machine
  Rests on nothing.

  @W-1.2 @P-1.1
  Scenario: Holds
    A pod is Running.
    Given a lab
    Then it holds

  @W-1.1
  Scenario: Does not hold
    Given a lab
    Then it does not hold
    And it holds

  @W-1.2 @W-2.2
  Scenario: Has a bug
    Given a lab
    When a step has a bug
    Then it holds

  @W-3.3
  Scenario: Has no registry
    Given a lab
    When the registry is down
    Then it holds

  Scenario: Is not for this profile
    Given the platform lacks it

  Scenario: Is skipped by hand
    Given a lab
    When a step skips
    Then it holds

  Scenario: Has no step
    Given a lab
    When nobody defined this
    Then it holds
"""
STEPS = """
@when("a step has a bug")
def _():
    {}["key"]

@when("the registry is down")
def _():
    raise NotProven("the registry does not answer", owner="C-3.2")

@given("the platform lacks it")
def _():
    raise NotApplicable("the profile has no SEV-ES")

@when("a step skips")
def _():
    pytest.skip("not today")
"""


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Left:
    suite = Suite(tmp_path_factory.mktemp("verdicts"))
    suite.write(FEATURE, STEPS)
    return suite.run()


def test_the_kind_of_the_error_decides(left: Left) -> None:
    assert left.verdicts() == {
        "Holds": Verdict.PASSED,
        "Does not hold": Verdict.FAILED,
        "Has a bug": Verdict.BROKEN,
        "Has no registry": Verdict.NOT_PROVEN,
        "Is not for this profile": Verdict.NOT_APPLICABLE,
        "Is skipped by hand": Verdict.NOT_PROVEN,
        "Has no step": Verdict.BROKEN,
    }
    reasons = {scenario.name: scenario.reason for scenario in left.results.scenarios}
    assert reasons["Does not hold"] == "the product broke it"
    assert reasons["Has a bug"] == "KeyError: 'key'"
    assert reasons["Has no registry"] == "the registry does not answer"
    assert left.scenario("Has no registry").owner == "C-3.2"
    assert reasons["Is not for this profile"] == "the profile has no SEV-ES"
    assert reasons["Is skipped by hand"] == "not today"
    assert "nobody defined this" in reasons["Has no step"]
    assert left.exit_code == 1


def test_a_scenario_says_who_it_is_and_how_far_it_came(left: Left) -> None:
    holds = left.scenario("Holds")
    assert holds.id == "small::holds"
    assert (holds.feature, holds.file, holds.line) == ("One machine", "small.feature", 5)
    assert holds.description == "A pod is Running."
    assert holds.clauses == ["P-1.1", "W-1.2"]  # the guide's order
    assert [step.verdict for step in holds.steps] == [Verdict.PASSED, Verdict.PASSED]
    assert holds.evidence[0].step == 1
    assert (left.folder / holds.evidence[0].file).read_text() == "all is well"

    fails = left.scenario("Does not hold")
    assert [step.verdict for step in fails.steps] == [Verdict.PASSED, Verdict.FAILED, None]
    skips = left.scenario("Is skipped by hand")
    assert [step.verdict for step in skips.steps] == [Verdict.PASSED, Verdict.NOT_PROVEN, None]
    undefined = left.scenario("Has no step")
    assert [step.verdict for step in undefined.steps] == [Verdict.PASSED, Verdict.BROKEN, None]
    bug = left.scenario("Has a bug").detail
    assert bug.startswith("conftest.py:")
    assert '{}["key"]' in bug
    assert "_pytest" not in bug, "only the suite's own code is shown"
    assert left.scenario("Has no registry").detail == ""


def test_a_plain_terminal_gets_a_line_per_scenario_and_a_summary(left: Left) -> None:
    lines = left.output.splitlines()
    assert lines[0] == f"Conformance run {left.results.run.id}: lab small, Profile"
    told, closing = lines.index("7 scenarios selected"), lines.index("One machine")
    assert [line[:14].strip() for line in lines[told + 1 : closing] if line[:1].strip()] == [
        "passed",
        "failed",
        "broken",
        "not proven",
        "not applicable",
        "not proven",
        "broken",
    ]
    assert "  not proven     1 scenario: the registry does not answer (C-3.2)" in lines[closing:]
    assert lines[-3].startswith("1 of 6 scenarios proved.  0 changed.")
    assert lines[-2] == "5 of 5 clauses rest on facts not yet seen on hardware (docs/facts.md)."
    assert lines[-1] == "Report: reports/latest/index.html"
    assert "\x1b" not in left.output
    assert "test session starts" not in left.output


def test_junit_tells_the_verdicts_apart(left: Left) -> None:
    root = left.junit()
    assert root.attrib.items() >= {"tests": "7", "failures": "1", "errors": "2", "skipped": "3"}.items()
    cases = {case.get("name"): case for case in root.iter("testcase")}
    found = {
        name: next((child for child in case if child.tag in ("failure", "error", "skipped")), None)
        for name, case in cases.items()
    }
    assert {
        name: None if child is None else (child.tag, child.get("message")) for name, child in found.items()
    } | {"Has no step": None} == {
        "Holds": None,
        "Does not hold": ("failure", "the product broke it"),
        "Has a bug": ("error", "KeyError: 'key'"),
        "Has no registry": ("skipped", "the registry does not answer"),
        "Is not for this profile": ("skipped", "the profile has no SEV-ES"),
        "Is skipped by hand": ("skipped", "not today"),
        "Has no step": None,
    }
    holds = cases["Holds"]
    assert holds.get("classname") == "One machine"
    assert [p.get("value") for p in holds.iter("property") if p.get("name") == "clause"] == ["P-1.1", "W-1.2"]


def test_allure_gets_the_same_verdicts_step_by_step(left: Left) -> None:
    results = allure(left)
    assert {name: entry["status"] for name, entry in results.items()} == {
        "Holds": "passed",
        "Does not hold": "failed",
        "Has a bug": "broken",
        "Has no registry": "skipped",
        "Is not for this profile": "skipped",
        "Is skipped by hand": "skipped",
        "Has no step": "broken",
    }
    steps = results["Has no registry"]["steps"]
    assert [(step["name"], step["status"]) for step in steps] == [
        ("Given a lab", "passed"),
        ("When the registry is down", "skipped"),
    ]
    assert (
        results["Has no registry"]["statusDetails"]["message"] == "not proven: the registry does not answer"
    )


def test_clauses_get_the_worst_verdict_of_their_scenarios(left: Left) -> None:
    clauses = {clause.id: clause for clause in left.results.clauses}
    assert clauses["P-1.1"].verdict is Verdict.PASSED
    assert clauses["W-1.2"].verdict is Verdict.BROKEN
    assert clauses["W-1.2"].scenarios == ["small::holds", "small::has-a-bug"]
    assert clauses["O-1.1"].verdict is None


OK = """\
Feature: One machine

  Scenario: Holds
    Given a lab
    Then it holds
"""


def test_not_applicable_is_allowed_but_alone_proves_nothing(suite: Suite) -> None:
    suite.write(OK + "\n  Scenario: s\n    Given the platform lacks it\n", STEPS)
    assert suite.run().exit_code == 0
    assert suite.run("-k", "not holds").exit_code == 6


def test_not_proven_is_not_exit_0_and_advisory_clauses_decide_nothing(suite: Suite) -> None:
    suite.write(
        OK
        + "\n  @X-2.1\n  Scenario: advice\n    Given a lab\n    Then it does not hold\n"
        + "\n  Scenario: unproved\n    Given a lab\n    When the registry is down\n",
        STEPS,
    )
    left = suite.run()
    assert left.exit_code == 6
    assert not left.results.answer.all_proved

    left = suite.run("-k", "not unproved")
    assert left.scenario("advice").verdict is Verdict.FAILED
    assert left.exit_code == 0
    assert left.results.answer.all_proved


def test_no_selection_is_not_exit_0(suite: Suite) -> None:
    suite.write(OK)
    left = suite.run("-k", "nothing")
    assert left.exit_code == 5
    assert left.results.scenarios == []
    assert "Nothing is proved: no scenario was selected." in left.output


def test_a_failing_test_that_is_no_scenario_counts(suite: Suite) -> None:
    suite.write(OK)
    (suite.path / "test_other.py").write_text("def test_it(): assert False")
    assert suite.run().exit_code == 1


FIXTURES = """
@pytest.fixture
def registry():
    raise NotProven("the registry does not answer", owner="C-3.2")

@when("the registry is asked")
def _(registry):
    pass

@pytest.fixture
def pod():
    yield
    raise DeadlineExceeded("waited 120 s for the pod to go")

@when("a pod runs")
def _(pod):
    pass

@pytest.fixture
def lent(pod):
    yield
    raise RuntimeError("row 10 is still there")

@when("two things are lent")
def _(lent):
    pass

@pytest.fixture(autouse=True)
def always(request):
    if "set-up" in request.node.name.replace("_", "-"):
        raise NotProven("SEV is off", owner="P-3.4")
"""


def test_a_precondition_in_a_fixture_is_not_proven(suite: Suite) -> None:
    suite.write(
        "Feature: f\n\n"
        "  Scenario: in a step\n    Given a lab\n    When the registry is asked\n\n"
        "  Scenario: in set up\n    Given a lab\n",
        FIXTURES.replace('"set-up"', '"set-up"'),
    )
    left = suite.run()
    step, set_up = left.results.scenarios
    assert (step.verdict, step.owner) == (Verdict.NOT_PROVEN, "C-3.2")
    assert (set_up.verdict, set_up.owner, set_up.reason) == (Verdict.NOT_PROVEN, "P-3.4", "SEV is off")
    assert [one.verdict for one in set_up.steps] == [None]


def test_a_failed_clean_up_breaks_what_passed_and_hides_no_failure(suite: Suite) -> None:
    suite.write(
        "Feature: f\n\n"
        "  Scenario: passes\n    When a pod runs\n    Then it holds\n\n"
        "  Scenario: fails\n    When a pod runs\n    Then it does not hold\n\n"
        "  Scenario: twice\n    When two things are lent\n",
        FIXTURES,
    )
    left = suite.run()
    passes, fails, twice = left.results.scenarios
    assert (passes.verdict, passes.reason) == (Verdict.BROKEN, "clean-up: waited 120 s for the pod to go")
    assert (fails.verdict, fails.reason) == (Verdict.FAILED, "the product broke it")
    assert fails.cleanup == "waited 120 s for the pod to go"
    assert twice.verdict is Verdict.BROKEN
    assert "RuntimeError: row 10 is still there" in twice.reason
    assert "waited 120 s" in twice.reason


CONTACT = """
@given("the host answers")
def _(record):
    record.reached("host")

@when("the host is asked")
def _():
    raise Unreachable("host", "connection refused")
"""


def test_a_host_that_never_answered_is_one_cause(suite: Suite) -> None:
    scenario = "\n  Scenario: {}\n    Given a lab\n    When the host is asked\n"
    suite.write("Feature: f\n" + scenario.format("one") + scenario.format("two"), CONTACT)
    left = suite.run()
    assert {scenario.verdict for scenario in left.results.scenarios} == {Verdict.NOT_PROVEN}
    assert [(cause.reason, len(cause.scenarios)) for cause in left.results.causes] == [
        ("host: connection refused", 2)
    ]


def test_a_host_that_is_lost_breaks_one_scenario(suite: Suite) -> None:
    scenario = "\n  Scenario: {}\n    Given a lab\n    When the host is asked\n"
    suite.write(
        "Feature: f\n\n  Scenario: zero\n    Given the host answers\n"
        + "".join(scenario.format(name) for name in ("one", "two", "three")),
        CONTACT,
    )
    left = suite.run()
    assert list(left.verdicts().values()) == [
        Verdict.PASSED,
        Verdict.BROKEN,
        Verdict.NOT_PROVEN,
        Verdict.NOT_PROVEN,
    ]
    assert left.scenario("three").reason == "lost on the way: host: connection refused"


def test_a_clean_up_that_meets_the_same_loss_is_no_second_cause(suite: Suite) -> None:
    scenario = "\n  Scenario: {}\n    Given something is lent\n    When the host is asked\n"
    suite.write(
        "Feature: f\n\n  Scenario: zero\n    Given the host answers\n"
        + "".join(scenario.format(name) for name in ("one", "two")),
        CONTACT
        + """
@pytest.fixture
def lent():
    yield
    raise Unreachable("host", "connection refused; not given back")

@given("something is lent")
def _(lent):
    pass
""",
    )
    left = suite.run()
    assert list(left.verdicts().values()) == [Verdict.PASSED, Verdict.BROKEN, Verdict.NOT_PROVEN]
    assert left.scenario("two").reason == "lost on the way: host: connection refused"
    assert left.scenario("two").cleanup == "host: connection refused; not given back"


def test_a_feature_that_cannot_be_read_is_told(suite: Suite) -> None:
    suite.write(OK)
    suite.add_feature("Feature: f\n  Scenaro: misspelt\n    Given a lab\n", "misspelt")
    left = suite.run()
    assert left.exit_code == 2
    assert left.scenario("Holds").verdict is Verdict.NOT_PROVEN
    assert any("test_misspelt.py cannot be collected" in problem for problem in left.results.run.problems)


def test_the_verdict_of_an_outline_is_its_examples_own(suite: Suite) -> None:
    suite.write(
        "Feature: f\n\n  Scenario Outline: numbers\n    Then number <n> is even\n\n"
        "    Examples:\n      | n |\n      | 2 |\n      | 3 |\n\n"
        "  Scenario Outline: named <n>\n    Then number <n> is even\n\n"
        "    Examples:\n      | n |\n      | 4 |\n"
    )
    left = suite.run()
    assert {scenario.id: scenario.verdict for scenario in left.results.scenarios} == {
        "small::numbers-2": Verdict.PASSED,
        "small::numbers-3": Verdict.FAILED,
        "small::named-4": Verdict.PASSED,
    }
    assert left.scenario("named 4").steps[0].text == "number 4 is even"
