"""One service of the lab: a child process with a log, a condition for being ready, and an orderly end."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import os
import socket
import ssl
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from pathlib import Path

READY_SECONDS: Final = 60.0
# docker stop and kubelet alike kill after this when SIGTERM is not enough.
STOP_SECONDS: Final = 10.0

_LOOK_AGAIN_SECONDS: Final = 0.02
_ANSWER_SECONDS: Final = 2.0
_TAIL_LINES: Final = 12


class ServiceError(Exception):
    """A service died while it started, or was not ready in time; the message ends with its log's tail."""


@dataclass(frozen=True)
class Spec:
    """How to run a service. `ready` is looked at until it holds; `env` is added to the supervisor's own."""

    name: str
    argv: Callable[[], list[str]]
    ready: Callable[[], Awaitable[bool]]
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path | None = None
    fds: tuple[int, ...] = ()


class Service:
    """A service's process, now and after restarts."""

    def __init__(self, spec: Spec, log: Path, on_line: Callable[[bytes], None] | None = None) -> None:
        self.spec = spec
        self.log = log
        self.on_line = on_line
        self.started: datetime | None = None
        self.finished: datetime | None = None
        self.exit_code: int | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._watch: asyncio.Task[None] | None = None

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.returncode is None

    @property
    def pid(self) -> int | None:
        """The process's id in the world, while it lives."""
        return self._process.pid if self._process and self.running else None

    async def start(self) -> None:
        """Start the process and wait until it is ready; does nothing when it runs.

        Raises ServiceError.
        """
        await self.spawn()
        try:
            async with asyncio.timeout(READY_SECONDS):
                await self._until_ready()
        except TimeoutError:
            raise ServiceError(
                f"{self.spec.name} was not ready after {READY_SECONDS:.0f} s{self.tail()}"
            ) from None

    async def spawn(self) -> None:
        """Start the process without waiting; does nothing when it runs."""
        if self.running:
            return
        with self.log.open("ab") as log:
            # A pipe only where each line is looked at: a service's children may hold one open after it.
            self._process = await asyncio.create_subprocess_exec(
                *self.spec.argv(),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE if self.on_line else log,
                stderr=asyncio.subprocess.STDOUT,
                pass_fds=self.spec.fds,
                env={**os.environ, **self.spec.env},
                cwd=self.spec.cwd,
            )
        self.started, self.finished, self.exit_code = datetime.now(UTC), None, None
        self._watch = asyncio.create_task(self._until_exit(self._process))

    async def stop(self, seconds: float = STOP_SECONDS) -> None:
        """Ask the process to end, kill it after `seconds`, and wait until its output is written."""
        process = self._process
        if process is None:
            return
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            try:
                await asyncio.wait_for(asyncio.shield(self.ended()), seconds)
            except TimeoutError:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
        await self.ended()

    async def ended(self) -> None:
        """Wait until the process has ended and its output is in the log."""
        if self._watch is not None:
            await asyncio.shield(self._watch)

    def tail(self) -> str:
        """Return the log's last lines, each on a line of its own, for a message."""
        if not self.log.exists():
            return ""
        lines = self.log.read_text(errors="replace").splitlines()[-_TAIL_LINES:]
        return "".join(f"\n  | {line}" for line in lines)

    async def _until_ready(self) -> None:
        while not await self.spec.ready():
            if not self.running:
                await self.ended()
                raise ServiceError(
                    f"{self.spec.name} died at start (exit status {self.exit_code}){self.tail()}"
                )
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)

    async def _until_exit(self, process: asyncio.subprocess.Process) -> None:
        if self.on_line and process.stdout:
            with self.log.open("ab", buffering=0) as log:
                while line := await _read_line(process.stdout):
                    log.write(line)
                    self.on_line(line)
        self.exit_code = await process.wait()
        self.finished = datetime.now(UTC)


async def _read_line(stream: asyncio.StreamReader) -> bytes:
    """Return the next line, or as much of it as the stream's buffer holds; empty at the end."""
    try:
        return await stream.readuntil(b"\n")
    except asyncio.IncompleteReadError as end:
        return end.partial
    except asyncio.LimitOverrunError as full:
        return await stream.readexactly(full.consumed)


def port_accepts(address: str, port: int) -> Callable[[], Awaitable[bool]]:
    """Return the condition that something accepts connections there."""

    async def look() -> bool:
        try:
            async with asyncio.timeout(1):
                _, writer = await asyncio.open_connection(address, port)
        except (OSError, TimeoutError):
            return False
        writer.close()
        return True

    return look


def https_answers(address: str, port: int, path: str, authority: Path) -> Callable[[], Awaitable[bool]]:
    """Return the condition that a GET of `path` is answered with 200 by a server of that authority."""

    def ask() -> bool:
        context = ssl.create_default_context(cafile=str(authority))
        connection = http.client.HTTPSConnection(address, port, context=context, timeout=_ANSWER_SECONDS)
        try:
            connection.request("GET", path)
            return connection.getresponse().status == http.HTTPStatus.OK
        except OSError:
            return False
        finally:
            connection.close()

    async def look() -> bool:
        return await asyncio.to_thread(ask)

    return look


def socket_accepts(path: Path) -> Callable[[], Awaitable[bool]]:
    """Return the condition that something accepts connections on a Unix socket."""

    async def look() -> bool:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(1)
            return client.connect_ex(str(path)) == 0

    return look


def file_exists(path: Path) -> Callable[[], Awaitable[bool]]:
    """Return the condition that a file exists."""

    async def look() -> bool:
        return os.path.exists(path)  # noqa: ASYNC240, PTH110 -- local and quick

    return look
