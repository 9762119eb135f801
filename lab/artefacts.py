"""Files from outside that the guide downloads, and the release's files that a launch is measured from."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Literal

from lab.changes.described import Described
from lab.deadline import Deadline
from lab.errors import NotProven
from lab.journal import STATE
from lab.provisioning import Provisioning, Sight
from lab.remote_files import beside

if TYPE_CHECKING:
    from lab.host import Host
    from lab.labfile import FileSource, LabFile

Part = Literal["firmware", "kernel", "initrd"]

# curl ends with 23 where it cannot write, and does not say why.
_DOWNLOAD = """
curl --fail --silent --show-error --location --output %s -- %s && exit
code=$?
if [ "$code" = 23 ]; then df --human-readable -- %s >&2; fi
exit "$code"
"""


class FetchedFile(Described):
    """A file on the host with the pinned checksum, fetched from its source (guide: wget …).

    `mode` is for a program: it must be executable too.
    """

    def __init__(
        self,
        host: Host,
        name: str,
        source: FileSource,
        path: str,
        seconds: float,
        *,
        mode: int = 0o644,
        permission: str | None = None,
        clause: str | None = None,
    ) -> None:
        self.name = f"fetch the {name}"
        self.looks_at = path
        self.undone_by = f"rm {path}"
        self.permission = permission
        self.clause = clause
        self._host = host
        self._source = source
        self._path = path
        self._seconds = seconds
        self._mode = mode

    def look(self) -> Sight:
        """Compare the checksum, and of a program that it may be executed."""
        path, pinned = self._path, self._source.sha256
        if not self._host.exists(path):
            return Sight(holds=False, found=f"{path} is missing (wanted: SHA-256 {pinned})")
        found = self._host.sha256(path)
        if found != pinned:
            return Sight(holds=False, found=f"{path} has the SHA-256 {found}, and not the pinned {pinned}")
        executable = self._host.stat(path).mode & self._mode & 0o111 == self._mode & 0o111
        lack = "" if executable else ", and is not executable"
        return Sight(executable, f"{path} has the pinned SHA-256 {pinned}{lack}")

    def apply(self) -> None:
        """Fetch to a name beside it, refuse another checksum, and only then take its place."""
        self._host.make_directory(posixpath.dirname(self._path), mode=0o755)
        self._host.remove_torn(self._path)
        part = beside(self._path)
        try:
            if self._source.path is not None:
                self._host.write_file(part, self._source.path.read_bytes())
            else:
                self._host.run(
                    _DOWNLOAD,
                    part,
                    self._source.url,
                    posixpath.dirname(part),
                    deadline=Deadline(self._seconds),
                )
            found = self._host.sha256(part)
            if found != self._source.sha256:
                origin = self._source.url or self._source.path
                raise NotProven(
                    f"{origin}: refused, its SHA-256 is {found} and the lab file says {self._source.sha256}"
                )
            self._host.run("chmod %s -- %s && mv --force -- %s %s", f"{self._mode:o}", part, part, self._path)
        finally:
            self._host.remove_file(part)


class Artefacts:
    """The two initrds, and the pins of what a launch is measured from."""

    def __init__(self, *, lab: LabFile, host: Host, provisioning: Provisioning) -> None:
        self._lab = lab
        self._host = host
        self._provisioning = provisioning

    def initrd(self, kbc: Literal["online", "offline"]) -> str:
        """Path on the host of the KBC's initrd, fetched where it is missing."""
        self._provisioning.ensure(self.fetched(kbc), own=True)
        return self._path(kbc)

    def fetched(self, kbc: Literal["online", "offline"]) -> FetchedFile:
        """The KBC's initrd beside the node's own, which a pod or the node is given for a time."""
        return FetchedFile(
            self._host,
            f"{kbc}-KBC initrd",
            self._source(kbc),
            self._path(kbc),
            self._lab.timeouts.download,
            clause="W-3.1" if kbc == "online" else "W-4.1",
        )

    def checksum(self, kbc: Literal["online", "offline"]) -> str:
        """The pinned SHA-256 of the KBC's initrd."""
        return self._source(kbc).sha256

    def differs(self, part: Part, path: str) -> str | None:
        """What is wrong with the file that is measured as `part`, or None where it is the pinned one."""
        if not self._host.exists(path):
            return f"the {part} {path} does not exist on the host"
        found = self._host.sha256(path)
        pinned = self._pins(part)
        if found in pinned:
            return None
        return f"the {part} {path} is not the release's: SHA-256 {found}, pinned {' or '.join(pinned)}"

    def require_pinned(self, firmware: str, kernel: str, initrd: str | None) -> None:
        """Raise NotProven where one of these is not what the lab file pins: clause A-2.1 owns that."""
        differences = [
            self.differs("firmware", firmware),
            self.differs("kernel", kernel),
            None if initrd is None else self.differs("initrd", initrd),
        ]
        for problem in filter(None, differences):
            raise NotProven(f"no launch digest can be expected: {problem}", owner="A-2.1")

    def _source(self, kbc: Literal["online", "offline"]) -> FileSource:
        return self._lab.files.initrd_online if kbc == "online" else self._lab.files.initrd_offline

    def _path(self, kbc: Literal["online", "offline"]) -> str:
        return f"{STATE}/files/initrd.run.{kbc}-sev-{self.checksum(kbc)[:12]}.img"

    def _pins(self, part: Part) -> list[str]:
        """Of the initrds only the guide's: no scenario launches from the release's own."""
        if part == "firmware":
            return [self._lab.pins.firmware]
        if part == "kernel":
            return [self._lab.pins.kernel]
        return [self.checksum("online"), self.checksum("offline")]
