"""What containerd knows of a sandbox and of a container."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from simlab.node.containerd.config import Runtime
    from simlab.node.containerd.shim import Mount, Shim


@dataclass(frozen=True)
class SandboxConfig:
    """What the kubelet asks for with RunPodSandbox."""

    name: str
    namespace: str
    uid: str
    attempt: int
    annotations: Mapping[str, str]
    labels: Mapping[str, str]


@dataclass(frozen=True)
class ContainerConfig:
    """What the kubelet asks for with CreateContainer; `log_path` is on the host."""

    name: str
    attempt: int
    image: str
    image_ref: str
    log_path: str
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    working_dir: str = ""
    mounts: tuple[Mount, ...] = ()


@dataclass(eq=False)
class Sandbox:
    """A sandbox that was started. `ip` is the pod's address."""

    sandbox_id: str
    config: SandboxConfig
    runtime: Runtime
    shim: Shim
    pulls_in_guest: bool
    ip: str
    on_change: Callable[[], None]
    state: str = "SANDBOX_READY"
    created_at: float = field(default_factory=time.time)

    def as_cri(self) -> dict[str, Any]:
        """The sandbox as `crictl pods -o json` lists it."""
        return {
            "id": self.sandbox_id,
            "metadata": {
                "name": self.config.name,
                "namespace": self.config.namespace,
                "uid": self.config.uid,
                "attempt": self.config.attempt,
            },
            "state": self.state,
            "createdAt": _nanoseconds(self.created_at),
            "labels": dict(self.config.labels),
            "annotations": dict(self.config.annotations),
            "runtimeHandler": self.runtime.name if self.runtime.name != "runc" else "",
        }


@dataclass(eq=False, kw_only=True)
class Attempt:
    """One run of a container. Times are seconds since the epoch, 0 where it has not come so far."""

    container_id: str
    config: ContainerConfig
    state: str = "CONTAINER_CREATED"
    created_at: float = field(default_factory=time.time)
    started_at: float = 0.0
    finished_at: float = 0.0
    exit_code: int = 0
    reason: str = ""
    message: str = ""
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def finish(self, exit_code: int, reason: str, message: str) -> None:
        """Record the container's end."""
        self.exit_code, self.reason, self.message = exit_code, reason, message
        self.finished_at = time.time()
        self.state = "CONTAINER_EXITED"
        self.ended.set()


@dataclass(eq=False, kw_only=True)
class Container(Attempt):
    """A container in a sandbox."""

    sandbox: Sandbox

    def as_cri(self) -> dict[str, Any]:
        """The container as `crictl ps -o json` lists it."""
        return {
            "id": self.container_id,
            "podSandboxId": self.sandbox.sandbox_id,
            "metadata": {"name": self.config.name, "attempt": self.config.attempt},
            "image": {"image": self.config.image},
            "imageRef": self.config.image_ref,
            "state": self.state,
            "createdAt": _nanoseconds(self.created_at),
            "labels": {
                "io.kubernetes.container.name": self.config.name,
                "io.kubernetes.pod.name": self.sandbox.config.name,
                "io.kubernetes.pod.namespace": self.sandbox.config.namespace,
                "io.kubernetes.pod.uid": self.sandbox.config.uid,
            },
            "logPath": self.config.log_path,
            "exitCode": self.exit_code,
        }


def _nanoseconds(seconds: float) -> str:
    return str(int(seconds * 1_000_000_000))
