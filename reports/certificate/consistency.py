"""Whether a run's results follow from their scenarios, and those from this suite's features and rules.

A vendor signs whatever it likes. What it left out, copied from another run or told otherwise shows here.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from lab.loading import load_profile
from lab.verdict import Verdict
from reports.certificate.files import RESULTS
from reports.certification import Rules, judge
from reports.clauses import Catalogue, written_scenarios
from reports.run import answer, causes
from reports.words import all_findings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from reports.certificate.files import Digest
    from reports.model import Results, ScenarioResult

PROFILES: Final = Path(__file__).parents[2] / "profiles"
# Far less than from one run to another; a clock that is set while a run goes on may jump by seconds.
_CLOCK: Final = timedelta(minutes=1)


def contradictions(results: Results, features: Path) -> Iterator[str]:
    """Where the results say otherwise than their scenarios, or these otherwise than this suite's features."""
    yield from _other_profile(results)
    yield from _other_scenarios(results, features)
    yield from _unlike_a_run(results)
    yield from _other_conclusions(results, features)


def misplaced(results: Results, files: Mapping[str, Digest]) -> Iterator[str]:
    """Evidence that is not in the run, is not what the results say, or stands for two things."""
    everywhere = [*results.session.evidence, *(each for s in results.scenarios for each in s.evidence)]
    for name, number in Counter(each.file for each in everywhere).items():
        if number > 1:
            yield f"{RESULTS}: {name!r:.200} is the evidence of {number} things"
    for each in everywhere:
        found = files.get(each.file)
        if found is None:
            yield f"{RESULTS}: the evidence {each.file!r:.200} is not in the run"
        elif found.size != each.size:
            yield f"{RESULTS}: the evidence {each.file!r:.200} has {found.size} bytes, not {each.size}"


def _other_profile(results: Results) -> Iterator[str]:
    """What was asked of the lab: whoever asks for less proves less, whatever the profile is called."""
    name = str(results.profile.get("name"))
    known = {path.stem: path for path in PROFILES.glob("*.toml")}
    if name not in known:
        return  # which a rule of certification tells
    wanted = load_profile(known[name]).model_dump(mode="json")
    for key in sorted(wanted.keys() | results.profile.keys()):
        if wanted.get(key) != results.profile.get(key):
            yield f"{RESULTS}: the profile's {key} is not as in this suite's {known[name].name}"


def _other_scenarios(results: Results, features: Path) -> Iterator[str]:
    """Scenarios that this suite has not, or not with these clauses and steps, or not that often."""
    written = Counter(written_scenarios(features))
    # The challenge's scenario names no clause, and is none of the guide's.
    told = Counter(_as_written(each) for each in results.scenarios if each.clauses)
    for name, scenario, _, _ in told - written:
        yield f"{RESULTS}: {scenario!r:.200} of {name} is none of this suite's, or has other clauses or steps"


def _as_written(scenario: ScenarioResult) -> tuple[str, str, tuple[str, ...], tuple[str, ...]]:
    name = PurePosixPath(scenario.file).name
    return name, scenario.name, tuple(sorted(scenario.tags)), tuple(step.text for step in scenario.steps)


def _unlike_a_run(results: Results) -> Iterator[str]:
    """What no run leaves: a scenario of another time, or one that passed without its steps."""
    run = results.run
    if run.finished < run.started:
        yield f"{RESULTS}: the run ended before it began"
    for each in results.scenarios:
        if each.started is not None and not run.started - _CLOCK <= each.started <= run.finished + _CLOCK:
            when = f"{each.started:%Y-%m-%d %H:%M:%S}"
            yield f"{RESULTS}: {each.id} began at {when}, and not while the run went on"
        if each.verdict is not Verdict.PASSED:
            continue
        if each.started is None or not each.attempts:
            yield f"{RESULTS}: {each.id} is told as passed, and never ran"
        if any(step.verdict is not Verdict.PASSED for step in each.steps):
            yield f"{RESULTS}: {each.id} is told as passed, and not every step of it is"


def _other_conclusions(results: Results, features: Path) -> Iterator[str]:
    clauses = Catalogue(features=features).judge(results.scenarios)
    told = {clause.id: clause for clause in results.clauses}
    for clause in clauses:
        said = told.pop(clause.id, None)
        if said is None:
            yield f"{RESULTS}: the clause {clause.id} is missing"
        elif (said.verdict, said.scenarios) != (clause.verdict, clause.scenarios):
            yield f"{RESULTS}: {clause.id} is told as {said.verdict}, and its scenarios say {clause.verdict}"
        elif said.evidence != clause.evidence:
            yield f"{RESULTS}: {clause.id} names other evidence than its scenarios"
    for other in told:
        yield f"{RESULTS}: the clause {other} is not one of the guide's"
    operations = [*results.session.operations, *(o for each in results.scenarios for o in each.operations)]
    if answer(results.scenarios, operations, results.run.exit_code) != results.answer:
        yield f"{RESULTS}: its answer is not what its scenarios say"
    if causes(results.scenarios) != results.causes:
        yield f"{RESULTS}: its causes are not those of its scenarios"
    if all_findings(results) != results.findings:
        yield f"{RESULTS}: its findings are not those of its scenarios and of its session"
    held = judge(results.model_copy(update={"clauses": clauses}), Rules.read())
    if held != results.certification:
        names = ", ".join(each.rule for each in held.broken) or "none"
        yield f"{RESULTS}: the rules that it breaks are not those that it tells; by this suite: {names}"
