"""Where two transcripts differ: questions that both labs were asked in a scenario, with unlike answers."""

from __future__ import annotations

import difflib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from simlab.compare.volatile import Names, Steady

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simlab.compare.transcript import Exchange, Transcript

_SHOWN_LINES: Final = 20
Key = tuple[str, str, str]


@dataclass(frozen=True)
class Difference:
    """One question and how the answers to it differ: `-` of the first lab, `+` of the second."""

    scenario: str
    clauses: tuple[str, ...]
    question: str
    lines: list[str]


@dataclass(frozen=True)
class Comparison:
    """What two transcripts have in common and what not; scenarios of one alone are not compared."""

    compared: int
    differences: list[Difference]
    only_first: list[str]
    only_second: list[str]
    scenarios: int


@dataclass
class _Answers:
    """What a lab answered to one question in one scenario: the last answer, and all of them."""

    exchange: Exchange
    last: tuple[str, ...] = ()
    all: set[tuple[str, ...]] = field(default_factory=set)

    def agrees(self, other: _Answers) -> bool:
        """Whether what one of the two came to is something that the other one saw as well."""
        return self.last in other.all or other.last in self.all


def compare(first: Transcript, second: Transcript) -> Comparison:
    """Compare what both labs were asked, each question by the last answer in its scenario.

    A state that is watched while it changes is seen in as many steps as the runner has time for, and may be
    left a step early: what it comes to is what counts, and the other lab must have seen that.
    """
    one, other = _answers(first), _answers(second)
    common = {key[0] for key in one} & {key[0] for key in other}
    shared = [key for key in one if key in other]
    return Comparison(
        compared=len(shared),
        differences=[
            Difference(key[0], one[key].exchange.clauses, _question(key), _changed(one[key], other[key]))
            for key in shared
            if not one[key].agrees(other[key])
        ],
        only_first=[_told(key) for key in one if key not in other and key[0] in common],
        only_second=[_told(key) for key in other if key not in one and key[0] in common],
        scenarios=len(common - {""}),
    )


def _answers(transcript: Transcript) -> dict[Key, _Answers]:
    """The answers to each question, in the order in which the questions were first asked."""
    steady = Steady(transcript)
    answers: dict[Key, _Answers] = {}
    for exchange in transcript.exchanges:
        command = str(exchange.asked.get("command", ""))
        names = Names(docker="docker ps" in command)
        asked = steady(exchange.asked, names)
        if exchange.protocol == "watch":
            # Each object that a watch tells of is a question of its own.
            asked["object"] = steady(_name(exchange.answered.get("body")), names)
        answered = exchange.answered
        if exchange.protocol == "file" and "content" not in answered:
            # What a lab packs itself, such as an initrd, has a size of its own.
            answered = {key: value for key, value in answered.items() if key != "size"}
        key = (exchange.scenario, exchange.protocol, json.dumps(asked, sort_keys=True, ensure_ascii=False))
        lines = tuple(_lines(steady(_without_deleted(answered), names)))
        if command.startswith("docker logs"):
            # How much of a log there is, and in which order its threads wrote, is chance.
            lines = tuple(sorted(set(lines)))
        known = answers.setdefault(key, _Answers(exchange))
        known.last = lines
        known.all.add(lines)
    return answers


def _without_deleted(answered: dict[str, Any]) -> dict[str, Any]:
    """An answer without objects that are being deleted: how far they got until then is chance."""
    body = answered.get("body")
    if not isinstance(body, dict):
        return answered
    if _is_deleted(body):
        return answered | {"body": "being deleted"}
    if isinstance(items := body.get("items"), list):
        return answered | {"body": body | {"items": [item for item in items if not _is_deleted(item)]}}
    return answered


def _is_deleted(item: Any) -> bool:
    metadata = item.get("metadata") if isinstance(item, dict) else None
    return isinstance(metadata, dict) and "deletionTimestamp" in metadata


def _name(body: Any) -> str:
    if not isinstance(body, dict):
        return ""
    metadata = body.get("metadata")
    # Events of one object are told by their reason: which comes last is chance.
    return " ".join(filter(None, (str((metadata or {}).get("name", "")), str(body.get("reason") or ""))))


def _lines(value: Any, path: str = "") -> Iterator[str]:
    """An answer as lines, each with the path of its field."""
    match value:
        case dict():
            for key in sorted(value):
                yield from _lines(value[key], f"{path}.{key}" if path else key)
        case list():
            for index, inner in enumerate(value):
                yield from _lines(inner, f"{path}[{index}]")
        case str():
            for line in value.splitlines() or [""]:
                yield f"{path}: {line}"
        case _:
            yield f"{path}: {json.dumps(value)}"


def _changed(one: _Answers, other: _Answers) -> list[str]:
    diff = difflib.unified_diff(one.last, other.last, n=0, lineterm="")
    lines = [line for line in diff if not line.startswith(("---", "+++", "@@"))]
    left = len(lines) - _SHOWN_LINES
    return [*lines[:_SHOWN_LINES], f"… {left} more lines"] if left > 0 else lines


def _question(key: Key) -> str:
    _, protocol, text = key
    asked: dict[str, Any] = json.loads(text)
    match protocol:
        case "command":
            return f"command: {asked['command']}"
        case "file":
            return f"file: {asked.get('does')} {asked.get('path')}"
        case "sql":
            return f"sql: {asked.get('statement')} {asked.get('parameters')}"
        case "kubernetes":
            query = "&".join(f"{name}={value}" for name, value in asked.get("query", {}).items())
            return f"kubernetes: {asked.get('method')} {asked.get('path')}" + (f"?{query}" if query else "")
        case "watch":
            return f"watch: {asked.get('path')}, {asked.get('object')}"
    return f"{protocol}: {text}"


def _told(key: Key) -> str:
    return f"{key[0] or 'for many scenarios'}: {_question(key)}"
