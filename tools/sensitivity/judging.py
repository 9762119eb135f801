"""What a run under a fault says about the suite: whether it noticed, blamed the right clause, knew why."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from simlab.faults.fault import Fault

# A row's name where nothing was broken: all must pass.
CONTROL: Final = "no fault"


@dataclass(frozen=True)
class Expected:
    """What the catalogue says of a fault: a row counts for as long as this is the same."""

    kind: str
    breaks: str
    clauses: list[str]
    cause: str
    also: list[str]
    broken: bool
    provision: str
    features: list[str]
    uncaught: str

    @classmethod
    def of(cls, fault: Fault) -> Expected:
        """Take over what a fault says of itself."""
        return cls(
            kind=str(fault.kind),
            breaks=fault.breaks,
            clauses=list(fault.clauses),
            cause=fault.cause,
            also=list(fault.also),
            broken=fault.broken,
            provision=fault.provision,
            features=list(fault.features),
            uncaught=fault.uncaught,
        )


def is_current(row: Row, fault: Fault) -> bool:
    """Whether a row was made with the fault as it is, on no fewer features than it names now."""
    was, now = dict(row.expected), json.loads(json.dumps(asdict(Expected.of(fault))))
    ran, wanted = was.pop("features"), now.pop("features")
    covered = not ran or (bool(wanted) and set(wanted) <= set(ran))
    return was == now and covered


@dataclass(frozen=True)
class Row:
    """One fault in the matrix.

    `caught`: a scenario is red. `clause`: each clause that must turn red did. `cause`: each for the cause
    that the fault names. `alarms`: scenarios that decide, are red, and prove none of its clauses. `verdicts`
    has every scenario that did not pass; `said` the reasons of the red ones.
    """

    fault: str
    expected: dict[str, Any]
    caught: bool
    clause: bool
    cause: bool
    alarms: list[str]
    seconds: int
    passed: int
    verdicts: dict[str, str] = field(default_factory=dict)
    said: dict[str, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    """What is wrong, in words: clauses that are not red, or are for another cause."""
    written: str = ""
    suite: str = ""
    """When and with which suite it was made."""

    @property
    def good(self) -> bool:
        """Whether the suite did all that it should."""
        return self.caught and self.clause and self.cause and not self.alarms

    def document(self) -> dict[str, Any]:
        """The row as JSON has it."""
        return asdict(self)


def judge(fault: Fault, results: Mapping[str, Any]) -> Row:
    """Judge a run by its results.json."""
    scenarios = results["scenarios"]
    red_verdicts = {"failed", "broken"} if fault.broken else {"failed"}
    red = [each for each in scenarios if each["verdict"] in red_verdicts]
    allowed = {*fault.clauses, *fault.also}
    alarms = [
        each["id"]
        for each in scenarios
        if each["verdict"] in {"failed", "broken"}
        and _decides(each)
        and not (each in red and allowed.intersection(each["clauses"]))
    ]
    missing = []
    clause = cause = True
    for wanted in fault.clauses:
        of_clause = [each for each in red if wanted in each["clauses"]]
        if not of_clause:
            clause = cause = False
            missing.append(f"{wanted} is {_verdict_of(wanted, results)}")
        elif not any(_says(fault.cause, each) for each in of_clause):
            cause = False
            missing.append(f"{wanted}: {of_clause[0]['reason']}")
    return Row(
        fault=fault.name,
        expected=asdict(Expected.of(fault)),
        caught=bool(red),
        clause=clause,
        cause=cause,
        alarms=alarms,
        seconds=round(results["run"]["seconds"]),
        passed=sum(each["verdict"] == "passed" for each in scenarios),
        verdicts=_not_passed(scenarios),
        said={each["id"]: each["reason"] for each in scenarios if each["verdict"] in {"failed", "broken"}},
        missing=missing,
    )


def judge_control(results: Mapping[str, Any]) -> Row:
    """Judge the run without a fault: all that decides must have passed."""
    scenarios = results["scenarios"]
    alarms = [each["id"] for each in scenarios if each["verdict"] in {"failed", "broken"} and _decides(each)]
    passed = sum(each["verdict"] == "passed" for each in scenarios)
    proved = bool(results["answer"]["all_proved"])
    return Row(
        fault=CONTROL,
        expected={},
        caught=proved,
        clause=proved,
        cause=proved,
        alarms=alarms,
        seconds=round(results["run"]["seconds"]),
        passed=passed,
        verdicts=_not_passed(scenarios),
    )


def _decides(scenario: Mapping[str, Any]) -> bool:
    return not all(clause.startswith("X-") for clause in scenario["clauses"])


def _not_passed(scenarios: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    return {each["id"]: each["verdict"] for each in scenarios if each["verdict"] != "passed"}


def _says(cause: str, scenario: Mapping[str, Any]) -> bool:
    told = "\n".join((scenario["reason"], scenario["detail"], scenario["cleanup"]))
    return re.search(cause, told) is not None


def _verdict_of(clause: str, results: Mapping[str, Any]) -> str:
    found = next((each for each in results["clauses"] if each["id"] == clause), None)
    if found is None or found["verdict"] is None:
        return "not selected"
    reason = f" ({found['reason']})" if found["reason"] else ""
    return f"{found['verdict']}{reason}"
