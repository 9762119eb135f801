"""./run and ./test in a folder of their own; set-up and Python only say how they were called."""

from __future__ import annotations

import shutil
import signal
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SET_UP = '#!/bin/sh\necho "set-up $*"\n[ ! -e no-network ] || exit 69\n'
PYTHON = """\
#!/bin/sh
echo "python $$"
for each in "$@"; do echo "[$each]"; done
[ "${*##* }" != wait ] || exec sleep 60
exit 5
"""


@pytest.fixture(params=["run", "test"])
def script(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    for environment in ("conformance", "tests"):
        python = tmp_path / ".tox" / environment / "bin/python"
        python.parent.mkdir(parents=True)
        python.write_text(PYTHON)
        python.chmod(0o755)
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools/set-up").write_text(SET_UP)
    (tmp_path / "tools/set-up").chmod(0o755)
    return Path(shutil.copy(ROOT / str(request.param), tmp_path))


def call(script: Path, *arguments: str) -> tuple[int, list[str]]:
    done = subprocess.run(
        [script, *arguments], cwd="/", capture_output=True, text=True, check=False, timeout=30
    )
    assert done.stderr == ""
    return done.returncode, done.stdout.splitlines()


def test_arguments_reach_pytest_as_they_are_and_its_exit_code_comes_back(script: Path) -> None:
    code, lines = call(script, "-k", "two words", "", "$HOME *")
    assert code == 5
    assert lines[2:4] == ["[-m]", "[pytest]"]
    assert lines[-4:] == ["[-k]", "[two words]", "[]", "[$HOME *]"]


def test_a_set_up_that_fails_ends_it(script: Path) -> None:
    (script.parent / "no-network").touch()
    code, lines = call(script)
    assert (code, len(lines)) == (69, 1)


def test_pytest_is_the_very_process_so_that_a_signal_reaches_it_once(script: Path) -> None:
    with subprocess.Popen([script, "wait"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline().strip() for _ in range(2)]
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == -signal.SIGTERM
    assert lines[1] == f"python {process.pid}"


@pytest.mark.parametrize("lab", [["--lab", "file"], ["--lab=file"], ["-x", "--lab", "file"]])
def test_a_real_lab_needs_no_packages(script: Path, lab: list[str]) -> None:
    expected = "set-up conformance" if script.name == "run" else "set-up tests simlab/packages.txt"
    assert call(script, *lab)[1][0] == expected


def test_the_simulated_lab_needs_packages(script: Path) -> None:
    assert "simlab/packages.txt" in call(script, "-k", "lab")[1][0]


@pytest.mark.parametrize("script", ["run"], indirect=True)
def test_an_option_and_its_file_reach_pytest_as_one_word(script: Path) -> None:
    lines = call(script, "--challenge", "file", "x", "--lab", "other", "--challenge")[1]
    assert lines[-4:] == ["[--challenge=file]", "[x]", "[--lab=other]", "[--challenge]"]
