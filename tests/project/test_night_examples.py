"""The examples of docs/running-by-night.md, as far as they can be run without their systems."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
import yaml

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout whose ./run is what a test makes it."""
    (tmp_path / "docs/examples").mkdir(parents=True)
    (tmp_path / "reports/runs/r1").mkdir(parents=True)
    shutil.copy(EXAMPLES / "sonobuoy-run", tmp_path / "docs/examples")
    return tmp_path


def _run(checkout: Path, script: str) -> dict[str, str]:
    """What Sonobuoy is handed, by file."""
    (checkout / "run").write_text(f"#!/bin/sh\n{script}\n")
    (checkout / "run").chmod(0o755)
    results = checkout / "results"
    subprocess.run(
        [checkout / "docs/examples/sonobuoy-run", "--lab=x"],
        env={"SONOBUOY_RESULTS_DIR": str(results), "PATH": "/usr/bin:/bin"},
        check=True,
    )
    taken = Path((results / "done").read_text())
    with tarfile.open(taken) as archive:
        files = [(member.name, archive.extractfile(member)) for member in archive if member.isfile()]
        return {name: file.read().decode() for name, file in files if file}


def test_sonobuoy_gets_the_folder_of_the_run_whatever_its_exit_code(checkout: Path) -> None:
    told = _run(
        checkout,
        'echo "$@" >reports/runs/r1/junit.xml; ln -s runs/r1 reports/latest; exit 1',
    )
    assert told == {"./junit.xml": "--lab=x\n"}


def test_sonobuoy_hears_of_a_run_that_did_not_begin(checkout: Path) -> None:
    (checkout / "reports/latest").symlink_to("runs/r1")
    (checkout / "reports/runs/r1/junit.xml").write_text("of an earlier run")
    told = _run(checkout, "exit 4")
    assert "exit code 4" in told["junit.xml"]


def test_the_plugin_and_the_pipeline_are_what_their_readers_take() -> None:
    plugin = yaml.safe_load((EXAMPLES / "sonobuoy-plugin.yaml").read_text(encoding="utf-8"))
    assert plugin["sonobuoy-config"] == {
        "driver": "Job", "plugin-name": "sev-conformance", "result-format": "junit",
    }  # fmt: skip
    mounted = {mount["name"] for mount in plugin["spec"]["volumeMounts"]}
    assert mounted - {"results"} == {volume["name"] for volume in plugin["podSpec"]["volumes"]}
    (script,) = plugin["spec"]["command"]
    assert (EXAMPLES.parents[1] / Path(script).relative_to("/srv/sev-conformance")).is_file()
    pipeline = yaml.safe_load((EXAMPLES / "gitlab-ci.yml").read_text(encoding="utf-8"))
    job = pipeline["conformance"]
    assert job["artifacts"]["reports"]["junit"] == "report/junit.xml"
    assert job["allow_failure"] == {"exit_codes": 6}
    assert all(isinstance(line, str) for line in [*job["script"], *job["after_script"]])
