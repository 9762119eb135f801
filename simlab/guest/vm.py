"""The VM's process: QEMU's part (arguments, launch, monitor) and, once it runs, the guest's."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import logging
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simlab.guest import measured_boot, qemu_arguments, sockets, title
from simlab.guest.agent import LINE_LIMIT, Agent
from simlab.guest.attestation_agent import AttestationAgent
from simlab.guest.boot import Booted, BootError, Loaded, boot
from simlab.guest.folder import GuestFolder
from simlab.guest.image_service import ImageService
from simlab.guest.launch import Launch, LaunchError
from simlab.guest.memory import Memory
from simlab.guest.qemu_arguments import ArgumentError, Machine
from simlab.guest.qmp import QmpError, QmpServer
from simlab.layout import Layout
from simlab.node.host import Host
from simlab.node.kata import protection

if TYPE_CHECKING:
    from collections.abc import Callable

    from simlab.guest.qmp import Arguments

_log = logging.getLogger(__name__)


class VirtualMachine:
    """One VM from its start to its end."""

    def __init__(self, layout: Layout, machine: Machine) -> None:
        """Load the files and, for an SEV guest, launch it. Raises LaunchError and OSError."""
        self._layout = layout
        self._machine = machine
        self._host = Host(layout)
        self._loaded = Loaded(
            firmware=self._read(machine.firmware),
            kernel=self._read(machine.kernel),
            initrd=self._read(machine.initrd),
            image=self._read(machine.image),
            cmdline=machine.append,
        )
        self._memory: Memory | None = None
        self._launch: Launch | None = None
        if machine.sev:
            self._memory = Memory()
            self._launch = self._launch_sev(machine.sev, self._memory)
        self._status = "prelaunch"
        self._over = asyncio.Event()
        self._agent: Agent | None = None
        self._agent_server: asyncio.Server | None = None
        self._booting: asyncio.Task[None] | None = None
        self._qmp = QmpServer(
            {
                "query-status": self._query_status,
                "query-kvm": self._query_kvm,
                "query-sev": self._query_sev,
                "query-sev-launch-measure": self._query_launch_measure,
                "sev-inject-launch-secret": self._inject_secret,
                "cont": self._cont,
                "stop": self._stop,
                "quit": self._quit,
                "system_powerdown": self._quit,
            }
        )

    async def run(self) -> None:
        """Serve the monitor, and the agent once the guest has booted, until `quit` or SIGTERM."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._over.set)
        folder = GuestFolder(self._layout.world / "guests", self._machine.name)
        try:
            if self._machine.pid_file:
                self._host.local(self._machine.pid_file).write_text(f"{os.getpid()}\n")
            monitor = await asyncio.start_unix_server(
                self._qmp.serve, sock=sockets.listen(self._host.local(self._machine.qmp_socket))
            )
            self._folder = folder.path
            if not self._machine.paused:
                await self._cont({})
            await self._over.wait()
            await self._qmp.event("SHUTDOWN", {"guest": False, "reason": "host-qmp-quit"})
            monitor.close()
            await self._end()
            await self._qmp.close()
        finally:
            folder.remove()

    def _read(self, path: str) -> bytes:
        return self._host.local(path).read_bytes() if path else b""

    def _launch_sev(self, sev: qemu_arguments.SevGuest, memory: Memory) -> Launch:
        launch = Launch(self._layout.psp_socket, sev.policy, memory, seves=protection.has_sev_es(self._host))
        launch.start(self._read(sev.dh_cert_file), self._read(sev.session_file))
        table = None
        if self._loaded.kernel and sev.kernel_hashes:
            table = measured_boot.hash_table(self._loaded.kernel, self._loaded.initrd, self._loaded.cmdline)
        # `-cpu host`: the guest's processors are the host's.
        cpu = self._host.cpuinfo()[0]
        signature = measured_boot.cpu_signature(
            int(cpu["cpu family"]), int(cpu["model"]), int(cpu["stepping"])
        )
        launch.measure(self._loaded.firmware, table, self._machine.vcpus, signature)
        return launch

    async def _boot(self) -> None:
        try:
            system = await asyncio.to_thread(boot, self._loaded, self._memory)
        except BootError as error:
            _log.error("%s", error)
            return
        images = ImageService(system, self.attestation_agent(system), self._folder)
        self._agent = Agent(system.config, images, self._folder, self._host.local)
        listener = sockets.listen(self._host.local(self._machine.agent_socket))
        self._agent_server = await asyncio.start_unix_server(
            self._agent.serve, sock=listener, limit=LINE_LIMIT
        )
        _log.info("kata-agent is up, aa_kbc_params=%r", system.config.aa_kbc_params)

    def attestation_agent(self, system: Booted) -> AttestationAgent:
        """Make the attestation agent of the booted system."""
        return AttestationAgent(system.guest, system.kbc_modules, system.secrets)

    async def _end(self) -> None:
        if self._booting:
            await self._booting
        if self._agent_server:
            self._agent_server.close()
        if self._agent:
            await self._agent.close()
        if self._launch:
            self._launch.close()

    async def _query_status(self, _arguments: Arguments) -> Any:
        return {"running": self._status == "running", "singlestep": False, "status": self._status}

    async def _query_kvm(self, _arguments: Arguments) -> Any:
        return {"enabled": True, "present": True}

    async def _query_sev(self, _arguments: Arguments) -> Any:
        launch = self._launch
        if launch is None:
            names = ("api-major", "api-minor", "build-id", "policy", "handle")
            return {"enabled": False, "state": "uninit"} | dict.fromkeys(names, 0)
        return {
            "enabled": True,
            "state": launch.state,
            "api-major": launch.platform.api_major,
            "api-minor": launch.platform.api_minor,
            "build-id": launch.platform.build,
            "policy": launch.policy,
            "handle": launch.handle,
        }

    async def _query_launch_measure(self, _arguments: Arguments) -> Any:
        if self._launch is None or not self._launch.measurement:
            raise QmpError("SEV launch measurement is not available")
        return {"data": base64.b64encode(self._launch.measurement).decode()}

    async def _inject_secret(self, arguments: Arguments) -> None:
        if self._launch is None:
            raise QmpError("SEV not enabled for guest")
        self._launch.inject(
            self._loaded.firmware, arguments["packet-header"], arguments["secret"], arguments.get("gpa")
        )

    async def _cont(self, _arguments: Arguments) -> None:
        if self._status == "running":
            return
        if self._launch and self._launch.state != "running":
            self._launch.finish()
        self._status = "running"
        await self._qmp.event("RESUME")
        if self._booting is None:
            self._booting = asyncio.create_task(self._boot())

    async def _stop(self, _arguments: Arguments) -> None:
        self._status = "paused"
        await self._qmp.event("STOP")

    async def _quit(self, _arguments: Arguments) -> None:
        # The answer goes out before the loop gets to see this.
        self._over.set()


async def _run(virtual_machine: type[VirtualMachine], layout: Layout, machine: Machine) -> None:
    await virtual_machine(layout, machine).run()


def _usual(_layout: Layout) -> type[VirtualMachine]:
    return VirtualMachine


def main(kind_of: Callable[[Layout], type[VirtualMachine]] = _usual) -> None:
    """Run the VM whose arguments were handed over; exits with 1, as QEMU, when it cannot be started."""
    handed = int(sys.argv[1].partition(":")[0])
    with os.fdopen(handed, "rb") as file:
        file.seek(0)
        given = json.load(file)
    layout, argv = Layout(Path(given["layout"])), given["qemu"]
    title.take(argv)
    try:
        machine = qemu_arguments.parse(argv[1:])
        layout.log.mkdir(parents=True, exist_ok=True)
        # The guest's console: what its programs say, and what a caller outside is not told.
        logging.basicConfig(
            filename=layout.log / f"guest-{machine.name.removeprefix('sandbox-')[:12]}.log",
            format="%(asctime)s %(levelname)s %(name)s: %(message)s",
            level=logging.INFO,
        )
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(_run(kind_of(layout), layout, machine))
    except (ArgumentError, LaunchError) as error:
        _fail(str(error))
    except OSError as error:
        _fail(f"could not open '{error.filename}': {error.strerror}")


def _fail(text: str) -> None:
    for line in text.splitlines():
        sys.stderr.write(f"qemu-system-x86_64: {line}\n")
    raise SystemExit(1)


if __name__ == "__main__":
    main()
