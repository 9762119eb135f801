from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from simlab.compare import transcript
from simlab.compare.differences import compare
from simlab.compare.volatile import Names, Steady

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Write = Callable[..., Path]


def exchange(protocol: str, asked: dict[str, Any], answered: dict[str, Any], **more: Any) -> dict[str, Any]:
    where = {"scenario": "f::s", "clauses": ["P-2.2"], "step": 0, "seconds": 0.1, "time": "t"}
    return {"protocol": protocol, "asked": asked, "answered": answered} | where | more


def uname(release: str) -> dict[str, Any]:
    return exchange("command", {"command": "uname -r"}, {"exit_code": 0, "stdout": f"{release}\n"})


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a transcript of these exchanges."""

    def make(name: str, *exchanges: dict[str, Any], run: str = "20261125T194814Z-cef0bc") -> Path:
        head = {"transcript": 1, "run": run, "lab": {"name": name, "ssh": {"host": f"{name}.example.org"}}}
        path = tmp_path / f"{name}.jsonl"
        path.write_text("".join(json.dumps(line) + "\n" for line in (head, *exchanges)))
        return path

    return make


def test_one_answer_that_differs_is_shown_with_its_question_and_clause(write: Write) -> None:
    same = exchange("command", {"command": "getenforce"}, {"exit_code": 0, "stdout": "Disabled\n"})
    found = compare(
        transcript.read(write("a", uname("5.10.1"), same)), transcript.read(write("b", uname("4.18.0"), same))
    )
    (difference,) = found.differences
    assert (found.compared, found.scenarios) == (2, 1)
    assert (difference.question, difference.clauses) == ("command: uname -r", ("P-2.2",))
    assert difference.lines == ["-stdout: 5.10.1", "+stdout: 4.18.0"]


def test_what_changes_from_run_to_run_is_no_difference(write: Write) -> None:
    def lab(name: str, run: str, *, uid: str, address: str, version: str) -> transcript.Transcript:
        pod = {"metadata": {"name": f"busybox-{run[-6:]}", "uid": uid, "resourceVersion": version}}
        pod |= {"status": {"podIP": address, "startTime": f"2026-11-25T19:0{version}:00Z"}}
        path = f"/api/v1/namespaces/default/pods/busybox-{run[-6:]}"
        asked = {"method": "GET", "path": path, "query": {}}
        log = exchange(
            "command", {"command": f"journalctl {uid}"}, {"stdout": f"{name}.example.org took {version}.5s"}
        )
        return transcript.read(write(name, exchange("kubernetes", asked, {"body": pod}), log, run=run))

    one = lab(
        "a",
        "20261125T194814Z-cef0bc",
        uid="18114d84-dd58-426e-a6fc-0e006034b7f6",
        address="10.1.2.3",
        version="3",
    )
    other = lab(
        "b",
        "20261126T000000Z-00ff11",
        uid="28114d84-dd58-426e-a6fc-0e006034b7f7",
        address="192.168.7.9",
        version="7",
    )
    found = compare(one, other)
    assert (found.compared, found.differences, found.only_first, found.only_second) == (2, [], [], [])


def test_two_values_that_one_lab_keeps_apart_are_a_difference(write: Write) -> None:
    first, second = "18114d84-dd58-426e-a6fc-0e006034b7f6", "28114d84-dd58-426e-a6fc-0e006034b7f7"
    fresh = exchange("command", {"command": "ids"}, {"stdout": f"{first} {second}"})
    again = exchange("command", {"command": "ids"}, {"stdout": f"{second} {second}"})
    found = compare(transcript.read(write("a", fresh)), transcript.read(write("b", again)))
    assert found.differences[0].lines == ["-stdout: ⟨uid 1⟩ ⟨uid 2⟩", "+stdout: ⟨uid 1⟩ ⟨uid 1⟩"]


def test_of_a_state_that_is_watched_the_last_counts(write: Write) -> None:
    def seen(*phases: str) -> list[dict[str, Any]]:
        return [
            exchange(
                "watch", {"path": "/p"}, {"body": {"metadata": {"name": "p"}, "status": {"phase": phase}}}
            )
            for phase in phases
        ]

    one = transcript.read(write("a", *seen("Pending", "Running")))
    assert compare(one, transcript.read(write("b", *seen("Running")))).differences == []
    assert compare(one, transcript.read(write("c", *seen("Pending", "Failed")))).differences
    assert compare(one, transcript.read(write("d", *seen("Pending")))).differences == [], "left a step early"


def test_how_far_what_is_deleted_got_is_no_difference(write: Write) -> None:
    def listed(*items: dict[str, Any]) -> list[dict[str, Any]]:
        return [exchange("kubernetes", {"method": "GET", "path": "/p"}, {"body": {"items": [*items]}})]

    going = {"metadata": {"name": "p", "deletionTimestamp": "2026-01-01T00:00:00Z"}}
    gone = transcript.read(write("a", *listed()))
    assert compare(transcript.read(write("b", *listed(going))), gone).differences == []
    assert compare(transcript.read(write("c", *listed({"metadata": {"name": "p"}}))), gone).differences


def test_how_much_of_a_log_there_is_is_no_difference(write: Write) -> None:
    def logged(text: str) -> dict[str, Any]:
        return exchange("command", {"command": "docker logs --since 60s kbs"}, {"stdout": text})

    one = transcript.read(write("a", logged("asked\nanswered")))
    assert compare(one, transcript.read(write("b", logged("asked\nanswered\nasked")))).differences == []
    assert compare(one, transcript.read(write("c", logged("asked\nrefused")))).differences


def test_scenarios_of_one_lab_alone_are_not_compared(write: Write) -> None:
    other = exchange("command", {"command": "uname -r"}, {"stdout": "x"}, scenario="f::other")
    found = compare(
        transcript.read(write("a", uname("5.10"), other)), transcript.read(write("b", uname("5.10")))
    )
    assert (found.compared, found.only_first) == (1, [])


def test_versions_and_numbers_that_mean_something_stay(write: Write) -> None:
    steady = Steady(transcript.read(write("a")))
    for text in (
        "5.10.134-13_rc2.an8.x86_64",
        "1:2.02-106.0.1.an8",
        "localhost:44444",
        "127.0.0.1:5000",
        "SEV API: 1.51 build:3",
        "kata-qemu-sev",
        "fw digest not valid",
        "SEV supported: 255 ASIDs",
    ):
        assert steady(text, Names()) == text


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "begins with the format's version"),
        ("no JSON\n", "line 1 is no JSON"),
        ("[]\n", "an object belongs here"),
        ('{"transcript": 2, "run": "r", "lab": {}}\n', "version 2"),
        ('{"transcript": 1, "run": "r", "lab": {}}\n{"protocol": "sql"}\n', "lacks"),
    ],
)
def test_what_is_no_transcript_is_one_clear_line(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text(content)
    with pytest.raises(transcript.TranscriptError, match=said):
        transcript.read(path)


def test_the_command_prints_the_differences_and_ends_with_1(write: Write, tmp_path: Path) -> None:
    def run(*files: Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "simlab", "compare", *map(str, files)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    one, other = write("a", uname("5.10")), write("b", uname("4.18"))
    told = run(one, other)
    assert (told.returncode, told.stderr) == (1, "")
    assert "+stdout: 4.18" in told.stdout
    assert run(one, one).returncode == 0
    missing = run(one, tmp_path / "none")
    assert (missing.returncode, missing.stdout) == (2, "")
    assert missing.stderr.startswith("simlab: ")
    assert "cannot be read" in missing.stderr
