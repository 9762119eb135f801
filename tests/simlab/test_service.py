from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from simlab import service
from simlab.service import Service, ServiceError, Spec, file_exists

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from pathlib import Path


async def at_once() -> bool:
    return True


async def never() -> bool:
    return False


def shell(tmp_path: Path, script: str, ready: Callable[[], Awaitable[bool]] = at_once) -> Service:
    return Service(Spec("example", lambda: ["sh", "-c", script], ready), tmp_path / "example.log")


def run(work: Coroutine[None, None, None]) -> None:
    asyncio.run(asyncio.wait_for(work, 20))


def test_a_death_at_start_is_told_with_the_logs_tail(tmp_path: Path) -> None:
    dying = shell(tmp_path, "echo one; echo two >&2; exit 5", never)
    with pytest.raises(ServiceError) as error:
        run(dying.start())
    assert str(error.value) == "example died at start (exit status 5)\n  | one\n  | two"


def test_one_that_is_not_ready_in_time_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "READY_SECONDS", 0.2)
    slow = shell(tmp_path, "exec sleep 30", never)

    async def use() -> None:
        with pytest.raises(ServiceError, match="example was not ready after 0 s"):
            await slow.start()
        await slow.stop()

    run(use())


def test_it_stops_when_asked_and_is_killed_when_it_does_not(tmp_path: Path) -> None:
    def trapping(action: str, name: str) -> str:
        return f"trap '{action}' TERM; touch {tmp_path / name}; while :; do sleep 0.02; done"

    async def use() -> None:
        polite = shell(tmp_path, trapping("exit 4", "polite"), file_exists(tmp_path / "polite"))
        stubborn = shell(tmp_path, trapping("", "stubborn"), file_exists(tmp_path / "stubborn"))
        for each in (polite, stubborn):
            await each.start()
        await polite.stop()
        await stubborn.stop(0.2)
        assert (polite.exit_code, stubborn.exit_code) == (4, -9)
        assert not polite.running

    run(use())


def test_each_line_of_output_is_heard_and_logged(tmp_path: Path) -> None:
    heard: list[bytes] = []
    talker = shell(tmp_path, "echo one; echo two; printf three")
    talker.on_line = heard.append

    async def use() -> None:
        await talker.spawn()
        await talker.ended()

    run(use())
    assert heard == [b"one\n", b"two\n", b"three"]
    assert talker.log.read_bytes() == b"one\ntwo\nthree"
