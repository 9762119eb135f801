"""Acts: what a fault does to a lab while it comes up, as steps of its start."""

from __future__ import annotations

import asyncio
import subprocess
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from simlab import addresses, compose
from simlab.bringup import Step
from simlab.machine import sandbox

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from simlab.layout import Layout

# The lab is as somebody leaves it who followed the guide; the lab file then says that it is ready.
_WHOLE: Final = ("ready", "docker", "controllers", "chain")
_SECONDS: Final = 60.0


class ActError(Exception):
    """A fault could not be brought about; the message says what was tried and what came of it."""


@dataclass(frozen=True)
class Act:
    """Something done to the lab after the steps `after` of its start, and before those in `before`."""

    do: Callable[[Layout], object]
    after: tuple[str, ...] = _WHOLE
    before: tuple[str, ...] = ("labfile",)


def on_host(script: str) -> Act:
    """A shell script that root runs on the host of a lab that is whole."""

    def run(layout: Layout) -> None:
        _run(sandbox.argv(layout, ["/bin/bash", "-euo", "pipefail", "-c", script]), script)

    return Act(run)


def in_database(*statements: str) -> Act:
    """SQL on simple-kbs' database, as its user."""
    login = (
        f"mysql --user={compose.DATABASE_USER} --password={compose.DATABASE_PASSWORD}"
        f" --host={addresses.DATABASE_IP} {compose.DATABASE_NAME}"
    )
    return on_host(f"{login} <<'END'\n" + "".join(f"{each};\n" for each in statements) + "END")


def on_disk(do: Callable[[Layout], object]) -> Act:
    """A change of the files on the host's disk before it boots."""
    return Act(do, after=("disk",), before=("kernel",))


def with_acts(steps: Sequence[Step], acts: Sequence[Act], layout: Layout) -> list[Step]:
    """Return a lab's steps with those of a fault among them, the acts one after the other."""
    found = list(steps)
    earlier: tuple[str, ...] = ()
    for number, act in enumerate(acts, start=1):
        name = f"fault-{number}"
        found = [
            replace(step, needs=(*step.needs, name)) if step.name in act.before else step for step in found
        ]
        found.append(Step(name, (*act.after, *earlier), _thread(act, layout)))
        earlier = (name,)
    return found


def _thread(act: Act, layout: Layout) -> Callable[[], Awaitable[None]]:
    async def run() -> None:
        await asyncio.to_thread(act.do, layout)

    return run


def _run(argv: list[str], told: str) -> None:
    done = subprocess.run(
        argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=_SECONDS
    )
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip() or "nothing"
        raise ActError(f"`{told}` ended with {done.returncode}: {said}")
