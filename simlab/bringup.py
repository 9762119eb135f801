"""Starting things in the order of what they need, side by side where they do not need each other."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence


@dataclass(frozen=True)
class Step:
    """Something to be done once; `needs` names the steps that must be done before."""

    name: str
    needs: tuple[str, ...]
    run: Callable[[], Awaitable[None]]


async def bring_up(steps: Sequence[Step], on_done: Callable[[str, float], None]) -> None:
    """Run every step as soon as what it needs is done; `on_done` hears its name and how many seconds it took.

    The first failure ends the others and is raised as it is.
    """
    sorter = TopologicalSorter({step.name: step.needs for step in steps})
    sorter.prepare()
    by_name = {step.name: step for step in steps}
    clock = asyncio.get_running_loop().time

    async def timed(step: Step) -> str:
        begin = clock()
        await step.run()
        on_done(step.name, clock() - begin)
        return step.name

    running: set[asyncio.Task[str]] = set()
    try:
        while sorter.is_active():
            running |= {asyncio.create_task(timed(by_name[name])) for name in sorter.get_ready()}
            done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                sorter.done(task.result())
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
