"""Containers in a guest: processes with an own root, process tree and network, by bubblewrap."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_READ_SIZE: Final = 65536
_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class ContainerError(Exception):
    """A container cannot be made or is not in the state that a request needs."""


@dataclass(frozen=True)
class Process:
    """What a container runs. `args[0]` without a slash is looked up in the environment's PATH."""

    args: Sequence[str]
    env: Mapping[str, str]
    cwd: str


class Container:
    """One container on the root folder `rootfs`, which it may write to."""

    def __init__(self, rootfs: Path, process: Process) -> None:
        """Raise ContainerError where the program does not exist, as rustjail does on creation."""
        if not process.args or not _find(rootfs, process.args[0], process.env.get("PATH", _PATH)):
            raise ContainerError("No such file or directory (os error 2)")
        self.exit_code: int | None = None
        self._rootfs = rootfs
        self._process = process
        self._running: asyncio.subprocess.Process | None = None
        self._pid = 0
        self._output: list[tuple[str, bytes]] = []
        self._changed = asyncio.Condition()
        self._watcher: asyncio.Task[None] | None = None

    @property
    def state(self) -> str:
        """`created`, `running` or `stopped`."""
        if self.exit_code is not None:
            return "stopped"
        return "running" if self._running else "created"

    @property
    def pid(self) -> int:
        """The container's first process as the runner sees it; 0 before it is started."""
        return self._pid

    async def start(self) -> None:
        """Start the process."""
        if self._running:
            raise ContainerError("container already started")
        arguments = os.memfd_create("bubblewrap")
        os.write(arguments, b"".join(option.encode() + b"\0" for option in self._options()))
        os.lseek(arguments, 0, os.SEEK_SET)
        info_read, info_write = os.pipe()
        try:
            # Options in a file: environment and folders do not show in the process list.
            self._running = await asyncio.create_subprocess_exec(
                "bwrap",
                "--info-fd",
                str(info_write),
                "--args",
                str(arguments),
                "--",
                *self._process.args,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                pass_fds=(arguments, info_write),
                start_new_session=True,
            )
        finally:
            os.close(arguments)
            os.close(info_write)
        self._pid = await asyncio.to_thread(_child_pid, info_read)
        self._watcher = asyncio.create_task(self._watch(self._running))

    async def wait(self) -> int:
        """Wait for the process's end; return its exit code, 128 and the signal's number if one ended it."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.exit_code is not None)
        return self.exit_code or 0

    async def output(self, offset: int) -> tuple[str, bytes, bool]:
        """Wait for output beyond `offset` bytes: its stream, the bytes, and whether it was the last.

        Bytes of both streams count, in the order in which they came.
        """
        async with self._changed:
            await self._changed.wait_for(lambda: self.exit_code is not None or self._size() > offset)
            at = 0
            for stream, data in self._output:
                if at + len(data) > offset:
                    end = self.exit_code is not None and at + len(data) == self._size()
                    return stream, data[offset - at :], end
                at += len(data)
            return "stdout", b"", True

    def signal(self, number: int) -> None:
        """Send a signal to the container's first process. Raises ContainerError when there is none."""
        if self.state != "running":
            raise ContainerError("process already finished")
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, number)

    async def remove(self) -> None:
        """Kill what still runs."""
        if self.state == "running":
            self.signal(signal.SIGKILL)
            await self.wait()
        if self._watcher:
            await self._watcher

    def _options(self) -> list[str]:
        options = [
            "--unshare-user",
            "--uid",
            "0",
            "--gid",
            "0",
            "--unshare-pid",
            "--as-pid-1",
            "--unshare-net",
        ]
        options += ["--unshare-ipc", "--unshare-uts", "--die-with-parent"]
        options += ["--bind", str(self._rootfs), "/", "--proc", "/proc", "--dev", "/dev"]
        options += ["--chdir", self._process.cwd or "/", "--clearenv"]
        for name, value in {"PATH": _PATH, **self._process.env}.items():
            options += ["--setenv", name, value]
        return options

    async def _watch(self, running: asyncio.subprocess.Process) -> None:
        await asyncio.gather(self._keep("stdout", running.stdout), self._keep("stderr", running.stderr))
        code = await running.wait()
        async with self._changed:
            self.exit_code = code if code >= 0 else 128 - code
            self._changed.notify_all()

    async def _keep(self, name: str, stream: asyncio.StreamReader | None) -> None:
        while stream and (data := await stream.read(_READ_SIZE)):
            async with self._changed:
                self._output.append((name, data))
                self._changed.notify_all()

    def _size(self) -> int:
        return sum(len(data) for _, data in self._output)


def copy_root(source: Path, target: Path) -> Path:
    """Give a container a copy of an image's root that is its own."""
    shutil.copytree(source, target, symlinks=True)
    return target


def _find(rootfs: Path, program: str, path: str) -> bool:
    names = [program] if "/" in program else [f"{folder}/{program}" for folder in path.split(":")]
    return any(os.path.lexists(rootfs / name.lstrip("/")) for name in names)


def _child_pid(descriptor: int) -> int:
    with os.fdopen(descriptor, "rb") as info:
        try:
            return int(json.loads(info.read())["child-pid"])
        except (ValueError, KeyError):
            raise ContainerError("the container's process did not start") from None
