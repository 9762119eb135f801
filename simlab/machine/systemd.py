"""The host's systemd: which units run, and what runs behind them.

containerd and kubelet are one program of the lab. While one of them is stopped it is frozen: containers go
on, as when either of the real ones is stopped, nothing new is done, and the node's heartbeat ends.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import tomllib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from simlab.machine import sandbox
from simlab.machine.system import units
from simlab.node.containerd import config as containerd
from simlab.node.host import Host
from simlab.service import Service, Spec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from simlab.engine import Engine
    from simlab.layout import Layout
    from simlab.machine.front_door import FrontDoor
    from simlab.machine.system.units import Unit

CONTAINERD: Final = "containerd.service"
KUBELET: Final = "kubelet.service"
DOCKER: Final = "docker.service"
SSHD: Final = "sshd.service"

_STOP_SECONDS: Final = 3.0

_log = logging.getLogger("systemd")


class UnitError(Exception):
    """A unit cannot be started or stopped; the message is systemctl's."""


class Manager:
    """The units of one boot."""

    def __init__(
        self, layout: Layout, services: Mapping[str, Service], engine: Engine, door: FrontDoor
    ) -> None:
        self._layout = layout
        self._services = services
        self._engine = engine
        self._door = door
        self._since: dict[str, datetime] = {}
        self._ended: dict[str, tuple[datetime, bool]] = {}
        self._daemons: dict[str, Service] = {}
        self._changing = asyncio.Lock()

    async def boot(self) -> list[BaseException]:
        """Start what is enabled; return the failures, each of which leaves the others alone."""
        names = units.wanted(self._layout.host)
        done = await asyncio.gather(*(self.start(name) for name in names), return_exceptions=True)
        failures = [failure for failure in done if failure is not None]
        for failure in failures:
            _log.warning("%s", failure)
        return failures

    async def shut_down(self) -> None:
        """Stop everything, as at the end of a boot: logins end first."""
        self._since.clear()
        self._ended.clear()
        await self._door.close()
        self._thaw()
        await asyncio.gather(
            self._engine.shut_down(_STOP_SECONDS),
            self._services["node"].stop(_STOP_SECONDS),
            *(daemon.stop(0) for daemon in self._daemons.values()),
        )
        self._daemons.clear()

    async def start(self, name: str) -> None:
        """Start a unit, unless it runs. Raises UnitError."""
        async with self._changing:
            if name not in self._since:
                await self._start(name, self._find("start", name))

    async def stop(self, name: str) -> None:
        """Stop a unit, unless it does not run. Raises UnitError."""
        async with self._changing:
            self._find("stop", name)
            if name in self._since:
                await self._stop(name)

    async def restart(self, name: str) -> None:
        """Stop a unit and start it. Raises UnitError."""
        async with self._changing:
            unit = self._find("restart", name)
            if name == SSHD and name in self._since:
                # Logins outlive the listener that took them (KillMode=process).
                self._since[name] = datetime.now(UTC)
                return
            if name in self._since:
                await self._stop(name)
            await self._start(name, unit)

    def describe(self, name: str) -> dict[str, Any]:
        """Return what runs of a unit: `active`, `failed`, `since` (ISO 8601), `pid`."""
        active = self._is_active(name)
        since = self._since.get(name) if active else self._ended.get(name, (None, False))[0]
        return {
            "active": active,
            "failed": not active and self._ended.get(name, (None, False))[1],
            "since": since.isoformat() if since else None,
            "pid": self._pid(name) if active else None,
        }

    def _find(self, verb: str, name: str) -> Unit:
        unit = units.find(self._layout.host, name)
        if unit is None:
            raise UnitError(f"Failed to {verb} {name}: Unit {name} not found.")
        if unit.masked and verb != "stop":
            raise UnitError(f"Failed to {verb} {name}: Unit {name} is masked.")
        return unit

    def _is_active(self, name: str) -> bool:
        if name in self._daemons and not self._daemons[name].running:
            return False
        return name in self._since

    def _pid(self, name: str) -> int | None:
        behind = {CONTAINERD: "node", KUBELET: "node", SSHD: "sshd"}
        service = self._services[behind[name]] if name in behind else self._daemons.get(name)
        return service.pid if service else None

    async def _start(self, name: str, unit: Unit) -> None:
        if name == CONTAINERD:
            self._check_containerd()
            containerd.start(Host(self._layout))
        self._since[name] = datetime.now(UTC)
        self._ended.pop(name, None)
        if name in (CONTAINERD, KUBELET):
            await self._run_node()
        elif name == SSHD:
            await self._door.open()
        else:
            await self._start_daemon(name, unit)
            if name == DOCKER:
                await self._engine.power_on()

    async def _stop(self, name: str) -> None:
        del self._since[name]
        self._ended[name] = (datetime.now(UTC), False)
        if name in (CONTAINERD, KUBELET):
            await self._run_node()
        elif name == SSHD:
            await self._door.close()
        else:
            if name == DOCKER:
                await self._engine.shut_down()
            if daemon := self._daemons.pop(name, None):
                await daemon.stop(_STOP_SECONDS)

    async def _run_node(self) -> None:
        """Let the node work if both of its units run, else hold it."""
        node = self._services["node"]
        if {CONTAINERD, KUBELET} <= self._since.keys():
            self._thaw()
            await node.start()
        elif node.pid is not None:
            os.kill(node.pid, signal.SIGSTOP)

    def _thaw(self) -> None:
        pid = self._services["node"].pid
        if pid is not None:
            os.kill(pid, signal.SIGCONT)

    async def _start_daemon(self, name: str, unit: Unit) -> None:
        """Run something that looks like the daemon in `ps`."""
        title = " ".join(unit.command) or name
        argv = ["/bin/bash", "-c", 'exec -a "$0" sleep infinity', title]
        short = name.removesuffix(".service")
        spec = Spec(short, lambda: sandbox.argv(self._layout, argv), _at_once)
        self._daemons[name] = Service(spec, self._layout.log / f"{short}.log")
        await self._daemons[name].start()

    def _check_containerd(self) -> None:
        """Raise UnitError when containerd would not start: by its configuration, or its program."""
        wrong = _wrong_with_containerd(self._layout)
        if wrong:
            self._ended[CONTAINERD] = (datetime.now(UTC), True)
            with self._services["node"].log.open("a") as log:
                log.write(f"containerd: {wrong}\n")
            raise UnitError(
                f"Job for {CONTAINERD} failed because the control process exited with error code.\n"
                f'See "systemctl status {CONTAINERD}" and "journalctl -xe" for details.'
            )


def _wrong_with_containerd(layout: Layout) -> str:
    config = layout.host / "etc/containerd/config.toml"
    try:
        tomllib.loads(config.read_text()) if config.exists() else None
    except (ValueError, OSError) as error:
        return f"failed to load TOML: /etc/containerd/config.toml: {error}"
    program = ""
    for drop_in in sorted((layout.host / "etc/systemd/system/containerd.service.d").glob("*.conf")):
        for line in drop_in.read_text(errors="replace").splitlines():
            key, sign, value = line.partition("=")
            if sign and key.strip() == "ExecStart":
                program = (value.split() or [""])[0]
    if program and not (layout.host / program.lstrip("/")).exists():
        return f"Failed at step EXEC spawning {program}: No such file or directory"
    return ""


async def _at_once() -> bool:
    return True
