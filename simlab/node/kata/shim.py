"""kata's shim: one sandbox, from its configuration file to its containers.

Source: kata CC-0.3.0 `src/runtime/pkg/containerd-shim-v2/create.go`, `virtcontainers/sandbox.go`
(`createSandbox`, `startVM`).
"""

from __future__ import annotations

import base64
import logging
from typing import TYPE_CHECKING, Any, Final

from simlab.node import names
from simlab.node.containerd.shim import LogChunk
from simlab.node.kata import attestation, config, pod_annotations, protection
from simlab.node.kata.agent import REQUEST_SECONDS
from simlab.node.kata.cmdline import kernel_parameters
from simlab.node.kata.errors import ShimError, as_status
from simlab.node.kata.qemu_args import Machine, SevLaunch
from simlab.node.kata.vm import Vm
from simlab.node.rpc import RpcError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

    from simlab.node.containerd.shim import ContainerSpec
    from simlab.node.host import Host
    from simlab.node.kata.agent import Agent
    from simlab.node.kata.config import Configuration
    from simlab.node.kata.qmp import Qmp

EXIT_CODE_UNKNOWN: Final = 255
"""Exit code of a container whose guest went away (`containerd-shim-v2/wait.go`, `exitCode255`)."""

_log = logging.getLogger(__name__)


class KataShim:
    """A sandbox in a VM. `config_path` is the runtime's ConfigPath; the pod's annotation wins over it."""

    def __init__(
        self,
        host: Host,
        sandbox_id: str,
        config_path: str,
        annotations: Mapping[str, str],
        new_vm: Callable[[Host, Machine], Vm] = Vm,
    ) -> None:
        self.sandbox_id = sandbox_id
        self.configuration: Configuration | None = None
        self._host = host
        self._annotations = annotations
        self._config_path = annotations.get(pod_annotations.CONFIG_PATH) or config_path
        self._new_vm = new_vm
        self._vm: Vm | None = None
        self._qmp: Qmp | None = None
        self._agent: Agent | None = None

    async def create(self) -> None:
        """Load the configuration, start the VM, have it attested, and wait for its agent. Raises RpcError."""
        try:
            configuration = config.load(self._host, self._config_path)
            self.configuration = configuration = pod_annotations.apply(configuration, self._annotations)
            await self._start(configuration)
        except ShimError as error:
            await self.stop()
            raise as_status(error) from None
        except BaseException:
            await self.stop()
            raise

    async def pull_image(self, image: str) -> str:
        """Have the agent pull an image inside of the guest. Raises RpcError."""
        answer = await self._call("PullImage", image=image, container_id="")
        return str((answer or {}).get("image_ref") or image)

    async def create_container(self, spec: ContainerSpec) -> None:
        """Create a container in the guest. Raises RpcError."""
        params: dict[str, Any] = {
            "container_id": spec.container_id,
            "image": spec.image,
            "args": list(spec.args),
            "env": dict(spec.env),
            "cwd": spec.cwd,
        }
        if spec.rootfs:
            params["rootfs"] = spec.rootfs
        await self._call("CreateContainer", **params)

    async def start_container(self, container_id: str) -> None:
        """Start a container in the guest. Raises RpcError."""
        await self._call("StartContainer", container_id=container_id)

    async def wait_container(self, container_id: str) -> int:
        """Wait for a container's end; EXIT_CODE_UNKNOWN when the guest went away before."""
        try:
            answer = await self._call("WaitProcess", limit=None, container_id=container_id)
        except RpcError as error:
            _log.info("container %s: %s", container_id[:12], error)
            return EXIT_CODE_UNKNOWN
        return int(answer["exit_code"])

    async def logs(self, container_id: str) -> AsyncIterator[LogChunk]:
        """Output of a container until it ends or the guest goes away."""
        offset = 0
        while True:
            try:
                answer = await self._call("ReadLogs", limit=None, container_id=container_id, offset=offset)
            except RpcError:
                return
            if data := base64.b64decode(answer["data"]):
                yield LogChunk(answer.get("stream", "stdout"), data)
            offset += len(data)
            if answer["eof"]:
                return

    async def run_in_container(self, container_id: str, command: Sequence[str]) -> int:
        """Have the agent run a command, which its policy does not let. Raises RpcError."""
        answer = await self._call("ExecProcess", container_id=container_id, args=list(command))
        return int(answer["exit_code"])

    async def signal_container(self, container_id: str, signal: int) -> None:
        """Send a signal into the guest. Raises RpcError."""
        await self._call("SignalContainer", container_id=container_id, signal=signal)

    async def remove_container(self, container_id: str) -> None:
        """Have the agent forget a container. Raises RpcError."""
        await self._call("RemoveContainer", container_id=container_id)

    async def wait(self) -> None:
        """Wait until QEMU has ended."""
        if self._vm is not None:
            await self._vm.exited()

    async def stop(self) -> None:
        """Say good-bye to the agent, make QEMU quit, remove the VM's folders."""
        if self._agent is not None:
            try:
                await self._agent.call("DestroySandbox", limit=2.0)
            except RpcError as error:
                _log.info("sandbox %s: %s", self.sandbox_id[:12], error)
            await self._agent.close()
            self._agent = None
        vm, self._vm = self._vm, None
        qmp, self._qmp = self._qmp, None
        if vm is not None:
            await vm.stop(qmp)
        if qmp is not None:
            await qmp.close()

    async def _start(self, configuration: Configuration) -> None:
        if configuration.confidential_guest:
            protection.require_sev(self._host)
        session: attestation.Session | None = None
        sev: SevLaunch | None = None
        if configuration.confidential_guest:
            if configuration.guest_pre_attestation:
                session = await attestation.open_session(self._host, configuration)
            sev = SevLaunch(
                configuration.sev_guest_policy,
                session.dh_cert_file if session else "",
                session.session_file if session else "",
            )
        image = configuration.image
        machine = Machine(
            sandbox_id=self.sandbox_id,
            uuid=names.vm_uuid(),
            mac=names.mac_address(),
            configuration=configuration,
            image_size=self._host.local(image).stat().st_size if image else 0,
            sev=sev,
        )
        self._vm = self._new_vm(self._host, machine)
        self._qmp = await self._vm.start()
        if session is not None:
            await self.attest(configuration, session, self._qmp)
        self._agent = await self._vm.agent(configuration.dial_timeout)
        try:
            await self._agent.call("CreateSandbox", sandbox_id=self.sandbox_id)
        except RpcError as error:
            raise ShimError(str(error)) from None

    async def attest(self, configuration: Configuration, session: attestation.Session, qmp: Qmp) -> None:
        """Have the guest owner judge the launch. Raises ShimError."""
        command_line = kernel_parameters(configuration)
        await attestation.attest(self._host, configuration, session, command_line, qmp)

    async def _call(self, method: str, *, limit: float | None = REQUEST_SECONDS, **params: Any) -> Any:
        if self._agent is None:
            raise RpcError("Unavailable", "ttrpc: closed")
        return await self._agent.call(method, limit=limit, **params)
