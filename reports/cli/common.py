"""What the commands share: how they speak, and how a run is named."""

from __future__ import annotations

import contextlib
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final, TextIO

from lab.challenge.documents import read_private
from lab.errors import LabError
from lab.printable import printable
from reports.certificate.archive import unpack
from reports.certificate.files import RESULTS
from reports.certificate.reading import results_in
from reports.certificate.refusal import Mistake, Refusal

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from lab.challenge.documents import PrivatePart
    from reports.model import BrokenRule, Results

ARCHIVE: Final = ".tar.gz"
TOLD: Final = 3


def say(text: str, stream: TextIO | None = None) -> None:
    """Print what may come from a stranger's run: nothing in it moves the cursor."""
    stream = stream or sys.stdout
    line = printable(text.encode("utf-8", "backslashreplace"))
    encoding = stream.encoding or "utf-8"
    print(line.encode(encoding, "backslashreplace").decode(encoding), file=stream)


def tell_rules(broken: Sequence[BrokenRule]) -> None:
    """Name each rule that is broken, and by what; a filtered run would name every clause."""
    for rule in broken:
        more = f"; and {len(rule.found) - TOLD} more" if len(rule.found) > TOLD else ""
        say(f"  {rule.rule}: {'; '.join(rule.found[:TOLD])}{more}")


def run_folder(path: Path) -> Path:
    """The folder of a run, whatever link leads to it. Raises Mistake where there is none."""
    try:
        folder = path.resolve(strict=True)
    except OSError as error:
        raise Mistake(f"run {path}: {error.strerror}") from None
    if not folder.is_dir():
        raise Mistake(f"run {path}: it is no folder")
    if not (folder / RESULTS).is_file():
        raise Mistake(f"run {path}: it has no {RESULTS}, so it is no run, or one that did not end")
    return folder


@contextlib.contextmanager
def run_or_archive(path: Path) -> Iterator[Path]:
    """The folder of a run, or that of an archive, which is unpacked for the time being."""
    if not path.name.endswith(ARCHIVE):
        yield run_folder(path)
        return
    if not path.is_file():
        raise Mistake(f"archive {path}: there is no such file")
    with tempfile.TemporaryDirectory(prefix="run-") as temporary:
        yield unpack(path, Path(temporary))


def results_of(path: Path) -> Results:
    """The results of a run or an archive, which may be a stranger's. Raises Refusal, Mistake, naming it."""
    with run_or_archive(path) as run:
        try:
            return results_in(run / RESULTS)
        except Refusal as refusal:
            raise Refusal(f"run {path}: {refusal}") from None


def add_challenge(parser: argparse.ArgumentParser) -> None:
    """The argument that names a challenge's private part."""
    parser.add_argument(
        "--challenge",
        type=Path,
        metavar="FILE",
        help="the private part of a challenge: whether the run's platform answered it",
    )


def challenge_in(path: Path | None) -> PrivatePart | None:
    """The private part in a file, where one is named. Raises Mistake."""
    try:
        return read_private(path) if path else None
    except LabError as error:
        raise Mistake(f"--challenge: {error}") from None


def add_signing_key(parser: argparse.ArgumentParser) -> None:
    """The arguments that name a private key. Its passphrase is never an argument: all can read those."""
    parser.add_argument("--key", type=Path, required=True, metavar="FILE", help="the private key, PEM")
    passphrase = parser.add_mutually_exclusive_group()
    passphrase.add_argument(
        "--passphrase-env", metavar="NAME", help="the environment variable with the key's passphrase"
    )
    passphrase.add_argument(
        "--passphrase-file", type=Path, metavar="FILE", help="the file with the key's passphrase"
    )
