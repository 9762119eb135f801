"""tools/set-up in a folder of its own; the machine's package tools only write down how they were called."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
NEEDED = (
    "sh",
    "cat",
    "cut",
    "dirname",
    "flock",
    "grep",
    "mkdir",
    "paste",
    "rm",
    "sha256sum",
    "tail",
    "touch",
    "sleep",
    "chmod",
)

INSTALL = "apt-get update && apt-get install -y --no-install-recommends one-package two-package"

PYTHON = """\
#!/bin/sh
echo "${0##*/} $*" >>calls
case "$*" in
    "-m venv .venv") mkdir -p .venv/bin && cat "$0" >.venv/bin/python && chmod +x .venv/bin/python ;;
    *"-m tox run"*)
        [ ! -e no-network ] || { echo "ERROR: No matching distribution found"; exit 1; }
        sleep 0.2
        mkdir -p .tox/tests/bin && cat "$0" >.tox/tests/bin/python && chmod +x .tox/tests/bin/python ;;
    *ensurepip*) [ ! -e no-ensurepip ] ;;
esac
"""
APT = """\
#!/bin/sh
echo "apt-get $*" >>calls
[ ! -e no-network ] || { echo "E: Failed to fetch"; exit 100; }
"""


class Machine:
    """A machine with the programs in `bin` and no others."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bin = folder / "bin"
        self.bin.mkdir()
        (folder / "tools").mkdir()
        for name in ("tools/set-up", "tox.ini", "pyproject.toml"):
            shutil.copy(ROOT / name, folder / name)
        (folder / "packages.txt").write_text("# comment\none-package\tone\ntwo-package /does/not/exist\n")
        for program in NEEDED:
            (self.bin / program).symlink_to(shutil.which(program) or "")
        self.program("python3", PYTHON)
        self.program("apt-get", APT)
        self.user(0)

    def program(self, name: str, script: str) -> None:
        file = self.bin / name
        file.write_text(script)
        file.chmod(0o755)

    def user(self, number: int) -> None:
        self.program("id", f"#!/bin/sh\necho {number}\n")

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            ["sh", "tools/set-up", "tests", *arguments],
            cwd=self.folder,
            env={**os.environ, "PATH": str(self.bin)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def set_up(self, *arguments: str) -> tuple[int, str]:
        """Exit code and what was said. It never says anything on stdout: that is the suite's."""
        process = self.start(*arguments)
        output, errors = process.communicate(timeout=30)
        assert output == ""
        return process.returncode, errors

    def calls(self, *words: str) -> list[str]:
        """The calls of package tools so far that have these words."""
        file = self.folder / "calls"
        lines = file.read_text().splitlines() if file.exists() else []
        return [line for line in lines if all(word in line for word in words)]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_fresh_machine_gets_packages_and_environment_once(machine: Machine) -> None:
    assert machine.set_up("packages.txt")[0] == 0
    assert machine.calls("apt-get", "install -y --no-install-recommends one-package two-package")
    assert machine.calls("-m pip install --quiet tox>=")
    assert machine.calls("-m tox run -e tests --notest")
    # What is "installed" here leaves nothing behind, so only the environment can be ready.
    assert machine.set_up() == (0, "")
    assert len(machine.calls("tox run")) == 1


def test_only_what_is_missing_is_installed(machine: Machine) -> None:
    machine.program("one", "#!/bin/sh\n")
    machine.set_up("packages.txt")
    (install,) = machine.calls("apt-get", "install")
    assert install.endswith("--no-install-recommends two-package")


def test_a_real_lab_needs_no_packages(machine: Machine) -> None:
    machine.set_up()
    assert machine.calls("apt-get") == []


def test_python3_venv_is_a_package_too(machine: Machine) -> None:
    (machine.folder / "no-ensurepip").touch()
    machine.set_up()
    assert machine.calls("apt-get", "install", "python3-venv")


def test_sudo_is_used_where_it_asks_for_no_password(machine: Machine) -> None:
    machine.user(1000)
    machine.program("sudo", '#!/bin/sh\necho "sudo $*" >>calls\n[ "$2" = true ] || { shift; exec "$@"; }\n')
    assert machine.set_up("packages.txt")[0] == 0
    assert machine.calls("apt-get", "install", "one-package two-package")


@pytest.mark.parametrize(
    ("sudo", "command"),
    [
        (
            None,
            "su -c 'apt-get update && apt-get install -y --no-install-recommends one-package two-package'",
        ),
        (
            "exit 1",
            f"sudo sh -c '{INSTALL}'",
        ),
    ],
)
def test_without_root_the_one_command_is_printed(machine: Machine, sudo: str | None, command: str) -> None:
    machine.user(1000)
    if sudo:
        machine.program("sudo", f"#!/bin/sh\n{sudo}\n")
    code, errors = machine.set_up("packages.txt")
    assert code == 69
    assert errors.splitlines()[-1] == command
    assert machine.calls("apt-get") == machine.calls("tox") == []


def test_a_machine_without_apt_is_told_what_to_install(machine: Machine) -> None:
    (machine.bin / "apt-get").unlink()
    code, errors = machine.set_up("packages.txt")
    assert code == 69
    assert errors.endswith("install what Debian has in these packages: one-package two-package\n")


def test_without_network_the_cause_is_shown(machine: Machine) -> None:
    (machine.folder / "no-network").touch()
    code, errors = machine.set_up("packages.txt")
    assert code == 69
    assert "E: Failed to fetch" in errors
    code, errors = machine.set_up()
    assert code == 69
    assert "ERROR: No matching distribution found" in errors


def test_a_set_up_that_was_killed_is_begun_again(machine: Machine) -> None:
    (machine.folder / "no-network").touch()
    machine.set_up()
    (machine.folder / "no-network").unlink()
    assert machine.set_up()[0] == 0
    assert machine.calls("tox run", "--recreate")
    assert machine.set_up() == (0, "")


def broken_python(folder: Path) -> None:
    (folder / ".tox/tests/bin/python").write_text("#!/bin/sh\nexit 1\n")


def other_dependencies(folder: Path) -> None:
    with (folder / "pyproject.toml").open("a") as file:
        file.write("# more\n")


@pytest.mark.parametrize("change", [broken_python, other_dependencies])
def test_an_environment_that_is_out_of_date_is_made_again(
    machine: Machine, change: Callable[[Path], None]
) -> None:
    machine.set_up()
    change(machine.folder)
    assert machine.set_up()[0] == 0
    assert len(machine.calls("tox run")) == 2


def test_an_old_python_is_refused(machine: Machine) -> None:
    machine.program("python3", '#!/bin/sh\n[ "$1" != --version ] || echo Python 3.9.2\n[ "$1" != -c ]\n')
    code, errors = machine.set_up()
    assert (code, errors) == (69, "set-up: python3 must be Python 3.11 or later, found: Python 3.9.2\n")


def test_two_at_once_install_once(machine: Machine) -> None:
    both = [machine.start(), machine.start()]
    errors = [process.communicate(timeout=30)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert len(machine.calls("tox run")) == 1, errors
