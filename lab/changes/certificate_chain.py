"""The platform's SEV certificate chain (guide: 步骤四 导出SEV证书链)."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from lab.changes.described import Described
from lab.deadline import Deadline
from lab.errors import NotProven
from lab.provisioning import Sight
from lab.remote_files import beside

if TYPE_CHECKING:
    from lab.host import Host


class ExportedChain(Described):
    """The certificate chain is on the host. One that is there is never replaced."""

    name = "export the SEV certificate chain"
    clause = "W-2.2"

    def __init__(self, host: Host, path: str, *, seconds: float) -> None:
        """`seconds` is how long the export may take, which fetches the chip's certificate from AMD."""
        self.looks_at = path
        self.undone_by = f"rm {path}"
        self._host = host
        self._seconds = seconds

    def look(self) -> Sight:
        """Whether there is a file; what it is worth is clause W-2.2's business."""
        there = self._host.exists(self.looks_at)
        return Sight(there, "a file" if there else "no such file")

    def apply(self) -> None:
        """`sevctl export --full`, to a name beside it first. Raises NotProven where there is no sevctl."""
        if not self._host.run("command -v sevctl", check=False, reads=True).succeeded:
            raise NotProven("sevctl is not installed", owner="W-2.1")
        self._host.make_directory(posixpath.dirname(self.looks_at), mode=0o755)
        self._host.remove_torn(self.looks_at)
        part = beside(self.looks_at)
        try:
            export = "sevctl export --full %s && mv --force -- %s %s"
            self._host.run(export, part, part, self.looks_at, deadline=Deadline(self._seconds))
        finally:
            self._host.remove_file(part)
