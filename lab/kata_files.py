"""The node's files that the guide replaces and edits, and the installer that overwrites them.

Each start of the installer's pod copies the release's files over the host's, an initrd and a configuration of
others among them (kata-containers CC-0.3.0, tools/packaging/kata-deploy-cc/scripts/kata-deploy.sh, `cp -a`).
What a run saw last is kept on the host, so that the next one can tell.
"""

from __future__ import annotations

import json
import posixpath
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from lab.errors import LabError, NoSuchHostFile
from lab.findings import finding
from lab.journal import STATE
from lab.kata import KataConfiguration

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from lab.host import Host
    from lab.profile import Profile
    from lab.record import Record

SEEN = f"{STATE}/kata-files.json"
# The installer copies some gigabytes: what came with it got there in this time before or after another of its
# files, which nobody else touches.
COPYING = timedelta(minutes=1)
# And it keeps the time of the content's last change, from when the release was made: what was written where
# it lies, as by `sed`, is not its doing.
WRITING = timedelta(seconds=5)


@dataclass(frozen=True)
class KataFile:
    """A file as it is now: when it got there, and when its content was written, which a copy may keep."""

    sha256: str
    placed: datetime
    written: datetime


class KataFiles:
    """The kata SEV configuration and the initrd that it boots, on one node."""

    def __init__(self, host: Host, profile: Profile, initrds: Collection[str], record: Record) -> None:
        """`initrds` are the SHA-256 of the guide's, which no installer brings."""
        self._host = host
        self._initrds = initrds
        self._record = record
        self._configuration = profile.kata.sev_configuration
        # Each with the clause of the online KBC that it carries.
        self._clauses = {profile.kata.sev_initrd: "W-3.1", self._configuration: "W-3.2"}

    def look(self) -> dict[str, KataFile]:
        """Those of the files that are there, by their paths."""
        return {path: file for path in self._clauses if (file := self._look(path))}

    def replaced(self, before: Mapping[str, KataFile]) -> dict[str, str]:
        """Which of the files are others by now: what is so, by the clause that the file carries."""
        now = self.look()
        told = {}
        for path, file in before.items():
            name, found = posixpath.basename(path), now.get(path)
            if found is None:
                told[self._clauses[path]] = f"{name} is gone"
            elif found.sha256 != file.sha256:
                when = f"{found.placed:%H:%M:%S} UTC"
                told[self._clauses[path]] = f"{name} was replaced at {when}, as the operator's installer does"
        return told

    def remember(self) -> None:
        """Keep on the host what is there now, for the next run."""
        seen = {path: file.sha256 for path, file in self.look().items()}
        text = json.dumps({"at": self._host.now().isoformat(timespec="seconds"), "files": seen}, indent=1)
        self._host.write_file(SEEN, text.encode(), mode=0o600)

    def tell_overwritten(self) -> None:
        """Tell the reader which files the installer overwrote since the last run."""
        try:
            seen = json.loads(self._host.read_file(SEEN))
            files, at = dict(seen["files"]), str(seen["at"])
        except NoSuchHostFile:
            return
        except (ValueError, TypeError, KeyError):
            return  # it was written by another release of the suite
        copied = self._copied()
        others = [
            (path, file)
            for path, file in self.look().items()
            if files.get(path, file.sha256) != file.sha256 and self._came_with_it(file, copied)
        ]
        if others:
            names = " and ".join(posixpath.basename(path) for path, _ in others)
            when = min(file.placed for _, file in others).isoformat(timespec="seconds")
            detail = f"{names} came with it at {when}; at {at} the last run saw others there"
            self._record.finding(finding("stock-files-again", detail, self._clauses[others[0][0]]))

    def _came_with_it(self, file: KataFile, copied: datetime | None) -> bool:
        return (
            copied is not None
            and abs(file.placed - copied) < COPYING
            and file.placed - file.written > WRITING
            and file.sha256 not in self._initrds
        )

    def _look(self, path: str) -> KataFile | None:
        if not self._host.exists(path):
            return None
        told = self._host.run("stat --format='%%Z %%Y' -- %s", path, reads=True, quiet=True).stdout.split()
        placed, written = (datetime.fromtimestamp(int(each), UTC) for each in told)
        return KataFile(self._host.sha256(path), placed, written)

    def _copied(self) -> datetime | None:
        """When the installer copied its files last, by its firmware: nobody puts another in its place."""
        try:
            configuration = KataConfiguration.parse(
                self._configuration, self._host.read_file(self._configuration)
            )
            firmware = self._look(configuration.firmware)
        except LabError:
            return None
        return firmware.placed if firmware else None
