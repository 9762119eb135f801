"""journalctl's choice of lines: by unit, by identifier, by time."""

from __future__ import annotations

import sys
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from simlab.machine.tools import journalctl

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(journalctl, "_LOGS", tmp_path)
    monkeypatch.setattr(journalctl, "_JOURNAL", tmp_path / "journal")
    return tmp_path


def said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    monkeypatch.setattr(sys, "argv", ["journalctl", *arguments])
    assert journalctl.main() == 0
    return capsys.readouterr().out.splitlines()


def test_lines_are_chosen_by_unit_identifier_and_time(
    logs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = datetime.now().astimezone()
    old, new = (f"{now - timedelta(seconds=ago):%Y-%m-%d %H:%M:%S},000" for ago in (120, 2))
    lines = [
        f"{old} simlab.node.kata.vm: qemu old",
        "  its second line",
        f"{new} simlab.node.kata.vm: qemu new",
        f"{new} simlab.node.podworker: pod",
    ]
    (logs / "node.log").write_text("\n".join(lines) + "\n")
    assert said(monkeypatch, capsys, "-u", "kubelet", "-u", "containerd") == lines
    assert said(monkeypatch, capsys, "-u", "kubelet", "--since=-60s") == lines[2:]
    assert said(monkeypatch, capsys, "-t", "kata", "--since=-60s", "--output=short-iso") == lines[2:3]
    assert said(monkeypatch, capsys, "-t", "kata", "--since=-1s") == ["-- No entries --"]


def test_a_time_that_is_none_is_refused(
    logs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["journalctl", "-u", "kubelet", "--since=soon"])
    assert journalctl.main() == 1
    assert capsys.readouterr().err == "Failed to parse timestamp: soon\n"
