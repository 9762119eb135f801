"""One VM: QEMU's process, its monitor, its agent."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
import sys
from typing import TYPE_CHECKING, Final

from simlab.node import process
from simlab.node.kata import qemu_args
from simlab.node.kata.agent import Agent
from simlab.node.kata.errors import ShimError
from simlab.node.kata.qmp import Qmp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simlab.node.host import Host
    from simlab.node.kata.qemu_args import Machine

START_SECONDS: Final = 10.0  # virtcontainers/sandbox.go, VmStartTimeout
_QUIT_SECONDS: Final = 5.0
_LOOK_AGAIN_SECONDS: Final = 0.02

_log = logging.getLogger(__name__)


class Vm:
    """A QEMU process and the way to it. The guest's program is `simlab.guest` with QEMU's arguments."""

    def __init__(
        self, host: Host, machine: Machine, program: Sequence[str] = (sys.executable, "-m", "simlab.guest")
    ) -> None:
        self.machine = machine
        self._host = host
        self._program = tuple(program)
        self._process: asyncio.subprocess.Process | None = None
        self._stderr = bytearray()
        self._stderr_reader: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int:
        """QEMU's process id; 0 before it is started."""
        return self._process.pid if self._process else 0

    async def start(self) -> Qmp:
        """Start QEMU and connect to its monitor. Raises ShimError with what QEMU wrote when it gave up."""
        self._host.local(self.machine.folder).mkdir(parents=True, exist_ok=True)
        shared = f"{qemu_args.SHARED_FOLDERS}/{self.machine.sandbox_id}/shared"
        self._host.local(shared).mkdir(parents=True, exist_ok=True)
        argv = [*self._program, "--layout", str(self._host.layout.root), "--", *qemu_args.build(self.machine)]
        self._process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            preexec_fn=process.die_with_parent,
            start_new_session=True,
        )
        self._stderr_reader = asyncio.create_task(self._read_stderr(self._process))
        self._host.local(f"{self.machine.folder}/pid").write_text(f"{self._process.pid}\n")
        return await self._connect_monitor(self._process)

    async def agent(self, seconds: float) -> Agent:
        """Connect to the agent, which listens once the guest has booted. Raises ShimError after `seconds`."""
        path = self._host.local(self.machine.agent_socket)
        try:
            async with asyncio.timeout(seconds):
                while True:
                    with contextlib.suppress(OSError):
                        return await Agent.connect(path)
                    if not self.running:
                        raise ShimError("Failed to Check if grpc server is working: the VM is gone")
                    await asyncio.sleep(_LOOK_AGAIN_SECONDS)
        except TimeoutError:
            # virtcontainers/pkg/agent/protocols/client/client.go; a real agent listens on vsock port 1024.
            context_id = int(self.machine.sandbox_id[:8], 16)
            raise ShimError(
                "Failed to Check if grpc server is working: rpc error: code = DeadlineExceeded desc ="
                f" timed out connecting to vsock {context_id}:1024"
            ) from None

    @property
    def running(self) -> bool:
        """Whether QEMU's process lives."""
        return self._process is not None and self._process.returncode is None

    async def exited(self) -> None:
        """Wait until QEMU's process has ended."""
        if self._process is not None:
            await self._process.wait()

    async def stop(self, qmp: Qmp | None) -> None:
        """Ask QEMU to quit, kill it when it does not, and remove its folders."""
        if self._process is not None:
            if self.running and qmp is not None:
                with contextlib.suppress(ShimError, OSError, TimeoutError):
                    async with asyncio.timeout(_QUIT_SECONDS):
                        await qmp.execute("quit")
                        await self._process.wait()
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
        if self._stderr_reader is not None:
            self._stderr_reader.cancel()
        sandbox = f"{qemu_args.SHARED_FOLDERS}/{self.machine.sandbox_id}"
        for folder in (self.machine.folder, sandbox):
            await asyncio.to_thread(shutil.rmtree, self._host.local(folder), ignore_errors=True)

    async def _connect_monitor(self, qemu: asyncio.subprocess.Process) -> Qmp:
        path = self._host.local(self.machine.qmp_socket)
        try:
            async with asyncio.timeout(START_SECONDS):
                while True:
                    if qemu.returncode is not None:
                        raise await self._launch_error(qemu)
                    try:
                        return await Qmp.connect(path)
                    except ShimError:
                        await qemu.wait()
                    except OSError:
                        await asyncio.sleep(_LOOK_AGAIN_SECONDS)
        except TimeoutError:
            raise ShimError(
                f"Failed to connect to QEMU instance (timeout {START_SECONDS:.0f}s):"
                f" dial unix {self.machine.qmp_socket}: connect: no such file or directory"
            ) from None

    async def _launch_error(self, qemu: asyncio.subprocess.Process) -> ShimError:
        if self._stderr_reader is not None:
            await self._stderr_reader
        written = self._stderr.decode(errors="replace")
        return ShimError(
            f"failed to launch qemu: exit status {qemu.returncode}, error messages from qemu log: {written}"
        )

    async def _read_stderr(self, qemu: asyncio.subprocess.Process) -> None:
        if qemu.stderr is None:
            return
        while line := await qemu.stderr.readline():
            self._stderr += line
            _log.info("qemu %s: %s", self.machine.sandbox_id[:12], line.decode(errors="replace").rstrip())
