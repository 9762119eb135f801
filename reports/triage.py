"""Why a scenario is not proved: the layer, the cause, the words that say so, and what is next.

The rules are data, docs/triage.toml. The first whose conditions all hold decides. They look at what the
system said while the scenario failed (events, journal, logs, the KBS's raw answers, its rows), and at the
error that ended it, which quotes the system. Where no rule knows the words, the clause says whose they are if
it is one of a state, as its error tells what a look at the system found; else the layer is unknown, and the
evidence named.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args

from lab.fact import SHOWN
from lab.printable import shortened
from reports.model import Layer, Said, Triage

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from reports.model import Evidence

RULES: Final = Path(__file__).parents[1] / "docs" / "triage.toml"
ERROR: Final = "error"  # the source that is no evidence: what ended the scenario
LONGEST_QUOTE: Final = 400
READ_LIMIT: Final = 1 << 20  # the end of a longer file is read: causes tend to stand last


@dataclass(frozen=True)
class Heard:
    """What one source said: a piece of evidence as its file has it, or the error."""

    source: str
    text: str
    file: str | None = None


@dataclass(frozen=True)
class Condition:
    """One of `sources` has a line that `words` match."""

    sources: tuple[str, ...]
    words: re.Pattern[str]

    def quote(self, heard: Sequence[Heard]) -> tuple[Said, Mapping[str, str]] | None:
        """The words that hold it, of the first source named and its newest piece, and their parts."""
        for source in self.sources:
            for each in [each for each in reversed(heard) if each.source == source]:
                for line in reversed(each.text.splitlines()):
                    if found := self.words.search(line):
                        return _said(each, line, found.start()), found.groupdict("")
        return None


@dataclass(frozen=True)
class Rule:
    """Conditions that hold together, none of `unless`, and what follows from them."""

    id: str
    layer: Layer
    when: tuple[Condition, ...]
    unless: tuple[Condition, ...]
    cause: str
    next: str
    source: str

    def diagnose(self, heard: Sequence[Heard]) -> Triage | None:
        """What the rule says; None where it does not know these words."""
        if any(each.quote(heard) for each in self.unless):
            return None
        evidence: list[Said] = []
        parts: dict[str, str] = {}
        for condition in self.when:
            found = condition.quote(heard)
            if found is None:
                return None
            evidence.append(found[0])
            parts |= found[1]
        return Triage(
            layer=self.layer,
            rule=self.id,
            cause=shortened(self.cause.format_map(parts), LONGEST_QUOTE),
            evidence=evidence,
            next=self.next.format_map(parts),
        )


@dataclass(frozen=True)
class Place:
    """Whose the state is that a clause is about, and where a person looks."""

    layer: Layer
    next: str


@dataclass(frozen=True)
class Rules:
    """The rules in their order, and the places of the clauses that are states."""

    rules: tuple[Rule, ...]
    places: Mapping[str, Place]

    @classmethod
    @cache
    def read(cls, path: Path = RULES) -> Rules:
        """The rules of the suite."""
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        places = {
            clause: Place(_layer(entry["layer"]), entry["next"])
            for entry in document["state"]
            for clause in entry["clauses"]
        }
        return cls(tuple(_rule(entry) for entry in document["rule"]), places)


def diagnose(
    heard: Sequence[Heard], rules: Rules, *, clauses: Sequence[str] = (), owner: str | None = None
) -> Triage:
    """Hold what was said to every rule. `clauses` are the scenario's, `owner` owns the cause."""
    for rule in rules.rules:
        if triage := rule.diagnose(heard):
            return triage
    error = next((each for each in heard if each.source == ERROR), Heard(ERROR, ""))
    reason = error.text.partition("\n")[0].partition(": ")[2]
    told = [_said(error, reason, 0)] if reason else []
    asked = [owner] if owner else clauses
    place = next((rules.places[clause] for clause in asked if clause in rules.places), None)
    if place is not None:
        return Triage(layer=place.layer, rule="state", cause=reason, evidence=told, next=place.next)
    others = [_said(each, _last_line(each.text), 0) for each in heard if each.file]
    return Triage(
        layer=None,
        rule="",
        cause=f"no rule of docs/triage.toml knows these words: {reason}",
        evidence=told + others[-5:],
        next="Read the evidence of the step that ended the scenario, the last file first.",
    )


def hear(kind: str, text: str, evidence: Iterable[Evidence], folder: Path, step: int | None) -> list[Heard]:
    """What there is to be heard: the error by its kind and text, and the evidence of the step it ended."""
    told = [Heard(ERROR, f"{kind}: {text}")]
    for entry in evidence:
        if entry.fact is not None and entry.fact not in SHOWN and entry.step == step:
            data = (folder / entry.file).read_bytes()[-READ_LIMIT:]
            told.append(Heard(entry.fact, data.decode("utf-8", "replace"), entry.file))
    return told


def sentence(triage: Triage) -> str:
    """The triage on one line."""
    layer = triage.layer or "unknown layer"
    files = dict.fromkeys(f"{each.source} in {each.file}" for each in triage.evidence if each.file)
    says = f" Says: {', '.join(files)}." if files else ""
    return f"{layer}: {triage.cause.rstrip('.')}.{says} Next: {triage.next}"


def _said(each: Heard, line: str, at: int) -> Said:
    """A line, or as much of a long one as stands around the place that tells."""
    start = max(0, at - LONGEST_QUOTE // 4)
    words = ("…" if start else "") + line[start:].strip()
    return Said(source=each.source, file=each.file, words=shortened(words, LONGEST_QUOTE))


def _last_line(text: str) -> str:
    return next((line for line in reversed(text.splitlines()) if line.strip()), "(nothing)")


def _layer(name: str) -> Layer:
    if name not in get_args(Layer):
        raise ValueError(f"{RULES.name}: {name!r} is no layer: {', '.join(get_args(Layer))}")
    layer: Layer = name  # type: ignore[assignment]
    return layer


def _rule(entry: Mapping[str, Any]) -> Rule:
    return Rule(
        id=entry["id"],
        layer=_layer(entry["layer"]),
        when=tuple(map(_condition, entry["when"])),
        unless=tuple(map(_condition, entry.get("unless", []))),
        cause=entry["cause"],
        next=entry["next"],
        source=entry["source"],
    )


def _condition(entry: Mapping[str, Any]) -> Condition:
    return Condition(tuple(entry["in"]), re.compile(entry["words"]))
