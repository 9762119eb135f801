"""The SEV platform's certificate chain: exported as the guide does, checked against the platform."""

from __future__ import annotations

import hashlib
import posixpath
from functools import cached_property
from typing import TYPE_CHECKING

from lab.certificates import CertificateError, Roots, pdh_of, verify_chain
from lab.errors import DeadlineExceeded, NotProven
from lab.journal import STATE
from lab.provisioning import Sight

if TYPE_CHECKING:
    from lab.host import Host
    from lab.labfile import LabFile
    from lab.profile import Profile
    from lab.provisioning import Provisioning
    from lab.record import Record

# How a shell says that there is no such command (POSIX, 2.8.2).
NO_SUCH_COMMAND = 127


class ExportedChain:
    """The certificate chain is on the host (guide: 导出SEV证书链). One that is there is never replaced."""

    def __init__(self, host: Host, path: str) -> None:
        self.name = "export the SEV certificate chain"
        self.permission: str | None = None
        self.clause: str | None = "W-2.2"
        self.looks_at = path
        self.undone_by = f"rm {path}"
        self._host = host

    def look(self) -> Sight:
        """Whether there is a file; what it is worth is clause W-2.2's business."""
        there = self._host.exists(self.looks_at)
        return Sight(there, "a file" if there else "no such file")

    def apply(self) -> None:
        """`sevctl export --full`, to a name beside it first. Raises NotProven where there is no sevctl."""
        if not self._host.run("command -v sevctl", check=False, reads=True).succeeded:
            raise NotProven("sevctl is not installed", owner="W-2.1")
        self._host.make_directory(posixpath.dirname(self.looks_at), mode=0o755)
        part = f"{self.looks_at}.part"
        try:
            self._host.run("sevctl export --full %s && mv --force -- %s %s", part, part, self.looks_at)
        finally:
            self._host.remove_file(part)


class Platform:
    """The platform of one host."""

    def __init__(
        self, *, lab: LabFile, profile: Profile, host: Host, provisioning: Provisioning, record: Record
    ) -> None:
        self._roots = Roots.of(lab.platform.root)
        self._host = host
        self._path = profile.certificate_chain
        self._provisioning = provisioning
        self._record = record

    def ensure_exported(self) -> None:
        """Export the chain where there is none."""
        self._provisioning.ensure(ExportedChain(self._host, self._path))

    def require_good_chain(self) -> None:
        """Raise NotProven where the exported chain does not verify or is another platform's (clause W-2.2).

        Where the platform cannot be asked for its PDH, a launch on it will tell.
        """
        self.ensure_exported()
        if broken := self.broken_links():
            raise NotProven(f"the exported certificate chain is no good: {broken[0]}", owner="W-2.2")
        try:
            reported = self.reported_pdh()
        except NotProven:
            return
        if reported != self.exported_pdh():
            raise NotProven("the exported certificate chain is another platform's", owner="W-2.2")

    def broken_links(self) -> list[str]:
        """Each signature of the exported chain that does not verify, named."""
        report = verify_chain(self._host.read_file(self._path), self._roots)
        self._record.evidence("certificate chain", report.summary())
        return report.broken

    def exported_pdh(self) -> bytes:
        """The PDH in the exported chain. Raises AssertionError where it holds none."""
        try:
            return pdh_of(self._host.read_file(self._path))
        except CertificateError as error:
            raise AssertionError(f"{self._path}: {error}") from None

    def reported_pdh(self) -> bytes:
        """The PDH that the platform's firmware gives in this run. Raises NotProven where it gives none.

        It is asked once: `sevctl export` fetches the chip's certificate from AMD each time, also without
        `--full` (sevctl v0.6.2, src/main.rs), and AMD's service turns away who asks often.
        """
        if isinstance(self._answer, NotProven):
            raise NotProven(self._answer.cause, owner=self._answer.owner)
        digest = hashlib.sha256(self._answer).hexdigest()
        self._record.evidence("PDH that the platform reports", f"SHA-256 {digest}, by sevctl export")
        return self._answer

    @cached_property
    def _answer(self) -> bytes | NotProven:
        path = f"{STATE}/run/chain-now.cert"
        self._host.make_directory(posixpath.dirname(path), mode=0o700)
        try:
            exported = self._host.run("sevctl export %s", path, check=False)
            if exported.succeeded:
                return pdh_of(self._host.read_file(path))
            owner = "W-2.1" if exported.exit_code == NO_SUCH_COMMAND else None
            return NotProven(f"sevctl export gave no chain: {exported.stderr.strip()}", owner=owner)
        except DeadlineExceeded as late:
            return NotProven(f"sevctl export gave no chain: {late}")
        finally:
            self._host.remove_file(path)
