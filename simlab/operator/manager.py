"""The manager's program: it waits to be the leader, then makes a pass for each CcRuntime that changes.

Passes that fail or want another soon come later each time, as controller-runtime's rate limiter has it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from simlab.kube.client import Api, ApiError, ApiUnreachableError
from simlab.kube.controllers.informer import Informer
from simlab.operator import names
from simlab.operator.leader import Leader
from simlab.operator.program import Program, say
from simlab.operator.reconciler import Again, ReconcileError, Reconciler
from simlab.release import versions

# client-go util/workqueue, DefaultControllerRateLimiter
_FIRST_SECONDS: Final = 0.005
_MOST_SECONDS: Final = 1000.0

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simlab.release.versions.release import Release


class Controller:
    """Passes for every CcRuntime, woken by changes of CcRuntimes and nodes."""

    def __init__(self, api: Api, namespace: str, worker: dict[str, str]) -> None:
        self._reconciler = Reconciler(api, namespace, worker, lambda line: _log("INFO", line))
        self._runtimes = Informer(api, names.CC_RUNTIMES)
        self._nodes = Informer(api, "/api/v1/nodes")
        self._due: dict[str, float] = {}
        self._tries: dict[str, int] = {}
        self._wake = asyncio.Event()
        self._runtimes.on_change(lambda before, after: self._enqueue(after or before))
        self._nodes.on_change(lambda _before, _after: self._enqueue_all())

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._runtimes.run())
            group.create_task(self._nodes.run())
            group.create_task(self._work())

    def _enqueue(self, runtime: dict[str, Any] | None) -> None:
        if runtime is not None:
            self._due[runtime["metadata"]["name"]] = 0.0
            self._wake.set()

    def _enqueue_all(self) -> None:
        for runtime in self._runtimes.all():
            self._enqueue(runtime)

    async def _work(self) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            self._wake.clear()
            for name in [name for name, due in self._due.items() if due <= clock()]:
                del self._due[name]
                delay = await self._pass(name)
                if delay is not None:
                    self._due.setdefault(name, clock() + delay)
            if self._wake.is_set():
                continue
            pause = min(self._due.values()) - clock() if self._due else None
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._wake.wait()

    async def _pass(self, name: str) -> float | None:
        """Do one pass; return in how many seconds the next is due."""
        try:
            again = await self._reconciler.reconcile(name)
        except (ApiError, ApiUnreachableError, ReconcileError) as error:
            _log("ERROR", "Reconciler error", controller="ccruntime", name=name, error=str(error))
            again = Again()
        if again is None or again.seconds is not None:
            self._tries.pop(name, None)
            return again.seconds if again else None
        tries = self._tries[name] = self._tries.get(name, -1) + 1
        return float(min(_FIRST_SECONDS * 2 ** min(tries, 30), _MOST_SECONDS))


async def run(program: Program) -> int:
    """Be the manager until SIGTERM; returns the exit status."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    namespace = os.environ.get("CCRUNTIME_NAMESPACE", "kube-system")
    api = Api.from_kubeconfig(program.layout.world / "operator.conf")
    try:
        work = asyncio.create_task(_lead(api, namespace, versions.of(program.layout)))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({work, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            work.result()
            _log("ERROR", "problem running manager", error="leader election lost")
            return 1
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        return 0
    finally:
        await api.close()


async def _lead(api: Api, namespace: str, release: Release) -> None:
    if release.namespace_labels:
        _log("INFO", "Labelling Namespace")
        labels = {"metadata": {"labels": dict(release.namespace_labels)}}
        await api.patch(f"/api/v1/namespaces/{namespace}", labels)
    _log("INFO", "starting manager")
    identity = f"{os.environ.get('HOSTNAME', names.ACCOUNT)}_{uuid.uuid4()}"
    leader = Leader(api, namespace, names.LEASE, identity)
    _log("INFO", f"attempting to acquire leader lease {namespace}/{names.LEASE}...")
    await leader.acquire()
    _log("INFO", f"successfully acquired lease {namespace}/{names.LEASE}")
    working = asyncio.create_task(Controller(api, namespace, release.worker_label).run())
    keeping = asyncio.create_task(leader.keep())
    try:
        done, _ = await asyncio.wait({working, keeping}, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in (working, keeping):
            task.cancel()
        await asyncio.gather(working, keeping, return_exceptions=True)


def _log(level: str, message: str, **fields: str) -> None:
    """Write a line as zap's console encoder does."""
    moment = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    say("\t".join([moment, level, message, *([json.dumps(fields)] if fields else [])]))


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line and run; returns the exit status."""
    return asyncio.run(run(Program.from_arguments(arguments)))


if __name__ == "__main__":
    sys.exit(main())
