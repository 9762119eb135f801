"""Reads transcripts: docs/transcripts.md describes their format, and nothing else of the suite is known."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pathlib import Path

VERSION: Final = 1


class TranscriptError(Exception):
    """A file that is no transcript, or one that this version cannot read."""


@dataclass(frozen=True)
class Exchange:
    """A question and its answer; `scenario` is empty for what served many scenarios."""

    protocol: str
    scenario: str
    clauses: tuple[str, ...]
    asked: dict[str, Any]
    answered: dict[str, Any]


@dataclass(frozen=True)
class Transcript:
    """A run's exchanges in their order; `head` tells of the run, its lab and its profile."""

    path: Path
    head: dict[str, Any]
    exchanges: list[Exchange]

    @property
    def name(self) -> str:
        """The lab and the run."""
        return f"{self.head['lab'].get('name', 'unnamed')}, run {self.head['run']}"


def read(path: Path) -> Transcript:
    """Read a transcript. Raises TranscriptError, which names the file and the line."""
    try:
        with path.open(encoding="utf-8", errors="surrogateescape") as file:
            lines = [_parsed(path, number, line) for number, line in enumerate(file, 1)]
    except OSError as error:
        raise TranscriptError(f"{path} cannot be read: {error.strerror}") from None
    if not lines or "transcript" not in lines[0]:
        raise TranscriptError(f"{path}, line 1: a transcript begins with the format's version and the run")
    head, *rest = lines
    if head["transcript"] != VERSION:
        raise TranscriptError(f"{path} has version {head['transcript']} of the format; readable is {VERSION}")
    try:
        exchanges = [_exchange(line) for line in rest if "ended" not in line]
        return Transcript(path, {"run": head["run"], "lab": dict(head["lab"]), **head}, exchanges)
    except (KeyError, TypeError, ValueError) as error:
        raise TranscriptError(f"{path}: a line lacks what docs/transcripts.md says: {error}") from None


def _parsed(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        parsed = json.loads(line)
    except ValueError as error:
        raise TranscriptError(f"{path}, line {number} is no JSON: {error}") from None
    if not isinstance(parsed, dict):
        raise TranscriptError(f"{path}, line {number}: an object belongs here, found {line.strip()[:40]!r}")
    return parsed


def _exchange(line: dict[str, Any]) -> Exchange:
    return Exchange(
        line["protocol"],
        line["scenario"] or "",
        tuple(line["clauses"]),
        dict(line["asked"]),
        dict(line["answered"]),
    )
