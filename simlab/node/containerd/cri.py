"""The container runtime interface (`k8s.io/cri-api` v1) as the kubelet calls it, in front of the shims.

Where an image is pulled: CoCo's containerd has the guest of a runtime with `cri_handler = "cc"` pull it, and
the host never sees it; every other runtime gets it from the host's containerd. kata's `service_offload` has
no part in that: with it the shim expects no rootfs, and without it the shim shares an empty one, whose place
the image takes that the agent pulled. Sources: confidential-containers/containerd v1.6.8.1,
pkg/cri/server/manager.go (PullImage) and pkg/cri/services/cc/service.go; kata CC-0.3.0,
src/runtime/pkg/containerd-shim-v2/create.go (checkAndMount) and src/agent/src/rpc.rs (merge_bundle_oci).
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import shutil
import signal
import time
from typing import TYPE_CHECKING, Final

from simlab.node import names
from simlab.node.containerd import config, state
from simlab.node.containerd.images import HostImages
from simlab.node.containerd.logs import LogWriter
from simlab.node.containerd.records import Container, ContainerConfig, Sandbox, SandboxConfig
from simlab.node.containerd.shim import ContainerSpec
from simlab.node.kata.shim import KataShim
from simlab.node.rpc import RpcError
from simlab.node.runc import RuncShim

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from simlab.node.containerd.config import ContainerdConfig, Runtime
    from simlab.node.containerd.shim import Shim
    from simlab.node.host import Host

_TASKS: Final = "/run/containerd/io.containerd.runtime.v2.task/k8s.io"
_SHIM_FOLDERS: Final = ("/usr/local/bin", "/usr/bin", "/usr/local/sbin", "/usr/sbin")
_RUNC: Final = "io.containerd.runc.v2"

# An image whose program is the lab's own Python module names it so.
PROGRAM_LABEL: Final = "simlab.program"

_log = logging.getLogger(__name__)


class Cri:
    """containerd's sandboxes, containers and images."""

    def __init__(self, host: Host, new_kata_shim: Callable[..., Shim] = KataShim) -> None:
        self.images = HostImages(host)
        self._host = host
        self._new_kata_shim = new_kata_shim
        self._sandboxes: dict[str, Sandbox] = {}
        self._containers: dict[str, Container] = {}
        self._watchers: set[asyncio.Task[None]] = set()
        self._addresses = itertools.count(2)
        self._save()

    async def run_pod_sandbox(
        self, wanted: SandboxConfig, handler: str, on_change: Callable[[], None]
    ) -> Sandbox:
        """Start a sandbox; `on_change` hears when it or a container in it ends. Raises RpcError."""
        containerd = config.load(self._host)
        runtime = containerd.runtime(handler)
        sandbox_id = names.container_id()
        shim = self._new_shim(runtime, sandbox_id, wanted)
        try:
            await shim.create()
        except RpcError as error:
            raise _create_error(error) from None
        sandbox = Sandbox(
            sandbox_id,
            wanted,
            runtime,
            shim,
            pulls_in_guest=_pulls_in_guest(containerd, runtime, shim),
            ip=f"10.244.0.{next(self._addresses) % 250 + 2}",
            on_change=on_change,
        )
        self._sandboxes[sandbox_id] = sandbox
        self._watch(self._watch_sandbox(sandbox))
        self._save()
        return sandbox

    async def pull_image(self, sandbox: Sandbox, image: str) -> str:
        """Pull an image for a sandbox and return its reference. Raises RpcError."""
        if sandbox.pulls_in_guest:
            return await sandbox.shim.pull_image(image)
        return (await self.images.pull(image)).reference

    def image_present(self, image: str) -> bool:
        """Whether the host has the image; one that only a guest has is not here.

        A guest does not get it then from a pod that pulls only what is missing (confidential-containers/
        containerd v1.6.8.1, pkg/cri/services/cc/service.go: ImageStatus asks the host's store).
        """
        return self.images.find(image) is not None

    async def create_container(self, sandbox: Sandbox, wanted: ContainerConfig) -> Container:
        """Create a container. Raises RpcError."""
        container = Container(container_id=names.container_id(), sandbox=sandbox, config=wanted)
        spec = await self._spec(sandbox, container)
        try:
            await sandbox.shim.create_container(spec)
        except RpcError as error:
            self._remove_bundle(container)
            raise RpcError(
                error.code, f"failed to create containerd task: {error.description}: unknown"
            ) from None
        self._containers[container.container_id] = container
        self._save()
        return container

    async def start_container(self, container: Container) -> None:
        """Start a created container. Raises RpcError."""
        try:
            await container.sandbox.shim.start_container(container.container_id)
        except RpcError as error:
            container.finish(128, "StartError", error.description)
            self._save()
            raise RpcError(
                error.code, f"failed to start containerd task: {error.description}: unknown"
            ) from None
        container.started_at = time.time()
        container.state = "CONTAINER_RUNNING"
        self._watch(self._watch_container(container))
        self._save()

    async def stop_container(self, container: Container, grace_seconds: float) -> None:
        """SIGTERM, and SIGKILL after the grace period; returns when the container has ended."""
        if container.state != "CONTAINER_RUNNING":
            return
        shim = container.sandbox.shim
        with contextlib.suppress(RpcError):
            await shim.signal_container(container.container_id, signal.SIGTERM)
        try:
            async with asyncio.timeout(grace_seconds):
                await container.ended.wait()
        except TimeoutError:
            with contextlib.suppress(RpcError):
                await shim.signal_container(container.container_id, signal.SIGKILL)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(10):
                    await container.ended.wait()

    async def run_in_container(self, container: Container, command: Sequence[str]) -> int:
        """Run a command in a running container to its end and return its exit code. Raises RpcError."""
        return await container.sandbox.shim.run_in_container(container.container_id, command)

    async def remove_container(self, container: Container) -> None:
        """Forget a container that has ended, with its log file."""
        with contextlib.suppress(RpcError):
            await container.sandbox.shim.remove_container(container.container_id)
        self._containers.pop(container.container_id, None)
        self._remove_bundle(container)
        self._save()

    async def remove_pod_sandbox(self, sandbox: Sandbox) -> None:
        """Stop a sandbox and forget it with its containers; log files stay."""
        sandbox.state = "SANDBOX_NOTREADY"
        await sandbox.shim.stop()
        for container in [one for one in self._containers.values() if one.sandbox is sandbox]:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(5):
                    if container.state == "CONTAINER_RUNNING":
                        await container.ended.wait()
            self._containers.pop(container.container_id, None)
            self._remove_bundle(container)
        self._sandboxes.pop(sandbox.sandbox_id, None)
        self._save()

    def remove_logs(self, folder: str) -> None:
        """Delete the logs of a pod that is gone, as the kubelet's garbage collection does."""
        shutil.rmtree(self._host.local(folder), ignore_errors=True)

    async def shut_down(self) -> None:
        """End every sandbox: the node is going away."""
        await asyncio.gather(
            *(self.remove_pod_sandbox(sandbox) for sandbox in list(self._sandboxes.values())),
            return_exceptions=True,
        )
        for task in self._watchers:
            task.cancel()
        await asyncio.gather(*self._watchers, return_exceptions=True)

    def _new_shim(self, runtime: Runtime, sandbox_id: str, wanted: SandboxConfig) -> Shim:
        if runtime.runtime_type == _RUNC:
            return RuncShim(self._host, sandbox_id)
        self._require_shim_binary(runtime)
        passed = runtime.passed_through(wanted.annotations)
        return self._new_kata_shim(self._host, sandbox_id, runtime.config_path, passed)

    def _require_shim_binary(self, runtime: Runtime) -> None:
        # io.containerd.kata-qemu.v2 -> containerd-shim-kata-qemu-v2 (containerd 1.6 pkg/shim/util.go)
        binary = f"containerd-shim-{'-'.join(runtime.runtime_type.split('.')[-2:])}"
        if not any(self._host.local(f"{folder}/{binary}").exists() for folder in _SHIM_FOLDERS):
            reason = f'runtime "{runtime.runtime_type}" binary not installed "{binary}": file does not exist'
            raise RpcError(
                "Unknown",
                "failed to create containerd task: failed to start shim:"
                f" failed to resolve runtime path: {reason}: unknown",
            )

    async def _spec(self, sandbox: Sandbox, container: Container) -> ContainerSpec:
        wanted = container.config
        args, env, cwd, rootfs = (*wanted.command, *wanted.args), dict(wanted.env), wanted.working_dir, ""
        program = ""
        if not sandbox.pulls_in_guest:
            image = self.images.find(wanted.image)
            if image is None:
                raise RpcError("NotFound", f'failed to get image "{wanted.image}": not found')
            given = image.config
            command = wanted.command or tuple(given.get("Entrypoint") or ())
            # The image's Cmd holds only where the pod gives neither command nor arguments.
            arguments = wanted.args or (() if wanted.command else tuple(given.get("Cmd") or ()))
            args = (*command, *arguments)
            from_image = dict(item.split("=", 1) for item in given.get("Env") or () if "=" in item)
            env = from_image | env
            cwd = cwd or given.get("WorkingDir") or "/"
            rootfs = f"{self._bundle(container)}/rootfs"
            program = (given.get("Labels") or {}).get(PROGRAM_LABEL, "")
            await asyncio.to_thread(self.images.make_rootfs, image, self._host.local(rootfs))
        return ContainerSpec(
            container.container_id, wanted.image, args, env, cwd, rootfs, wanted.mounts, program
        )

    def _bundle(self, container: Container) -> str:
        return f"{_TASKS}/{container.container_id}"

    def _remove_bundle(self, container: Container) -> None:
        shutil.rmtree(self._host.local(self._bundle(container)), ignore_errors=True)

    def _watch(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._watchers.add(task)
        task.add_done_callback(self._watchers.discard)

    async def _watch_sandbox(self, sandbox: Sandbox) -> None:
        await sandbox.shim.wait()
        if sandbox.state == "SANDBOX_READY":
            _log.warning("sandbox %s ended by itself", sandbox.sandbox_id[:12])
            sandbox.state = "SANDBOX_NOTREADY"
            self._save()
            sandbox.on_change()

    async def _watch_container(self, container: Container) -> None:
        writer = LogWriter(self._host.local(container.config.log_path))
        copier = asyncio.create_task(_copy_logs(container, writer))
        try:
            code = await container.sandbox.shim.wait_container(container.container_id)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(5):
                    await asyncio.shield(copier)
        finally:
            copier.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await copier
            writer.close()
        container.finish(code, "Completed" if code == 0 else "Error", "")
        self._save()
        container.sandbox.on_change()

    def _save(self) -> None:
        state.write(self._host, "sandboxes", [sandbox.as_cri() for sandbox in self._sandboxes.values()])
        state.write(self._host, "containers", [container.as_cri() for container in self._containers.values()])


async def _copy_logs(container: Container, writer: LogWriter) -> None:
    async for chunk in container.sandbox.shim.logs(container.container_id):
        writer.write(chunk.stream, chunk.data)


def _pulls_in_guest(containerd: ContainerdConfig, runtime: Runtime, shim: Shim) -> bool:
    return containerd.confidential and runtime.cri_handler == "cc" and isinstance(shim, KataShim)


def _create_error(error: RpcError) -> RpcError:
    """A shim's error on its way through containerd (1.6: `runtime/v2/manager.go`, `errdefs/grpc.go`)."""
    kind = {"NotFound": "not found"}.get(error.code, "unknown")
    description = f"failed to create containerd task: failed to create shim task: {error.description}: {kind}"
    return RpcError(error.code if error.code == "NotFound" else "Unknown", description)
