"""runc: containers on the host itself, as bubblewrap sandboxes on their unpacked root directories."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal as signals
import sys
from typing import TYPE_CHECKING

from simlab.node import process
from simlab.node.containerd.shim import LogChunk
from simlab.node.rpc import RpcError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from simlab.node.containerd.shim import ContainerSpec
    from simlab.node.host import Host


class RuncShim:
    """A sandbox without a VM. Its pause container would hold nothing: the lab's pods share one network.

    An image that names a program of the lab's has that started in the container's stead, by the lab's Python:
    it is told the command, and where the container's root and mounts are, and keeps to them by itself.
    """

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
        for mount in spec.mounts:
            # containerd 1.6 pkg/cri/opts/spec_linux.go: a source that is missing becomes a folder
            self._host.local(mount.host_path).mkdir(parents=True, exist_ok=True)
        self._specs[spec.container_id] = spec

    async def start_container(self, container_id: str) -> None:
        """Start a container. Raises RpcError when its program does not exist."""
        spec = self._specs[container_id]
        self._processes[container_id] = await self._run(spec, spec.args)

    async def run_in_container(self, container_id: str, command: Sequence[str]) -> int:
        """Run a command on the container's root and return its exit code; its output is dropped."""
        running = await self._run(self._specs[container_id], command)
        try:
            await running.communicate()
        finally:
            if running.returncode is None:
                self._kill(running, signals.SIGKILL)
        return await _exit_code(running)

    async def wait_container(self, container_id: str) -> int:
        """Exit code; 128 and the signal's number for a container that was killed."""
        return await _exit_code(self._processes[container_id])

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
        self._kill(running, signal)

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
                self._kill(running, signals.SIGKILL)
                await running.wait()
        self._stopped.set()

    async def _run(self, spec: ContainerSpec, command: Sequence[str]) -> asyncio.subprocess.Process:
        argv = self._program(spec, command) if spec.program else self._sandbox(spec, command)
        return await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, **spec.env} if spec.program else None,
            preexec_fn=process.die_with_parent,
            start_new_session=True,
        )

    def _sandbox(self, spec: ContainerSpec, command: Sequence[str]) -> list[str]:
        argv = [
            "bwrap",
            "--die-with-parent",
            "--unshare-pid",
            "--bind",
            str(self._host.local(spec.rootfs)),
            "/",
        ]
        for mount in spec.mounts:
            how = "--ro-bind" if mount.read_only else "--bind"
            argv += [how, str(self._host.local(mount.host_path)), mount.container_path]
        argv += ["--proc", "/proc", "--dev", "/dev", "--clearenv"]
        for key, value in spec.env.items():
            argv += ["--setenv", key, value]
        return [*argv, "--chdir", spec.cwd or "/", "--", *command]

    def _program(self, spec: ContainerSpec, command: Sequence[str]) -> list[str]:
        argv = [sys.executable, "-m", spec.program, "--root", str(self._host.layout.root)]
        argv += ["--mount", f"/={self._host.local(spec.rootfs)}"]
        for mount in spec.mounts:
            argv += ["--mount", f"{mount.container_path}={self._host.local(mount.host_path)}"]
        return [*argv, "--", *command]

    def _kill(self, running: asyncio.subprocess.Process, signal: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(running.pid, signal)


async def _exit_code(running: asyncio.subprocess.Process) -> int:
    code = await running.wait()
    return code if code >= 0 else 128 - code
