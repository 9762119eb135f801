"""What a scenario had seen by a step, as its evidence has it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from reports.certificate.reading import json_document
from reports.certificate.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from reports.model import Evidence, Results, ScenarioResult


class Contradiction(Exception):  # noqa: N818 - what the evidence is, and not an error of this program
    """The evidence does not show what the step concluded; or it lacks what shows it."""


@dataclass
class Facts:
    """Reads the evidence of a run, each file once. `firmwares` are images by SHA-256, as far as given."""

    folder: Path
    results: Results
    firmwares: Mapping[str, bytes] = field(default_factory=dict)
    _read: dict[str, Any] = field(default_factory=dict)

    def of(self, evidence: Evidence) -> Any:
        """What a piece of evidence holds: an object, a text, or bytes. Raises Contradiction."""
        if evidence.file not in self._read:
            self._read[evidence.file] = self._load(evidence)
        return self._read[evidence.file]

    def _load(self, evidence: Evidence) -> Any:
        try:
            path = (self.folder / evidence.file).resolve(strict=True)
            if not path.is_relative_to(self.folder.resolve()):
                raise Contradiction(f"its evidence {evidence.file!r} lies outside of the run")
            data = path.read_bytes()
            if evidence.media_type == "application/json":
                return json_document(data, evidence.file)
        except (OSError, ValueError) as error:
            raise Contradiction(f"its evidence {evidence.file!r} cannot be read: {error}") from None
        except Refusal as refusal:
            raise Contradiction(str(refusal)) from None
        return data.decode("utf-8", "replace") if evidence.media_type.startswith("text/") else data


@dataclass(frozen=True)
class Moment:
    """A step of a scenario, the `words` that its phrase leaves open, and all that was seen until its end."""

    facts: Facts
    scenario: ScenarioResult
    step: int
    words: Mapping[str, str] = field(default_factory=dict)

    @property
    def results(self) -> Results:
        """The run's results."""
        return self.facts.results

    def seen(self, kind: str) -> list[Any]:
        """What was seen of this kind until the end of this step, oldest first."""
        return [self.facts.of(each) for each in self._of(kind) if (each.step or 0) <= self.step]

    def here(self, kind: str, *, name: str | None = None) -> list[Any]:
        """What was seen of this kind, and of this name where one is given, in this very step."""
        return [
            self.facts.of(each)
            for each in self._of(kind)
            if each.step == self.step and name in (None, each.name)
        ]

    def ever(self, kind: str) -> list[Any]:
        """What was seen of this kind in the whole scenario, later steps included."""
        return [self.facts.of(each) for each in self._of(kind)]

    def newest(self, kind: str) -> Any:
        """The last that was seen of this kind. Raises Contradiction where nothing was."""
        found = self.seen(kind)
        if not found:
            raise Contradiction(f"its evidence has no {kind}")
        return found[-1]

    def _of(self, kind: str) -> list[Evidence]:
        return [each for each in self.scenario.evidence if each.fact == kind and each.step is not None]


def require(holds: object, said: str) -> None:
    """Raise Contradiction unless it holds."""
    if not holds:
        raise Contradiction(said)
