"""The stream of a run: what the process that runs scenarios tells the one that reports them.

In a run of one process the events are handed over directly. Under xdist each worker writes them to a journal,
one JSON object a line, in the run's folder, and the controller reads along: so that it can show a worker's
step while it waits, and still knows how far a worker came that died.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import BaseModel, Field, TypeAdapter

from reports.model import ScenarioResult, SessionFacts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import TextIO


class Planned(BaseModel):
    """The selected scenarios, in their order."""

    event: Literal["planned"] = "planned"
    scenarios: list[ScenarioResult]


class Started(BaseModel):
    """A scenario begins, in a worker of xdist's or without one."""

    event: Literal["started"] = "started"
    scenario: str
    worker: str | None = None


class StepStarted(BaseModel):
    """A step begins; `step` counts from 0."""

    event: Literal["step"] = "step"
    scenario: str
    step: int


class Waited(BaseModel):
    """A wait goes on; `scenario` is None while the session is set up."""

    event: Literal["waited"] = "waited"
    scenario: str | None
    what: str
    elapsed: float
    remaining: float
    last_seen: str


class Progressed(BaseModel):
    """A scenario as far as it is known; it is not over."""

    event: Literal["progressed"] = "progressed"
    scenario: ScenarioResult


class Finished(BaseModel):
    """A scenario is over."""

    event: Literal["finished"] = "finished"
    scenario: ScenarioResult


class SessionChanged(BaseModel):
    """All that one process did and found outside of scenarios so far."""

    event: Literal["session"] = "session"
    process: str
    facts: SessionFacts


Event = Annotated[
    Planned | Started | StepStarted | Waited | Progressed | Finished | SessionChanged,
    Field(discriminator="event"),
]
_EVENT: Final[TypeAdapter[Event]] = TypeAdapter(Event)


class Journal:
    """The journal that a worker writes."""

    def __init__(self, path: Path) -> None:
        self._file: TextIO = path.open("a", encoding="utf-8", buffering=1)

    def __call__(self, event: Event) -> None:
        """Append `event`; whoever reads sees it at once."""
        self._file.write(_EVENT.dump_json(event).decode() + "\n")

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class JournalReader:
    """Reads a journal that is still written, whole lines only."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0

    def __call__(self) -> Iterator[Event]:
        """The events that came since the last call. A last line that its writer did not end is left."""
        with self._path.open("rb") as file:
            file.seek(self._offset)
            for line in file:
                if not line.endswith(b"\n"):
                    return
                self._offset += len(line)
                yield _EVENT.validate_json(line)
