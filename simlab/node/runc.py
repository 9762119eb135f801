"""runc: containers on the host itself, as bubblewrap sandboxes on their unpacked root directories."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal as signals
from typing import TYPE_CHECKING

from simlab.node import process
from simlab.node.containerd.shim import LogChunk
from simlab.node.rpc import RpcError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from simlab.node.containerd.shim import ContainerSpec
    from simlab.node.host import Host


class RuncShim:
    """A sandbox without a VM. Its pause container would hold nothing: the lab's pods share one network."""

    def __init__(self, host: Host, sandbox_id: str) -> None:
        self.sandbox_id = sandbox_id
        self._host = host
        self._specs: dict[str, ContainerSpec] = {}
        self._processes: dict[str, asyncio.subprocess.Process] = {}
        self._stopped = asyncio.Event()

    async def create(self) -> None:
        """Nothing to bring up."""

    async def pull_image(self, image: str) -> str:
        """Refuse: runc knows no images."""
        raise RpcError("Unimplemented", f"service containerd.task.v2.Image cannot pull {image}")

    async def create_container(self, spec: ContainerSpec) -> None:
        """Keep what is to be started. Raises RpcError when there is nothing to start."""
        if not spec.args:
            raise RpcError("Unknown", "no command specified")
        self._specs[spec.container_id] = spec

    async def start_container(self, container_id: str) -> None:
        """Start a container. Raises RpcError when its program does not exist."""
        spec = self._specs[container_id]
        root = self._host.local(spec.rootfs)
        argv = [
            "bwrap",
            "--die-with-parent",
            "--unshare-pid",
            "--bind",
            str(root),
            "/",
            "--proc",
            "/proc",
            "--dev",
            "/dev",
        ]
        argv += [
            "--clearenv",
            *(part for key, value in spec.env.items() for part in ("--setenv", key, value)),
        ]
        self._processes[container_id] = await asyncio.create_subprocess_exec(
            *argv,
            "--chdir",
            spec.cwd or "/",
            "--",
            *spec.args,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            preexec_fn=process.die_with_parent,
            start_new_session=True,
        )

    async def wait_container(self, container_id: str) -> int:
        """Exit code; 128 and the signal's number for a container that was killed."""
        code = await self._processes[container_id].wait()
        return code if code >= 0 else 128 - code

    async def logs(self, container_id: str) -> AsyncIterator[LogChunk]:
        """Output of a container, both streams as one."""
        output = self._processes[container_id].stdout
        while output is not None and (data := await output.read(65536)):
            yield LogChunk("stdout", data)

    async def signal_container(self, container_id: str, signal: int) -> None:
        """Send a signal to the container's processes. Raises RpcError when it has ended."""
        running = self._processes.get(container_id)
        if running is None or running.returncode is not None:
            raise RpcError("NotFound", "process already finished: not found")
        with contextlib.suppress(ProcessLookupError):
            os.killpg(running.pid, signal)

    async def remove_container(self, container_id: str) -> None:
        """Forget a container."""
        self._specs.pop(container_id, None)
        self._processes.pop(container_id, None)

    async def wait(self) -> None:
        """Wait until the sandbox is stopped."""
        await self._stopped.wait()

    async def stop(self) -> None:
        """Kill every container."""
        for running in self._processes.values():
            if running.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(running.pid, signals.SIGKILL)
                await running.wait()
        self._stopped.set()
