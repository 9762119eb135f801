"""From what a system said to a layer, a cause, the words that say so, and what to look at next."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lab.fact import Fact
from reports.clauses import Catalogue
from reports.model import Evidence
from reports.triage import ERROR, RULES, Heard, Rules, diagnose, hear, sentence

if TYPE_CHECKING:
    from collections.abc import Sequence

NOT_RUNNING = "AssertionError: not Running"

Told = dict[str, str]


def told(said: Told) -> list[Heard]:
    files = (f"evidence/{place}.txt" for place in range(1, 99))
    return [Heard(source, text, None if source == ERROR else next(files)) for source, text in said.items()]


CASES = tomllib.loads(Path(__file__).with_name("triage_cases.toml").read_text())["case"]


@pytest.mark.parametrize("case", CASES, ids=[f"{case['rule']}-{at}" for at, case in enumerate(CASES)])
def test_each_failure_has_its_layer_and_says_by_which_words(case: dict[str, Any]) -> None:
    heard = told({ERROR: NOT_RUNNING} | case["said"])
    triage = diagnose(heard, Rules.read(), clauses=["W-3.3"])
    assert (triage.rule, triage.layer) == (case["rule"], case["layer"]), triage
    files = {each.file: each.text for each in heard}
    for evidence in triage.evidence:
        assert evidence.words.strip("…")[:20] in " ".join(files[evidence.file].split())
    assert "{" not in triage.cause + triage.next


def test_what_no_rule_knows_is_unknown_and_names_the_evidence() -> None:
    said = told(
        {ERROR: "AssertionError: it is odd", "events": "Odd\tnobody heard of this", "journal": "a\nb\n"}
    )
    triage = diagnose(said, Rules.read(), clauses=["W-3.3"])
    assert (triage.layer, triage.rule) == (None, "")
    assert [each.words for each in triage.evidence] == ["it is odd", "Odd nobody heard of this", "b"]
    assert "evidence/1.txt" in sentence(triage)


def test_a_state_that_does_not_hold_is_its_owners() -> None:
    said = told({ERROR: "AssertionError: grub2-efi-x64 is at another version"})
    of_scenario = diagnose(said, Rules.read(), clauses=["P-3.2"])
    assert (of_scenario.layer, of_scenario.cause) == ("host", "grub2-efi-x64 is at another version")
    of_owner = diagnose(said, Rules.read(), clauses=["W-3.3"], owner="O-2.3")
    assert of_owner.layer == "operator"


def test_the_newest_words_count_and_the_first_named_source() -> None:
    first = Heard("kbs-answer", "OK", "1")
    second = Heard("kbs-answer", "INTERNAL Policy validation failed: policy not valid", "2")
    triage = diagnose([Heard(ERROR, NOT_RUNNING), first, second], Rules.read())
    assert [each.file for each in triage.evidence] == ["2"]


def test_only_the_step_that_ended_the_scenario_is_heard(tmp_path: Path) -> None:
    evidence: Sequence[Evidence] = [
        Evidence(name=str(step), file=f"{step}.txt", media_type="text/plain", size=1, step=step, fact=fact)
        for step, fact in ((0, "events"), (1, "events"), (1, None))
    ]
    for entry in evidence:
        (tmp_path / entry.file).write_text(f"step {entry.step}")
    heard = hear("AssertionError", "why\nmore", evidence, tmp_path, 1)
    assert heard == [Heard(ERROR, "AssertionError: why\nmore"), Heard("events", "step 1", "1.txt")]


def test_the_rules_name_sources_that_there_are_and_where_their_words_come_from() -> None:
    document = tomllib.loads(RULES.read_text())
    ids = [rule["id"] for rule in document["rule"]]
    assert len(ids) == len(set(ids))
    for rule in document["rule"]:
        assert all(rule[key].strip() for key in ("source", "next", "cause")), rule["id"]
        named = {source for each in rule["when"] + rule.get("unless", []) for source in each["in"]}
        assert named <= {ERROR, *Fact}, rule["id"]
    # Each rule is one that a test above shows: what nobody saw fit may be dead.
    stated = {clause for entry in document["state"] for clause in entry["clauses"]}
    assert stated == set(Catalogue().of_kind("state"))
