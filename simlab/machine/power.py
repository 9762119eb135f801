"""The host's power: reboots, and a machine that does not come back from one."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import signal
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Final

from simlab.machine import boot, sandbox, skeleton
from simlab.machine.boot import BootError
from simlab.machine.system import units

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from simlab.layout import Layout
    from simlab.machine.boot import Booted
    from simlab.machine.systemd import Manager
    from simlab.service import Service

# The cluster's control plane keeps its objects in memory and not in etcd's files: it is held, not ended.
# So is a real one, which would take seconds to come up again.
_HELD: Final = ("etcd", "apiserver", "controllers")

_log = logging.getLogger("power")


def state_file(layout: Layout) -> Path:
    """Return the file that says `on`, or else what the machine is at: off, starting, or why it hangs."""
    return layout.world / "power"


def state(layout: Layout) -> str:
    """Return what the power state file says; `on` for a machine that runs."""
    try:
        return state_file(layout).read_text().strip()
    except FileNotFoundError:
        return "is off"


def press_reset(layout: Layout) -> None:
    """Have the machine start anew, from outside of the lab's world. Raises OSError when the lab is gone."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(sandbox.control_socket(layout)))
        client.sendall(b'{"op": "reboot"}\n')
        client.recv(4096)


class Power:
    """The machine's power switch. `write_kernel` puts a booted kernel's account of itself in place."""

    def __init__(
        self,
        layout: Layout,
        services: Mapping[str, Service],
        manager: Manager,
        write_kernel: Callable[[Booted], None],
    ) -> None:
        self._layout = layout
        self._services = services
        self._manager = manager
        self._write_kernel = write_kernel
        self._task: asyncio.Task[None] | None = None

    def start_kernel(self) -> None:
        """Go from power-on to a running kernel. Raises BootError."""
        self._say("is starting")
        self._write_kernel(boot.boot(self._layout))
        self._say("on")

    def request(self, *, again: bool) -> None:
        """Begin to shut down, and to come up again if so wished; does nothing while that is going on."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._cycle(again=again))

    async def release(self) -> None:
        """Give up a reboot that is going on, and let everything be stopped that was held."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._hold(signal.SIGCONT)

    async def _cycle(self, *, again: bool) -> None:
        try:
            await self._shut_down()
            if again:
                await self._start_up()
            else:
                self._say("is off")
        except BootError as error:
            _log.warning("the host does not come up: %s", error)
            self._say(f"hangs: {error}")
        except Exception:  # noqa: BLE001 -- whatever it is, it is told
            _log.exception("the host does not come up")
            self._say("hangs: see supervisor.log")

    async def _shut_down(self) -> None:
        _log.info("the host goes down")
        self._say("is starting")
        await self._manager.shut_down()
        _kill_host_processes(self._layout)
        await self._services["host"].stop(0)
        self._hold(signal.SIGSTOP)
        _empty_volatile(self._layout.host)

    async def _start_up(self) -> None:
        await asyncio.to_thread(self.start_kernel)
        await self._services["host"].start()
        self._hold(signal.SIGCONT)
        await self._manager.boot()
        _log.info("the host is up")

    def _hold(self, number: signal.Signals) -> None:
        for name in _HELD:
            pid = self._services[name].pid if name in self._services else None
            if pid is not None:
                os.kill(pid, number)

    def _say(self, text: str) -> None:
        state_file(self._layout).write_text(f"{text}\n")


def _kill_host_processes(layout: Layout) -> None:
    """Kill what runs on the host: every process in its mount namespace."""
    try:
        holder = int(sandbox.pid_file(layout).read_text())
        namespace = str(Path(f"/proc/{holder}/ns/mnt").readlink())
    except (OSError, ValueError):
        return
    # Again until there is none: a process may fork while the list is read.
    while found := [pid for pid in _processes(namespace) if pid != os.getpid()]:
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _processes(namespace: str) -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if str((folder / "ns/mnt").readlink()) == namespace:
                found.append(int(folder.name))
        except OSError:
            continue  # It has ended meanwhile.
    return found


def _empty_volatile(root: Path) -> None:
    """Empty what lives in memory: /run, and /tmp where tmp.mount is enabled."""
    folders = ["run"]
    if "tmp.mount" in units.wanted(root, "local-fs.target"):
        folders.append("tmp")
    for name in folders:
        for path in (root / name).iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink()
    skeleton.make_volatile(root)
