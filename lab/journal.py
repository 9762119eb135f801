"""The journal of borrowed state, kept on the host: what to give back, whoever comes next.

An entry is written before the state is touched and removed after it was given back, so that a run which was
killed at any moment leaves behind what the next one needs to restore, from whichever machine.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from lab.errors import LabError, NotProven

if TYPE_CHECKING:
    from lab.host import Host

STATE = "/var/lib/sev-conformance"


@dataclass(frozen=True)
class Entry:
    """One borrowed thing: its kind, what is needed to give it back, and the run that borrowed it."""

    number: int
    run: str
    kind: str
    details: dict[str, Any]

    @property
    def path(self) -> str:
        """The entry's file on the host."""
        return f"{STATE}/journal/{self.run}-{self.number:06d}.json"


class Journal:
    """The entries on one host. Secrets never enter it: a row's key stays in the database."""

    def __init__(self, host: Host, run: str) -> None:
        self._host = host
        self.run = run
        self._count = 0
        self._folder_made = False

    def require_open(self) -> None:
        """Raise NotProven where nothing may be borrowed in this run; here, anything may."""

    def note(self, kind: str, **details: Any) -> Entry:
        """Write down that something is about to be borrowed."""
        self.require_open()
        if not self._folder_made:
            self._host.make_directory(f"{STATE}/journal", mode=0o700)
            self._folder_made = True
        self._count += 1
        entry = Entry(self._count, self.run, kind, details)
        self._write(entry)
        return entry

    def amend(self, entry: Entry, **details: Any) -> Entry:
        """Add what became known only after the state was touched."""
        amended = Entry(entry.number, entry.run, entry.kind, {**entry.details, **details})
        self._write(amended)
        return amended

    def settle(self, entry: Entry) -> None:
        """Strike an entry out: what it tells of is back."""
        self._host.remove_file(entry.path)

    def leftovers(self) -> list[Entry]:
        """Entries that other runs left, newest first in each run. Raises LabError for one that is torn."""
        listing = self._host.run(
            "find %s -maxdepth 1 -name '*.json' 2>/dev/null | sort -r",
            f"{STATE}/journal",
            check=False,
            reads=True,
            quiet=True,
        )
        found = []
        for path in listing.lines:
            try:
                entry = Entry(**json.loads(self._host.read_file(path)))
            except (ValueError, TypeError) as error:
                raise LabError(
                    f"{path} on the host is no journal entry ({error}): "
                    "look what it was about, put that back by hand, and remove the file"
                ) from None
            if entry.run != self.run:
                found.append(entry)
        return found

    def tidy(self) -> None:
        """Remove what killed writes left of entries, and folders in which nothing is left."""
        torn = "find %s -maxdepth 1 -name '.*.new' -delete"
        empty = "find %s -mindepth 1 -depth -type d -empty -delete"
        self._host.run(f"{torn}; {empty}", f"{STATE}/journal", STATE, check=False, quiet=True)

    def _write(self, entry: Entry) -> None:
        text = json.dumps(asdict(entry), indent=1, sort_keys=True)
        self._host.write_file(entry.path, text.encode(), mode=0o600)


class ClosedJournal(Journal):
    """The journal of a run that changes nothing, and so borrows nothing: it can only be read."""

    def require_open(self) -> None:
        """Raise NotProven."""
        raise NotProven(
            "provisioning is check, which changes nothing on the lab: it starts no pod and borrows nothing"
        )
