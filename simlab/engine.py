"""The docker engine of the simulated host, as far as docker compose runs simple-kbs in it."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING, Any, Final

from simlab import addresses, network
from simlab.compose import NETWORK, PROJECT
from simlab.service import STOP_SECONDS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from pathlib import Path

    from simlab.containers import Container

_RESTART_DELAY_SECONDS: Final = 0.1
_LONGEST_RESTART_DELAY_SECONDS: Final = 60.0


class EngineError(Exception):
    """docker's own words for what it cannot do."""


class EngineDownError(EngineError):
    """The docker daemon does not run."""


class Engine:
    """The containers of the compose project, in the order in which they depend on each other.

    `on_removed` is called with a compose service's name when its container is thrown away, data and all.
    """

    def __init__(
        self,
        containers: Sequence[Container],
        host_root: Path,
        on_removed: Callable[[str], Awaitable[None]],
        *,
        present: bool = True,
    ) -> None:
        self._all = list(containers)
        self._present = {container.compose_service for container in containers} if present else set()
        self._powered = False
        self._host_root = host_root
        self._on_removed = on_removed
        self._keepers: dict[str, asyncio.Task[None]] = {}
        # Held by whoever changes something: two clients of docker's at once take turns.
        self.changing = asyncio.Lock()

    async def start(self, container: Container) -> None:
        """Start a container and keep it running as `restart: always` says; it may not be ready yet."""
        network.attach(container.ip)
        await container.service.spawn()
        if container.compose_service not in self._keepers:
            self._keepers[container.compose_service] = asyncio.create_task(self._keep(container))

    async def stop(self, container: Container, seconds: float) -> None:
        """Stop a container; `restart: always` does not bring it back."""
        keeper = self._keepers.pop(container.compose_service, None)
        if keeper:
            keeper.cancel()
        await container.service.stop(seconds)
        network.detach(container.ip)

    def require_power(self) -> None:
        """Raise EngineDownError unless the docker daemon runs."""
        if not self._powered:
            raise EngineDownError(
                "Cannot connect to the Docker daemon at unix:///var/run/docker.sock."
                " Is the docker daemon running?"
            )

    async def power_on(self) -> None:
        """Begin to work, as dockerd does: containers with `restart: always` are started."""
        self._powered = True
        async with self.changing:
            for container in self.present():
                await self.start(container)

    async def shut_down(self, seconds: float = STOP_SECONDS) -> None:
        """Stop every container, the ones that depend on others first, and answer no more."""
        async with self.changing:
            for container in reversed(self._all):
                await self.stop(container, seconds)
        self._powered = False

    def find(self, reference: str) -> Container:
        """Return the container with that name or that beginning of an id; raises EngineError."""
        for container in self.present():
            if reference.lstrip("/") == container.name or container.id.startswith(reference):
                return container
        raise EngineError(f"No such container: {reference}")

    def present(self) -> list[Container]:
        """Return the containers that exist, running or not."""
        return [container for container in self._all if container.compose_service in self._present]

    async def compose_up(self) -> list[str]:
        """Make and start what is missing or stopped; return the names of the containers that were started."""
        changed = []
        for container in self._all:
            if container.compose_service not in self._present:
                container.renew()
                self._present.add(container.compose_service)
            if not container.service.running:
                await self.start(container)
                changed.append(container.name)
        return changed

    async def compose_down(self, seconds: float) -> list[str]:
        """Stop and remove every container; return their names."""
        removed = []
        for container in reversed(self.present()):
            await self.stop(container, seconds)
            await self._on_removed(container.compose_service)
            self._present.remove(container.compose_service)
            removed.append(container.name)
        return removed

    def inspect(self) -> list[dict[str, Any]]:
        """Return every container as `docker inspect` shows it."""
        return [container.inspect(self._host_root) for container in self.present()]

    def networks(self) -> list[dict[str, Any]]:
        """Return the networks as `docker network inspect` shows them; a stopped container is in none."""
        if not self._present:
            return []
        connected = {
            container.id: {
                "Name": container.name,
                "EndpointID": hashlib.sha256(container.id.encode()).hexdigest(),
                "MacAddress": "02:42:" + ":".join(f"{int(part):02x}" for part in container.ip.split(".")),
                "IPv4Address": f"{container.ip}/16",
                "IPv6Address": "",
            }
            for container in self.present()
            if container.service.running
        }
        return [
            {
                "Name": NETWORK,
                "Id": hashlib.sha256(str(self._host_root).encode()).hexdigest(),
                "Scope": "local",
                "Driver": "bridge",
                "EnableIPv6": False,
                "IPAM": {
                    "Driver": "default",
                    "Options": None,
                    "Config": [{"Subnet": addresses.KBS_NETWORK, "Gateway": addresses.KBS_NETWORK_GATEWAY}],
                },
                "Internal": False,
                "Containers": connected,
                "Options": {},
                "Labels": {"com.docker.compose.network": "default", "com.docker.compose.project": PROJECT},
            }
        ]

    async def _keep(self, container: Container) -> None:
        """Start the container again whenever it ends by itself, later each time."""
        delay = _RESTART_DELAY_SECONDS
        while True:
            await container.service.ended()
            # docker's restart policy waits twice as long before each further try.
            await asyncio.sleep(delay)
            delay = min(2 * delay, _LONGEST_RESTART_DELAY_SECONDS)
            container.restarts += 1
            await container.service.spawn()
