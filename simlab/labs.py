"""This user's labs on this runner: where they are, which of them live, and removing what dead ones left."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import stat
import tempfile
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from simlab.layout import Layout

if TYPE_CHECKING:
    from collections.abc import Iterator

# Unix socket paths hold at most 107 bytes (unix(7)); a lab's longest one takes 20 below its root.
LONGEST_ROOT: Final = 80

# In a lab's root; a folder without it is never removed.
MARKER: Final = "simlab.json"


class LabError(Exception):
    """A lab cannot be made, found or stopped; the message is for the user."""


@dataclass(frozen=True)
class Record:
    """A lab's keeper: the process that started it and stops it."""

    name: str
    root: str
    pid: int
    started: int

    @property
    def alive(self) -> bool:
        """Whether the keeper still runs (a process with its pid that started later is another one)."""
        return start_time(self.pid) == self.started

    @property
    def layout(self) -> Layout:
        """The lab's folder."""
        return Layout(Path(self.root))


def start_time(pid: int) -> int | None:
    """Return when a process started, in ticks since boot (proc(5), stat field 22), or None if it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The program's name may hold blanks and brackets; what follows its last bracket is field 3 and on.
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else int(fields[19])


def base() -> Path:
    """Return this user's folder of labs, making it (mode 0700) when it is missing.

    Raises LabError when somebody else owns it.
    """
    folder = Path(tempfile.gettempdir()) / f"simlab-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    info = folder.lstat()
    if not stat.S_ISDIR(info.st_mode) or info.st_uid != os.getuid() or info.st_mode & 0o077:
        raise LabError(f"{folder} must be a folder of yours with mode 0700")
    (folder / "index").mkdir(mode=0o700, exist_ok=True)
    return folder


def claim(root: Path | None, name: str) -> Record:
    """Make the folder of a new lab, owned by this process; labs that are dead are removed first.

    Raises LabError when the name or the folder is taken, or the path is too long.
    """
    with _lock():
        sweep()
        if any(record.name == name for record in records()):
            raise LabError(f"a lab named {name} is up already; see: python -m simlab list")
        folder = (root or base() / name).absolute()
        if len(os.fsencode(folder)) > LONGEST_ROOT:
            raise LabError(
                f"{folder} is too long for Unix sockets below it; at most {LONGEST_ROOT} bytes, please"
            )
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise LabError(f"{folder} exists and is not empty; name a folder that does not exist")
        started = start_time(os.getpid())
        if started is None:
            raise AssertionError("this process has no start time")
        record = Record(name, str(folder), os.getpid(), started)
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        text = json.dumps(asdict(record))
        (folder / MARKER).write_text(text)
        _index_file(record).write_text(text)
        return record


def records() -> list[Record]:
    """Return every lab that the index knows, dead or alive."""
    return [Record(**json.loads(path.read_text())) for path in sorted((base() / "index").glob("*.json"))]


def find(root: Path | None, name: str) -> Record:
    """Return the lab with that folder, or that name.

    Raises LabError when there is none.
    """
    for record in records():
        if record.root == str(root.absolute()) if root else record.name == name:
            return record
    raise LabError(f"there is no lab {root or name}; see: python -m simlab list")


def sweep() -> list[Record]:
    """Remove what dead labs left, and return them."""
    dead = [record for record in records() if not record.alive]
    for record in dead:
        release(record)
    return dead


def release(record: Record) -> None:
    """Remove a lab's folder and its entry in the index."""
    folder = Path(record.root)
    marker = folder / MARKER
    # The folder may have been removed by hand and its path taken by something else since.
    if marker.is_file() and json.loads(marker.read_text()) == asdict(record):
        _remove_tree(folder)
    _index_file(record).unlink(missing_ok=True)


def _index_file(record: Record) -> Path:
    return base() / "index" / f"{record.pid}-{record.started}.json"


def _remove_tree(folder: Path) -> None:
    """Remove a folder, also where a program on the simulated host made one of its folders read-only."""

    def unlock(_function: object, path: str, _error: object) -> None:
        parent = Path(path).parent
        parent.chmod(0o700)
        if Path(path).is_dir() and not Path(path).is_symlink():
            Path(path).chmod(0o700)
            shutil.rmtree(path)
        else:
            Path(path).unlink(missing_ok=True)

    shutil.rmtree(folder, onerror=unlock)


@contextmanager
def _lock() -> Iterator[None]:
    with (base() / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
