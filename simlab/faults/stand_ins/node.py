"""The node's containerd, but not as its configuration wants it."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from simlab.node.__main__ import main
from simlab.node.containerd.cri import Cri
from simlab.node.containerd.shim import ContainerSpec, LogChunk
from simlab.node.rpc import RpcError
from simlab.node.runc import RuncShim

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from simlab.layout import Layout
    from simlab.node.containerd.config import Runtime
    from simlab.node.containerd.records import Container, Sandbox, SandboxConfig
    from simlab.node.containerd.shim import Shim

_KATA = "kata"


class RunsEverythingInRunc(Cri):
    """Starts no VM for a runtime of kata's, but a container on the host."""

    def _new_shim(self, runtime: Runtime, sandbox_id: str, wanted: SandboxConfig) -> Shim:
        del runtime, wanted
        return RuncShim(self._host, sandbox_id)


class PullsOnTheHostToo(Cri):
    """Has the guest pull, and the host as well."""

    async def pull_image(self, sandbox: Sandbox, image: str) -> str:
        """Pull an image for a sandbox, and another time for the host. Raises RpcError."""
        with contextlib.suppress(RpcError):
            await self.images.pull(image)
        return await super().pull_image(sandbox, image)


class Phantom(RuncShim):
    """A sandbox in which nothing runs; it says that all does."""

    async def create_container(self, spec: ContainerSpec) -> None:
        """Say that there is a container."""

    async def start_container(self, container_id: str) -> None:
        """Say that it runs."""

    async def wait_container(self, container_id: str) -> int:
        """Wait for the sandbox's end."""
        del container_id
        await self._stopped.wait()
        return 0

    async def logs(self, container_id: str) -> AsyncIterator[LogChunk]:
        """Wait for the sandbox's end, and say nothing."""
        del container_id
        await self._stopped.wait()
        yield LogChunk("stdout", b"")


class StartsNothing(Cri):
    """Starts no VM for a runtime of kata's, and tells kubelet that all is well."""

    def _new_shim(self, runtime: Runtime, sandbox_id: str, wanted: SandboxConfig) -> Shim:
        if _KATA in runtime.name:
            return Phantom(self._host, sandbox_id)
        return super()._new_shim(runtime, sandbox_id, wanted)

    async def pull_image(self, sandbox: Sandbox, image: str) -> str:
        """Pull an image for a sandbox. Raises RpcError."""
        return image if isinstance(sandbox.shim, Phantom) else await super().pull_image(sandbox, image)

    async def _spec(self, sandbox: Sandbox, container: Container) -> ContainerSpec:
        if isinstance(sandbox.shim, Phantom):
            return ContainerSpec(container.container_id, container.config.image)
        return await super()._spec(sandbox, container)


class HangsAtKata(Cri):
    """Takes a sandbox of a runtime of kata's, and is never done with it."""

    async def run_pod_sandbox(
        self, wanted: SandboxConfig, handler: str, on_change: Callable[[], None]
    ) -> Sandbox:
        """Start a sandbox. Raises RpcError."""
        if _KATA in handler:
            await asyncio.Event().wait()
        return await super().run_pod_sandbox(wanted, handler, on_change)


def runs_runc(_layout: Layout) -> None:
    """Run a node whose kata is runc."""
    main(RunsEverythingInRunc)


def pulls_on_host(_layout: Layout) -> None:
    """Run a node whose containerd pulls what the guest pulls."""
    main(PullsOnTheHostToo)


def starts_nothing(_layout: Layout) -> None:
    """Run a node on which nothing runs."""
    main(StartsNothing)


def hangs_at_kata(_layout: Layout) -> None:
    """Run a node on which no pod of kata's comes up."""
    main(HangsAtKata)
