"""The SEV platform's certificate chain: exported as the guide does, checked against the platform."""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import TYPE_CHECKING

from lab.certificates import CertificateError, Roots, pdh_of, verify_chain
from lab.errors import DeadlineExceeded, HostFileError, NotProven
from lab.fact import Fact

if TYPE_CHECKING:
    from lab.host import Host
    from lab.labfile import LabFile
    from lab.profile import Profile
    from lab.record import PlatformIdentity, Record

# How a shell says that there is no such command (POSIX, 2.8.2).
NO_SUCH_COMMAND = 127

# sevctl writes files only; this one is nobody's, and nothing of it stays on the host.
_EXPORT_NOW = """
folder=$(mktemp --directory) || exit
trap 'rm -r -- "$folder"' EXIT
sevctl export "$folder/chain" >&2 && cat "$folder/chain"
"""


class Platform:
    """The platform of one host."""

    def __init__(self, *, lab: LabFile, profile: Profile, host: Host, record: Record) -> None:
        self._roots = Roots.of(lab.platform.root)
        self._host = host
        self._path = profile.certificate_chain
        self._seconds = lab.timeouts.download
        self._record = record
        self._kept: list[PlatformIdentity] = []

    def require_good_chain(self) -> None:
        """Raise NotProven where the exported chain does not verify or is another platform's (clause W-2.2).

        Where the platform cannot be asked for its PDH, a launch on it will tell.
        """
        if broken := self.broken_links():
            raise NotProven(f"the exported certificate chain is no good: {broken[0]}", owner="W-2.2")
        try:
            foreign = self.foreign_pdh()
        except NotProven:
            return
        if foreign is not None:
            raise NotProven(foreign, owner="W-2.2")

    def broken_links(self) -> list[str]:
        """Each signature of the exported chain that does not verify, named; or that there is no chain."""
        try:
            chain = self._host.read_file(self._path)
        except HostFileError as error:
            return [str(error)]
        report = verify_chain(chain, self._roots)
        self._record.evidence("certificate chain", report.summary())
        if not report.broken:
            self._keep(report.identity(chain), chain)
        return report.broken

    def _keep(self, identity: PlatformIdentity, chain: bytes) -> None:
        """Keep a good chain once: its certificates are public, and a stranger verifies the run's by them."""
        if identity not in self._kept:
            self._kept.append(identity)
            self._record.evidence("exported certificate chain", chain, fact=Fact.CERTIFICATE_CHAIN)
            self._record.platform(identity)

    def exported_chain(self) -> bytes:
        """The chain as it is on the host."""
        return self._host.read_file(self._path)

    def foreign_part(self, chain: bytes) -> list[str]:
        """What is wrong with any chain, by the roots that the lab names; kept as evidence."""
        report = verify_chain(chain, self._roots)
        self._record.evidence("another certificate chain", report.summary())
        return report.broken

    def foreign_pdh(self) -> str | None:
        """How the exported chain's PDH differs from the platform's own; None where it does not.

        Another machine's chain verifies as well. So does this one's from before its last `sevctl reset`, or
        `sevctl rotate`, both of which make a new PDH.
        """
        exported, reported = (
            hashlib.sha256(each).hexdigest() for each in (self.exported_pdh(), self.reported_pdh())
        )
        if exported == reported:
            return None
        return (
            f"{self._path} is another platform's chain, or older than this one's PDH: its PDH has the SHA-256"
            f" {exported}, and the platform reports {reported}"
        )

    def exported_pdh(self) -> bytes:
        """The PDH in the exported chain. Raises AssertionError where it holds none."""
        try:
            return pdh_of(self._host.read_file(self._path))
        except (CertificateError, HostFileError) as error:
            raise AssertionError(f"{self._path}: {error}") from None

    def reported_pdh(self) -> bytes:
        """The PDH that the platform's firmware gives in this run. Raises NotProven where it gives none.

        It is asked once: `sevctl export` fetches the chip's certificate from AMD each time, also without
        `--full` (sevctl v0.6.2, src/main.rs), and AMD's service turns away who asks often.
        """
        if isinstance(self._answer, NotProven):
            raise NotProven(self._answer.cause, owner=self._answer.owner)
        digest = hashlib.sha256(self._answer).hexdigest()
        self._record.evidence(
            "PDH that the platform reports", f"SHA-256 {digest}, by sevctl export", fact=Fact.PDH
        )
        return self._answer

    @cached_property
    def _answer(self) -> bytes | NotProven:
        try:
            exported = self._host.run(
                "sh -c %s", _EXPORT_NOW, check=False, quiet=True, deadline=self._seconds
            )
        except DeadlineExceeded as late:
            return NotProven(f"sevctl export gave no chain: {late}")
        if exported.succeeded:
            return pdh_of(exported.stdout_bytes)
        owner = "W-2.1" if exported.exit_code == NO_SUCH_COMMAND else None
        return NotProven(f"sevctl export gave no chain: {exported.stderr.strip()}", owner=owner)
