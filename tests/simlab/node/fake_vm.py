"""A VM without QEMU, for tests of what the shim does around it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from simlab.node.kata.errors import ShimError
from simlab.node.kata.qmp import SevInfo

if TYPE_CHECKING:
    from simlab.node.host import Host
    from simlab.node.kata.qemu_args import Machine


class FakeVm:
    """QEMU, its monitor and its agent in one object."""

    last: FakeVm

    def __init__(self, host: Host, machine: Machine) -> None:
        self.machine = machine
        self.log: list[str] = []
        self.injected: tuple[str, str] | None = None
        self.stopped = False
        self.injection_error = ""
        FakeVm.last = self
        self._host = host

    async def start(self) -> FakeVm:
        self.log.append("start")
        return self

    async def agent(self, seconds: float) -> FakeVm:
        self.log.append("agent")
        return self

    async def call(self, method: str, *, limit: float | None = None, **params: Any) -> Any:
        self.log.append(method)
        return {}

    async def launch_measure(self) -> str:
        return "measurement"

    async def query_sev(self) -> SevInfo:
        return SevInfo(1, 42, 42)

    async def inject_launch_secret(self, header: str, secret: str) -> None:
        if self._host.local("/root/too-long").exists():
            raise ShimError("QMP command failed: SEV: failed to inject secret")
        self.injected = (header, secret)

    async def execute(self, command: str) -> None:
        self.log.append(command)

    async def exited(self) -> None:
        await asyncio.Event().wait()

    async def close(self) -> None:
        self.log.append("close")

    async def stop(self, _: object) -> None:
        self.stopped = True
