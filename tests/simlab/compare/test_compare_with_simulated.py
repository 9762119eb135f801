from __future__ import annotations

from pathlib import Path

from simlab.compare.transcript import Exchange, Transcript
from tools.compare_with_simulated import arguments


def test_the_simulated_lab_is_of_the_recorded_release_and_runs_the_recorded_features() -> None:
    operator = {"release": "github.com/confidential-containers/operator/config/release?ref=v0.7.0"}
    head = {"run": "r", "lab": {}, "profile": {"operator": operator}}
    exchanges = [
        Exchange("command", scenario, (), {}, {})
        for scenario in ("", "3_simple_kbs::a", "0_prerequisites::b", "3_simple_kbs::c", "gone::d")
    ]
    assert arguments(Transcript(Path("t"), head, exchanges), "kbs") == [
        "--record",
        "--stage=kbs",
        "--release=0.7.0",
        "features/0_prerequisites.feature",
        "features/3_simple_kbs.feature",
    ]
