"""A container runtime whose outcomes a test decides."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from simlab.node.containerd.config import Runtime
from simlab.node.containerd.records import Container, ContainerConfig, Sandbox, SandboxConfig

if TYPE_CHECKING:
    from collections.abc import Callable

    from simlab.node.containerd.shim import Shim
    from simlab.node.rpc import RpcError


class FakeCri:
    """Everything works, but what `sandbox_error` and `pull_error` say."""

    def __init__(self) -> None:
        self.sandboxes: list[Sandbox] = []
        self.started: list[Container] = []
        self.removed: list[Sandbox] = []
        self.sandbox_error: RpcError | None = None
        self.pull_error: RpcError | None = None
        self.pulls = 0
        self.logs_removed: list[str] = []

    async def run_pod_sandbox(
        self, wanted: SandboxConfig, handler: str, on_change: Callable[[], None]
    ) -> Sandbox:
        if self.sandbox_error:
            raise self.sandbox_error
        shim = cast("Shim", object())
        number = len(self.sandboxes) + 1
        sandbox = Sandbox(
            f"s{number}", wanted, Runtime(handler, ""), shim, True, f"10.0.0.{number}", on_change
        )
        self.sandboxes.append(sandbox)
        return sandbox

    def image_present(self, image: str) -> bool:
        return False

    async def pull_image(self, sandbox: Sandbox, image: str) -> str:
        self.pulls += 1
        if self.pull_error:
            raise self.pull_error
        return image

    async def create_container(self, sandbox: Sandbox, wanted: ContainerConfig) -> Container:
        return Container(container_id=f"c{len(self.started) + 1}", sandbox=sandbox, config=wanted)

    async def start_container(self, container: Container) -> None:
        container.state, container.started_at = "CONTAINER_RUNNING", 1.0
        self.started.append(container)

    async def stop_container(self, container: Container, grace_seconds: float) -> None:
        container.finish(143, "Error", "")

    async def remove_pod_sandbox(self, sandbox: Sandbox) -> None:
        self.removed.append(sandbox)

    def remove_logs(self, folder: str) -> None:
        self.logs_removed.append(folder)

    def end(self, exit_code: int) -> None:
        """End the container that was started last."""
        container = self.started[-1]
        container.finish(exit_code, "Completed" if exit_code == 0 else "Error", "")
        container.sandbox.on_change()

    def lose_sandbox(self) -> None:
        """Have the guest die, and its container with it."""
        self.sandboxes[-1].state = "SANDBOX_NOTREADY"
        self.end(255)
