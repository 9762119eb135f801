"""How events become results."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from lab.verdict import Verdict
from reports.certificate.reading import results_in
from reports.clauses import Catalogue
from reports.events import Finished, Planned
from reports.model import Results, ScenarioResult
from reports.run import Run

if TYPE_CHECKING:
    from pathlib import Path


def _results(*told: tuple[str, int, Verdict, str]) -> Results:
    """The results of scenarios with these names, lines, verdicts and reasons."""
    run = Run("r", lab={}, profile={}, catalogue=Catalogue())
    for name, line, verdict, reason in told:
        scenario = ScenarioResult(
            id=name, name=name, feature="f", file="f.feature", line=line, verdict=verdict, reason=reason
        )
        run.apply(Planned(scenarios=[scenario]))
        run.apply(Finished(scenario=scenario))
    run.close()
    return run.results(exit_code=1, arguments=[])


def test_scenarios_stand_in_the_features_order_however_they_ran() -> None:
    results = _results(("b", 9, Verdict.PASSED, ""), ("a", 2, Verdict.PASSED, ""))
    assert [scenario.id for scenario in results.scenarios] == ["a", "b"]


def test_reasons_that_differ_in_made_up_names_are_one_cause() -> None:
    digest = "4jPSV0rJQXyK1NoXj0iCIjBMAnZYPLm8S4Sy2xAsrZs="
    results = _results(
        ("a", 1, Verdict.NOT_PROVEN, "the registry is down"),
        ("b", 2, Verdict.BROKEN, "`crictl pods --name online-296d08a078` ended with exit code 2"),
        ("c", 3, Verdict.BROKEN, "`crictl pods --name online-bf1ea71a34` ended with exit code 2"),
        ("d", 4, Verdict.BROKEN, "`crictl pods --name offline-bf1ea71a34` ended with exit code 2"),
        ("e", 5, Verdict.FAILED, f"no row with {digest} after 30 s"),
        ("f", 6, Verdict.FAILED, f"no row with {digest.upper()} after 31 s"),
        ("g", 7, Verdict.NOT_APPLICABLE, "no SEV-ES"),
        ("h", 8, Verdict.FAILED, "the registry is down"),
    )
    assert [(cause.verdict, cause.scenarios) for cause in results.causes] == [
        (Verdict.FAILED, ["e", "f"]),
        (Verdict.FAILED, ["h"]),
        (Verdict.BROKEN, ["b", "c"]),
        (Verdict.BROKEN, ["d"]),
        (Verdict.NOT_PROVEN, ["a"]),
    ]
    assert results.causes[2].reason == "`crictl pods --name online-296d08a078` ended with exit code 2"


def test_a_run_of_before_hosts_and_workers_is_read(tmp_path: Path) -> None:
    now = _results(("a", 1, Verdict.PASSED, ""))
    assert now.schema_minor == 1
    document = json.loads(now.model_dump_json())
    del document["schema_minor"]
    for scenario in document["scenarios"]:
        del scenario["host"], scenario["worker"]
    (tmp_path / "results.json").write_text(json.dumps(document))
    read = results_in(tmp_path / "results.json")
    assert (read.schema_minor, read.scenarios[0].host, read.scenarios[0].worker) == (0, None, None)
