from __future__ import annotations

import asyncio
import time

import pytest

from simlab.bringup import Step, bring_up


def ignore(_name: str, _seconds: float) -> None:
    pass


def test_a_step_waits_for_what_it_needs_and_for_nothing_else() -> None:
    done: list[str] = []
    slow_may_end = asyncio.Event()

    async def slow() -> None:
        await slow_may_end.wait()
        done.append("slow")

    async def quick() -> None:
        done.append("quick")

    async def after_quick() -> None:
        done.append("after quick")
        slow_may_end.set()

    steps = [
        Step("slow", (), slow),
        Step("after quick", ("quick",), after_quick),
        Step("quick", (), quick),
    ]
    asyncio.run(asyncio.wait_for(bring_up(steps, ignore), 5))
    assert done == ["quick", "after quick", "slow"]


def test_the_first_failure_ends_the_others_and_is_told_as_it_is() -> None:
    ended: list[str] = []

    async def endless() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("endless")

    async def fail() -> None:
        raise ValueError("no luck")

    async def never() -> None:
        ended.append("never")

    steps = [Step("endless", (), endless), Step("fails", (), fail), Step("never", ("fails",), never)]
    begin = time.monotonic()
    with pytest.raises(ValueError, match="no luck"):
        asyncio.run(bring_up(steps, ignore))
    assert ended == ["endless"]
    assert time.monotonic() - begin < 5
