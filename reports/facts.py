"""The run's `lab.record.Record`: what drivers tell, redacted, goes to the scenario at hand or the session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lab.record import Finding, Operation
from reports.events import Event, Waited
from reports.evidence import EvidenceStore, redacted
from reports.model import ScenarioResult, SessionFacts
from reports.verdicts import Contacts

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.record import Exchange, PlatformIdentity, Wait
    from lab.secret import Redactor
    from reports.folder import RunFolder
    from reports.transcript import TranscriptFile


class FactRecorder:
    """Keeps facts where they belong.

    `current` is the scenario at hand and `step` the place of its step, None outside of them. While
    `for_session` is not 0, facts are the session's though a scenario is at hand.
    """

    def __init__(
        self, folder: RunFolder, redactor: Redactor, tell: Callable[[Event], None], *, process: str
    ) -> None:
        self.folder = folder
        self.redactor = redactor
        self.tell = tell
        self.process = process
        self.current: ScenarioResult | None = None
        self.step: int | None = None
        self.session = SessionFacts()
        self.for_session = 0
        self.contacts = Contacts()
        self.transcript: TranscriptFile | None = None
        self._evidence = EvidenceStore(folder.path, redactor)
        self._attach: Callable[[str, str, bytes], None] = lambda _name, _media_type, _data: None
        self._enter: Callable[[Operation], None] = lambda _operation: None

    def exchange(self, exchange: Exchange) -> None:
        """Write an exchange down, with the scenario that it belongs to, where there is a transcript."""
        if self.transcript is not None:
            facts = self._facts()
            scenario = facts if isinstance(facts, ScenarioResult) else None
            self.transcript.write(exchange, scenario, self.step if scenario else None)

    def evidence(
        self, name: str, body: str | bytes | dict[str, Any] | list[Any], *, fact: str | None = None
    ) -> None:
        """Keep evidence with the current step, or with the session outside of scenarios."""
        facts = self._facts()
        where = facts.id if isinstance(facts, ScenarioResult) else f"session {self.process}"
        entry, data = self._evidence.keep(where, len(facts.evidence) + 1, name, body)
        entry.fact = fact
        if isinstance(facts, ScenarioResult):
            entry.step = self.step
        facts.evidence.append(entry)
        self._attach(entry.name, entry.media_type, data)

    def operation(self, operation: Operation) -> None:
        """Enter an operation in the ledger of the scenario, or of the session outside of scenarios."""
        clean = Operation(**redacted(vars(operation), self.redactor))
        self._facts().operations.append(clean)
        self._enter(clean)

    def finding(self, finding: Finding) -> None:
        """Keep a finding with the scenario or the session; the same one only once."""
        clean = Finding(**redacted(vars(finding), self.redactor))
        facts = self._facts()
        if clean not in facts.findings:
            facts.findings.append(clean)

    def waiting(self, wait: Wait) -> None:
        """Show that a wait goes on."""
        self.tell(
            Waited(
                scenario=self.current.id if self.current else None,
                what=self.redactor(wait.what),
                elapsed=wait.elapsed,
                remaining=wait.remaining,
                last_seen=self.redactor(wait.last_seen),
            )
        )

    def version(self, component: str, version: str) -> None:
        """Name the version of something that was tested; always a fact of the whole run."""
        self.session.versions[self.redactor(component)] = self.redactor(version)

    def platform(self, identity: PlatformIdentity) -> None:
        """Name a platform that was tested; always a fact of the whole run."""
        if identity not in self.session.platforms:
            self.session.platforms.append(identity)

    def on_host(self, name: str) -> None:
        """Name the host that the scenario at hand runs on."""
        if self.current is not None:
            self.current.host = self.redactor(name)

    def reached(self, service: str) -> None:
        """Note that a service of the lab (host, cluster, kbs, database) answered: now it can be lost."""
        self.contacts.reached(service)

    def attach_by(
        self, attach: Callable[[str, str, bytes], None], enter: Callable[[Operation], None]
    ) -> None:
        """Hand each piece of evidence (name, media type, data) to `attach` too, each operation to `enter`."""
        self._attach = attach
        self._enter = enter

    def _facts(self) -> ScenarioResult | SessionFacts:
        """Where facts go at this moment."""
        return self.session if self.current is None or self.for_session else self.current
