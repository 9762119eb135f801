"""The rules by which a run may become a certificate, each broken once."""

from __future__ import annotations

import dataclasses
import re
import tomllib
from typing import TYPE_CHECKING, Any

import pytest

from lab.certificates import Roots, SoftwarePlatform, verify_chain
from lab.fact import Fact
from lab.verdict import Verdict
from reports import certification
from reports.certification import RULES, Rules
from reports.clauses import Catalogue
from reports.model import Evidence, SessionFacts, SuiteFacts
from tests.reports.certified import HARDWARE, ROOT, results, scenario

if TYPE_CHECKING:
    from reports.model import Results


def broken(run: Results) -> dict[str, list[str]]:
    return {each.rule: each.found for each in run.certification.broken}


def of_run(**fields: Any) -> Results:
    whole = results()
    return results(run=whole.run.model_copy(update=fields))


def test_a_run_that_proves_every_clause_on_hardware_is_certifiable() -> None:
    run = results()
    assert broken(run) == {}
    assert run.certification.certifiable
    advisory = [clause for clause in Catalogue().ids() if clause.startswith("X-")]
    assert [*run.certification.mandatory, *advisory] == Catalogue().ids()


@pytest.mark.parametrize("verdict", [Verdict.FAILED, Verdict.BROKEN, Verdict.NOT_PROVEN])
def test_a_mandatory_clause_without_proof_is_named(verdict: Verdict) -> None:
    most = [clause for clause in Catalogue().ids() if clause != "A-2.7"]
    run = results(scenario("most", *most), scenario("one", "A-2.7", verdict=verdict, reason="why"))
    assert broken(run) == {"mandatory-clauses": [f"A-2.7 is {verdict}: why"]}


def test_an_advisory_clause_that_does_not_hold_breaks_no_rule() -> None:
    most = [clause for clause in Catalogue().ids() if clause != "X-2.1"]
    run = results(scenario("most", *most), scenario("one", "X-2.1", verdict=Verdict.FAILED, reason="open"))
    assert broken(run) == {}


def test_a_skip_that_the_profile_does_not_declare_is_named() -> None:
    skipped = scenario("skipped", "P-3.5", verdict=Verdict.NOT_APPLICABLE, reason="no SME")
    run = results(scenario("all", *Catalogue().ids()), skipped)
    assert broken(run) == {"undeclared-skip": ["skipped was skipped: no SME"]}


def test_a_skip_that_the_profile_declares_breaks_no_rule() -> None:
    skipped = scenario("skipped", "P-3.5", verdict=Verdict.NOT_APPLICABLE, reason="no SME")
    run = results(scenario("all", *[each for each in Catalogue().ids() if each != "P-3.5"]), skipped)
    rules = Rules.read()
    declaring = Rules(rules.titles, {"anolis-8.6-coco-0.3.0": {"P-3.5": "no SME there"}}, rules.valid_days)
    assert certification.judge(run, declaring).broken == []


def test_a_filtered_selection_is_named_by_the_clauses_that_it_leaves_out() -> None:
    catalogue = Catalogue(features=ROOT / "features")
    chosen = [scenario("one", *[each for each in catalogue.ids() if each != "X-1.1"])]
    run = results(*chosen, clauses=catalogue.judge(chosen))
    assert "X-1.1: not selected" in broken(run)["whole-selection"]
    assert "W-5.1: 1 of its 2 scenarios not selected" in broken(run)["whole-selection"]


def test_a_scenario_that_ran_again_is_named() -> None:
    run = results(scenario("all", *Catalogue().ids(), attempts=2))
    assert broken(run) == {"no-retries": ["all ran 2 times"]}


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({"problems": ["a worker died"]}, "problem: a worker died"),
        ({"interrupted": True}, "it was interrupted"),
        ({"exit_code": 1}, "it ended with exit code 1"),
    ],
)
def test_a_run_that_was_disturbed_is_named(fields: dict[str, Any], found: str) -> None:
    assert broken(of_run(**fields)) == {"undisturbed": [found]}


def test_a_run_with_a_fault_in_its_lab_is_named() -> None:
    assert broken(of_run(faults=["kbs-is-down"])) == {"no-faults": ["the fault kbs-is-down"]}


def test_a_chain_that_anybody_can_make_is_no_certificate() -> None:
    chain = SoftwarePlatform().chain()
    identity = verify_chain(chain, Roots({})).identity(chain)
    (found,) = broken(results(session=SessionFacts(platforms=[identity])))["vendor-root"]
    assert identity.ark in found
    assert "none of AMD's" in found
    assert broken(results(session=SessionFacts())) == {
        "vendor-root": ["the run saw no certificate chain that verifies"]
    }


DEMANDING = dataclasses.replace(Rules.read(), challenged=frozenset({"anolis-8.6-coco-0.3.0"}))
ANSWER = Evidence(
    name="challenge response",
    file="a.json",
    media_type="application/json",
    size=1,
    fact=Fact.CHALLENGE_RESPONSE,
)


def test_a_profile_that_demands_proof_of_hardware_names_what_is_missing() -> None:
    whole = scenario("all", *Catalogue().ids())
    (rule,) = certification.judge(results(whole), DEMANDING).broken
    assert (rule.rule, rule.found) == (
        "proof-of-hardware",
        ["the profile demands an answer to a challenge, and the run has none: ./run --challenge FILE"],
    )
    answered = results(whole, scenario("challenge::asked", evidence=[ANSWER]))
    assert certification.judge(answered, DEMANDING).certifiable
    # Evidence of another scenario is no answer.
    elsewhere = results(scenario("all", *Catalogue().ids(), evidence=[ANSWER]))
    assert not certification.judge(elsewhere, DEMANDING).certifiable


def test_a_challenge_that_was_given_and_not_answered_is_named_whatever_the_profile_demands() -> None:
    asked = scenario(
        "challenge::asked", verdict=Verdict.NOT_PROVEN, reason="another platform", evidence=[ANSWER]
    )
    run = results(scenario("all", *Catalogue().ids()), asked)
    assert broken(run) == {"proof-of-hardware": ["challenge::asked is not proven: another platform"]}


def test_two_chips_are_not_one_platform() -> None:
    other = type(HARDWARE)(chain="d" * 64, ark=HARDWARE.ark, cek="3" * 64, pdh="4" * 64)
    run = results(session=SessionFacts(platforms=[HARDWARE, other]))
    assert list(broken(run)) == ["one-platform"]


@pytest.mark.parametrize(
    "suite", [SuiteFacts(commit="a" * 40, dirty=True), SuiteFacts(), SuiteFacts(commit="a" * 40, dirty=None)]
)
def test_a_suite_that_nobody_can_look_up_is_named(suite: SuiteFacts) -> None:
    assert list(broken(results(suite=suite))) == ["known-suite"]


@pytest.mark.parametrize("versions", [{"kernel": "unknown"}, {"simple-kbs": "unknown (image x)"}, {}])
def test_a_version_that_is_not_known_is_named(versions: dict[str, str]) -> None:
    assert list(broken(results(versions=versions))) == ["known-versions"]


def test_a_profile_that_no_rule_knows_is_named() -> None:
    assert list(broken(results(profile={"name": "mine"}))) == ["known-profile"]


def test_every_rule_that_is_written_down_is_enforced_and_explained() -> None:
    written = [rule["id"] for rule in tomllib.loads(RULES.read_text(encoding="utf-8"))["rule"]]
    assert written == list(certification._RULES)
    text = (ROOT / "docs/certification.md").read_text(encoding="utf-8")
    explained = re.findall(r"^\| `([a-z-]+)` \|", text, re.MULTILINE)
    assert [each for each in explained if each in written] == written


def test_every_profile_is_known_to_the_rules() -> None:
    assert {each.stem for each in (ROOT / "profiles").glob("*.toml")} == set(Rules.read().left_out)
