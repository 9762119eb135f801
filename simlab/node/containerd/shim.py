"""What containerd asks of a shim, whichever runtime is behind it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence


@dataclass(frozen=True)
class Mount:
    """A folder of the host in a container; both paths as host and container name them."""

    container_path: str
    host_path: str
    read_only: bool = False


@dataclass(frozen=True)
class ContainerSpec:
    """A container to be created. `rootfs` is a folder on the host, or empty when the guest has the image.

    `program` is the Python module that acts for the image's own program, where the lab has one for it.
    """

    container_id: str
    image: str
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: str = ""
    rootfs: str = ""
    mounts: tuple[Mount, ...] = ()
    program: str = ""


@dataclass(frozen=True)
class LogChunk:
    """Output of a container; `stream` is stdout or stderr."""

    stream: str
    data: bytes


class Shim(Protocol):
    """One sandbox's runtime. Every method raises RpcError as the shim's caller sees it."""

    async def create(self) -> None:
        """Bring the sandbox up."""

    async def pull_image(self, image: str) -> str:
        """Pull an image inside of the sandbox and return its reference; only where the runtime offers it."""

    async def create_container(self, spec: ContainerSpec) -> None:
        """Create a container's process, not yet started."""

    async def start_container(self, container_id: str) -> None:
        """Start a created container."""

    async def wait_container(self, container_id: str) -> int:
        """Wait for a container's end and return its exit code."""

    def logs(self, container_id: str) -> AsyncIterator[LogChunk]:
        """Output of a container, until it ends."""

    async def run_in_container(self, container_id: str, command: Sequence[str]) -> int:
        """Run a command in a container to its end and return its exit code."""

    async def signal_container(self, container_id: str, signal: int) -> None:
        """Send a signal to a container's first process."""

    async def remove_container(self, container_id: str) -> None:
        """Forget a container that has ended."""

    async def wait(self) -> None:
        """Wait until the sandbox itself is gone."""

    async def stop(self) -> None:
        """End the sandbox and everything in it; does nothing when it is gone."""
