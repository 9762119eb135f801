from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from lab.record import Exchange
from lab.secret import MASK, Redactor, Secret
from reports.model import ScenarioResult
from reports.transcript import LONGEST_LIST, LONGEST_TEXT, TranscriptFile

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SCENARIO = ScenarioResult(id="f::s", name="s", feature="f", file="f.feature", line=1, clauses=["P-2.2"])


@pytest.fixture
def redactor() -> Redactor:
    return Redactor()


@pytest.fixture
def lines_of(tmp_path: Path, redactor: Redactor) -> Callable[..., list[dict[str, Any]]]:
    """Writes exchanges to a transcript and reads it back; `then` happens before it is closed."""

    def write(*exchanges: Exchange, then: Callable[[], None] = lambda: None) -> list[dict[str, Any]]:
        path = tmp_path / "transcript.jsonl"
        transcript = TranscriptFile(path, redactor, run="r", lab={"name": "l"}, profile={"title": "p"})
        for exchange in exchanges:
            transcript.write(exchange, SCENARIO, 2)
        then()
        transcript.close()
        return [json.loads(line) for line in path.read_text().splitlines()]

    return write


def test_a_line_says_what_was_asked_what_was_answered_and_in_which_step(
    lines_of: Callable[..., list[dict[str, Any]]],
) -> None:
    head, line = lines_of(Exchange("command", {"command": "id"}, {"stdout": "0"}, 0.25))
    assert (head["transcript"], head["run"], head["lab"]) == (1, "r", {"name": "l"})
    assert (line["protocol"], line["asked"], line["answered"]) == (
        "command",
        {"command": "id"},
        {"stdout": "0"},
    )
    assert (line["scenario"], line["clauses"], line["step"], line["seconds"]) == ("f::s", ["P-2.2"], 2, 0.25)


def test_what_came_as_bytes_is_an_object_a_text_or_a_digest(
    lines_of: Callable[..., list[dict[str, Any]]],
) -> None:
    _, api, text, binary = lines_of(
        Exchange("kubernetes", {}, {"body": b'{"kind": "Pod"}'}),
        Exchange("file", {}, {"content": b"a = 1\n"}),
        Exchange("file", {}, {"content": b"\x00\xff"}),
    )
    assert api["answered"] == {"body": {"kind": "Pod"}}
    assert (text["answered"]["content"], text["answered"]["size"]) == ("a = 1\n", 6)
    assert set(binary["answered"]) == {"size", "sha256"}


def test_secrets_are_in_no_line_also_those_that_the_run_learned_later(
    lines_of: Callable[..., list[dict[str, Any]]], redactor: Redactor
) -> None:
    redactor.learn(Secret("early-secret"))
    lines = lines_of(
        Exchange("command", {"command": "a"}, {"stdout": "early-secret and late-secret"}),
        Exchange("command", {"command": "b"}, {"stdout": "KBS_DB_PW=by-its-name\npassword: 'by-its-name'"}),
        Exchange("file", {}, {"content": b"-----BEGIN PRIVATE KEY-----\nby-its-form\n"}),
        Exchange("kubernetes", {}, {"body": {"kind": "Secret", "data": {"a": "by-its-kind"}}}),
        Exchange("sql", {}, {"rows": [{"symkey": "by-its-column"}]}),
        then=lambda: redactor.learn(Secret("late-secret")),
    )
    for secret in ("early-secret", "late-secret", "by-its-"):
        assert secret not in json.dumps(lines)
    assert lines[1]["answered"]["stdout"] == f"{MASK} and {MASK}"


def test_what_is_long_is_cut_and_says_so(lines_of: Callable[..., list[dict[str, Any]]]) -> None:
    _, text, objects = lines_of(
        Exchange("command", {}, {"stdout": "a" * LONGEST_TEXT + "bc"}),
        Exchange("kubernetes", {}, {"body": {"items": [1] * (LONGEST_LIST + 3)}}),
    )
    assert "[… 2 characters …]" in text["answered"]["stdout"]
    assert objects["answered"]["body"]["items"][-1] == "[… 3 more …]"
