"""What drivers and capabilities tell the run while they work: evidence, operations, findings, waits.

Data flows one way: whoever acts on the lab writes to a `Record`; who renders it is none of its business.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True)
class Operation:
    """One entry of the ledger: an idempotent change that was looked at, and made only where needed."""

    name: str
    looked_at: str
    before: str
    after: str
    changed: bool
    verified_by: str
    undone_by: str
    kind: str = "convergence"  # or "borrowed"
    applied: bool = True  # False where provisioning mode `check` only says what it would change
    seconds: float = 0.0
    failed: str = ""  # why it could not be made, did not hold afterwards, or was not given back


@dataclass(frozen=True)
class Finding:
    """Something true of the lab that the guide does not forbid but a reader must know.

    `detail` is what was seen; `meaning` says why it matters, `remedy` what to do about it.
    """

    title: str
    detail: str
    clause: str | None = None
    meaning: str = ""
    remedy: str = ""


@dataclass(frozen=True)
class PlatformIdentity:
    """Which SEV platform a chain names: SHA-256 of its file, and of the bodies of its ARK, CEK and PDH.

    The CEK is the chip's for good; a PDH lasts until the platform's owner makes a new one.
    """

    chain: str
    ark: str
    cek: str
    pdh: str


@dataclass(frozen=True)
class Wait:
    """The state of a wait: what for, since and for how many seconds yet, and the last thing seen."""

    what: str
    elapsed: float
    remaining: float
    last_seen: str


@dataclass(frozen=True)
class Exchange:
    """One question that went to a lab and what came back, for a run's transcript (docs/transcripts.md).

    Bytes in `asked` and `answered` are what really came; whoever writes them down decodes, redacts and cuts.
    """

    protocol: str  # command, file, kubernetes, watch, grpc, sql
    asked: dict[str, Any]
    answered: dict[str, Any]
    seconds: float = 0.0


class Record(Protocol):
    """Where a run's facts go."""

    def exchange(self, exchange: Exchange) -> None:
        """Write down a question and its answer, where the run has a transcript."""

    def evidence(
        self, name: str, body: str | bytes | dict[str, Any] | list[Any], *, fact: str | None = None
    ) -> None:
        """Keep what a verdict rests on. `body` is text, raw bytes, or an object that is kept as JSON.

        `fact` is its kind, where programs that verify a run read it again.
        """

    def operation(self, operation: Operation) -> None:
        """Enter an operation in the ledger."""

    def finding(self, finding: Finding) -> None:
        """Tell the reader of the report something that decides nothing."""

    def waiting(self, wait: Wait) -> None:
        """Show that a wait goes on."""

    def version(self, component: str, version: str) -> None:
        """Name the version of something that was tested, as found on the lab."""

    def platform(self, identity: PlatformIdentity) -> None:
        """Name the SEV platform that was tested, by its verified chain."""

    def on_host(self, name: str) -> None:
        """Name the host that a scenario runs on, as the machine names itself."""

    def reached(self, service: str) -> None:
        """Note that a service (host, cluster, kbs, database) answered: from now on it can be lost."""


@dataclass
class MemoryRecord:
    """A `Record` that only remembers; for tools and tests that have no run."""

    evidences: list[tuple[str, Any]] = field(default_factory=list)
    operations: list[Operation] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    waits: list[Wait] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    platforms: list[PlatformIdentity] = field(default_factory=list)
    services: set[str] = field(default_factory=set)
    hosts: set[str] = field(default_factory=set)
    exchanges: list[Exchange] = field(default_factory=list)

    def exchange(self, exchange: Exchange) -> None:
        """Remember an exchange."""
        self.exchanges.append(exchange)

    def evidence(
        self, name: str, body: str | bytes | dict[str, Any] | list[Any], *, fact: str | None = None
    ) -> None:
        """Remember a piece of evidence."""
        del fact
        self.evidences.append((name, body))

    def operation(self, operation: Operation) -> None:
        """Remember an operation."""
        self.operations.append(operation)

    def finding(self, finding: Finding) -> None:
        """Remember a finding."""
        self.findings.append(finding)

    def waiting(self, wait: Wait) -> None:
        """Remember a wait."""
        self.waits.append(wait)

    def version(self, component: str, version: str) -> None:
        """Remember a version."""
        self.versions[component] = version

    def platform(self, identity: PlatformIdentity) -> None:
        """Remember a platform."""
        self.platforms.append(identity)

    def on_host(self, name: str) -> None:
        """Remember a host."""
        self.hosts.add(name)

    def reached(self, service: str) -> None:
        """Remember that a service answered."""
        self.services.add(service)
