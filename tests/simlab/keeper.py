"""A lab's keeper as the suite's runner starts it: `python -m simlab up --attached`."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

import asyncssh

from simlab import labs
from simlab.layout import Layout
from simlab.machine import access

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")

END_SECONDS = 20.0


class Keeper:
    """One lab, from its start to its end."""

    def __init__(self, root: Path, *options: str) -> None:
        self.layout = Layout(root)
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "simlab",
                "up",
                "--attached",
                "--root",
                str(root),
                "--name",
                root.name,
                *options,
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout
        assert self.process.stderr
        line = self.process.stdout.readline()
        assert line, self.process.stderr.read()
        self.ready: dict[str, Any] = json.loads(line)
        self.namespace = self._process_namespace()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> int:
        """Let go of the lab as a runner that ends does, and wait for its end."""
        assert self.process.stdin
        self.process.stdin.close()
        status = self.process.wait(END_SECONDS)
        for stream in (self.process.stdout, self.process.stderr):
            assert stream
            stream.close()
        return status

    def programs(self) -> list[int]:
        """Ids of the processes that live in the lab's process namespace."""
        return [pid for pid, namespace in _namespaces() if namespace == self.namespace and not _is_dead(pid)]

    def ssh(self, use: Callable[[asyncssh.SSHClientConnection], Awaitable[T]], **options: Any) -> T:
        """Log in, use the connection, and return what that returned."""

        async def connect() -> T:
            settings = {
                "port": int(self.ready["ssh"].split(" -p ")[1].split()[0]),
                "username": "root",
                "client_keys": [str(access.client_key(self.layout))],
                "known_hosts": str(access.known_hosts(self.layout)),
                **options,
            }
            async with asyncssh.connect("127.0.0.1", **settings) as connection:
                return await asyncio.wait_for(use(connection), 60)

        return asyncio.run(connect())

    def run(self, command: str, **options: Any) -> asyncssh.SSHCompletedProcess:
        """Run a command on the host."""
        return self.ssh(lambda connection: connection.run(command, **options))

    def output(self, command: str) -> str:
        """Run a command that must succeed, and return what it printed."""
        done = self.run(command)
        assert done.exit_status == 0, (command, done.stdout, done.stderr)
        return str(done.stdout)

    def reboot(self, command: str = "reboot") -> None:
        """Reboot the host, and wait until it answers with another boot id."""
        before = self.boot_id()
        with contextlib.suppress(asyncssh.Error, OSError):
            self.run(command)
        self.await_boot(before)

    def await_boot(self, before: str) -> None:
        """Wait until the host answers with another boot id."""
        deadline = time.monotonic() + END_SECONDS
        while time.monotonic() < deadline:
            with contextlib.suppress(asyncssh.Error, OSError):
                if self.boot_id() != before:
                    return
            time.sleep(0.05)
        raise AssertionError("the host did not come back")

    def boot_id(self) -> str:
        """Return the host's boot id."""
        return self.output("cat /proc/sys/kernel/random/boot_id")

    def _process_namespace(self) -> str:
        """Return the namespace that is not the keeper's own but a child's of it."""
        own = dict(_namespaces())
        children = {pid: parent for pid, parent in _parents() if pid in own}
        for pid in children:
            ancestor: int | None = pid
            while ancestor is not None and ancestor != self.process.pid:
                ancestor = children.get(ancestor)
            if ancestor and own[pid] != own[self.process.pid]:
                return own[pid]
        raise AssertionError("the keeper has no child in another process namespace")


def _namespaces() -> list[tuple[int, str]]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            found.append((int(folder.name), str((folder / "ns/pid").readlink())))
        except OSError:
            continue  # ended meanwhile, or somebody else's
    return found


def _is_dead(pid: int) -> bool:
    """Whether a process is gone, or has ended and only waits for its parent to notice."""
    return labs.start_time(pid) is None


def _parents() -> list[tuple[int, int]]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        found.append((int(folder.name), int(fields[1])))
    return found
