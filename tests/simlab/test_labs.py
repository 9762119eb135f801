from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING

import pytest

from simlab import labs

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def own_base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def dead_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def forge(record: labs.Record) -> None:
    """Make a lab's record say what a keeper with other facts would have written."""
    text = json.dumps(dataclasses.asdict(record))
    (record.layout.root / labs.MARKER).write_text(text)
    (labs.base() / "index" / f"{record.pid}-{record.started}.json").write_text(text)


def test_a_lab_is_claimed_found_and_released(tmp_path: Path) -> None:
    record = labs.claim(None, "one")
    assert record.alive
    assert record.root == str(labs.base() / "one")
    assert (record.layout.root.stat().st_mode & 0o777) == 0o700
    assert labs.find(None, "one") == record
    with pytest.raises(labs.LabError, match="named one is up already"):
        labs.claim(tmp_path / "elsewhere", "one")
    labs.release(record)
    assert labs.records() == []
    assert not record.layout.root.exists()


def test_what_a_dead_keeper_left_is_removed_and_its_name_is_free(tmp_path: Path) -> None:
    living = labs.claim(tmp_path / "lab", "one")
    labs.release(living)
    (tmp_path / "lab").mkdir()
    forge(dataclasses.replace(living, pid=dead_pid(), started=1))
    assert labs.claim(tmp_path / "lab", "one").alive


def test_a_process_that_took_a_dead_keepers_pid_is_not_the_keeper(tmp_path: Path) -> None:
    record = labs.claim(tmp_path / "lab", "one")
    assert not dataclasses.replace(record, started=record.started - 1).alive


def test_a_folder_that_is_not_the_records_any_more_is_left_alone(tmp_path: Path) -> None:
    record = labs.claim(tmp_path / "lab", "one")
    (tmp_path / "lab" / labs.MARKER).unlink()
    (tmp_path / "lab" / "mine").touch()
    labs.release(record)
    assert (tmp_path / "lab" / "mine").exists()
    assert labs.records() == []


def test_a_folder_made_read_only_is_removed(tmp_path: Path) -> None:
    record = labs.claim(tmp_path / "lab", "one")
    locked = tmp_path / "lab" / "locked"
    (locked / "below").mkdir(parents=True)
    (locked / "below" / "file").touch()
    (locked / "below").chmod(0o500)
    locked.chmod(0o500)
    labs.release(record)
    assert not (tmp_path / "lab").exists()


def test_a_path_too_long_for_sockets_is_refused(tmp_path: Path) -> None:
    with pytest.raises(labs.LabError, match="too long for Unix sockets"):
        labs.claim(tmp_path / ("x" * labs.LONGEST_ROOT), "one")


def test_a_base_that_others_may_write_to_is_refused() -> None:
    labs.base().chmod(0o777)
    with pytest.raises(labs.LabError, match="mode 0700"):
        labs.base()


def test_there_is_no_such_lab() -> None:
    with pytest.raises(labs.LabError, match="there is no lab nothing"):
        labs.find(None, "nothing")


def test_a_start_time_is_that_of_the_process() -> None:
    assert labs.start_time(os.getpid())
    assert labs.start_time(dead_pid()) is None


@pytest.mark.parametrize("options", [[], ["-u"]])
def test_a_reader_that_has_read_enough_is_no_mistake(tmp_path: Path, options: list[str]) -> None:
    record = labs.claim(None, "one")
    read, write = os.pipe()
    os.close(read)
    said = subprocess.run(
        [sys.executable, *options, "-m", "simlab", "list"],
        stdout=write,
        stderr=subprocess.PIPE,
        env=os.environ | {"TMPDIR": str(tmp_path)},
        check=False,
    )
    os.close(write)
    labs.release(record)
    assert (said.returncode, said.stderr) == (0, b"")
