"""The docker engine of the simulated host: its containers, simple-kbs' compose project among them."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING, Any, Final

from simlab import addresses, network
from simlab.compose import NETWORK, PROJECT
from simlab.containers import BRIDGE
from simlab.service import STOP_SECONDS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from pathlib import Path

    from simlab.containers import Container

_RESTART_DELAY_SECONDS: Final = 0.1
_KEEPING: Final = ("always", "unless-stopped")
_LONGEST_RESTART_DELAY_SECONDS: Final = 60.0


class EngineError(Exception):
    """docker's own words for what it cannot do."""


class EngineDownError(EngineError):
    """The docker daemon does not run."""


class Engine:
    """The compose project's containers, in the order in which they depend on each other, and single ones.

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
        self._single: list[Container] = []
        self._powered = False
        self._host_root = host_root
        self._on_removed = on_removed
        self._keepers: dict[str, asyncio.Task[None]] = {}
        # Held by whoever changes something: two clients of docker's at once take turns.
        self.changing = asyncio.Lock()

    async def start(self, container: Container) -> None:
        """Start a container and keep it running if its restart policy says so; it may not be ready yet."""
        network.attach(container.ip)
        await container.service.spawn()
        if container.restart in _KEEPING and container.name not in self._keepers:
            self._keepers[container.name] = asyncio.create_task(self._keep(container))
            container.kept = True

    async def stop(self, container: Container, seconds: float) -> None:
        """Stop a container; `restart: always` does not bring it back."""
        keeper = self._keepers.pop(container.name, None)
        container.kept = False
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
        """Begin to work, as dockerd does: containers are started whose restart policy says so."""
        self._powered = True
        async with self.changing:
            for container in self.present():
                if container.restart in _KEEPING:
                    await self.start(container)

    async def shut_down(self, seconds: float = STOP_SECONDS) -> None:
        """Stop every container, the ones that depend on others first, and answer no more."""
        async with self.changing:
            for container in reversed([*self._all, *self._single]):
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
        return [*self._single, *self._of_compose()]

    def add(self, container: Container) -> None:
        """Have a container of its own, which is no compose project's."""
        self._single.append(container)

    async def remove(self, container: Container, *, force: bool) -> None:
        """Throw a container away, with its data if they have no name. Raises EngineError when it runs."""
        if container.service.running and not force:
            raise EngineError(
                f"You cannot remove a running container {container.id}."
                " Stop the container before attempting removal or force remove"
            )
        await self.stop(container, 0)
        if container in self._single:
            self._single.remove(container)
        else:
            await self._on_removed(container.compose_service)
            self._present.remove(container.compose_service)

    def _of_compose(self) -> list[Container]:
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
        """Stop and remove every container of the project; return their names."""
        removed = []
        for container in reversed(self._of_compose()):
            await self.stop(container, seconds)
            await self.remove(container, force=True)
            removed.append(container.name)
        return removed

    def inspect(self) -> list[dict[str, Any]]:
        """Return every container as `docker inspect` shows it."""
        return [container.inspect(self._host_root) for container in self.present()]

    def networks(self) -> list[dict[str, Any]]:
        """Return the networks as `docker network inspect` shows them; a stopped container is in none."""
        bridge = self._network(BRIDGE, addresses.DOCKER_NETWORK, addresses.DOCKER_GATEWAY, {})
        if not self._present:
            return [bridge]
        labels = {"com.docker.compose.network": "default", "com.docker.compose.project": PROJECT}
        project = self._network(NETWORK, addresses.KBS_NETWORK, addresses.KBS_NETWORK_GATEWAY, labels)
        return [bridge, project]

    def _network(self, name: str, subnet: str, gateway: str, labels: dict[str, str]) -> dict[str, Any]:
        connected = {
            container.id: {
                "Name": container.name,
                "EndpointID": hashlib.sha256(container.id.encode()).hexdigest(),
                "MacAddress": "02:42:" + ":".join(f"{int(part):02x}" for part in container.ip.split(".")),
                "IPv4Address": f"{container.ip}/16",
                "IPv6Address": "",
            }
            for container in self.present()
            if container.service.running and container.network == name
        }
        return {
            "Name": name,
            "Id": hashlib.sha256(f"{self._host_root}{name}".encode()).hexdigest(),
            "Scope": "local",
            "Driver": "bridge",
            "EnableIPv6": False,
            "IPAM": {
                "Driver": "default",
                "Options": None,
                "Config": [{"Subnet": subnet, "Gateway": gateway}],
            },
            "Internal": False,
            "Containers": connected,
            "Options": {},
            "Labels": labels,
        }

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
