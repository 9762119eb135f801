"""What `docker network inspect` prints (guide: 附录, KBS_DB_HOST)."""

from __future__ import annotations

import json
from dataclasses import dataclass

from lab.errors import LabError


@dataclass(frozen=True)
class Attached:
    """A container in a network; `address` is its IPv4 address there."""

    name: str
    address: str


def parse_network(output: str) -> list[Attached]:
    """The containers in the inspected networks. Raises LabError for what is not docker's JSON."""
    try:
        return [
            Attached(container["Name"], container["IPv4Address"].partition("/")[0])
            for network in json.loads(output)
            for container in (network["Containers"] or {}).values()
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise LabError(f"docker network inspect gave no list of containers: {error!r}") from None


# One container a line, for `docker ps --format`.
PS_FORMAT = r"{{.ID}}\t{{.Image}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}"


@dataclass(frozen=True)
class Container:
    """A container, as `docker ps` shows it."""

    id: str
    image: str
    status: str
    ports: str
    name: str

    @property
    def is_up(self) -> bool:
        """Whether it runs; one that restarts again and again is `Restarting (1) …`."""
        return self.status.startswith("Up ") and "(Paused)" not in self.status


def parse_containers(output: str) -> list[Container]:
    """The containers of `docker ps --format PS_FORMAT`. Raises LabError for what is not that."""
    containers = []
    for line in output.splitlines():
        fields = line.split("\t")
        if len(fields) != 5:
            raise LabError(f"docker ps gave no list of containers: {line!r}")
        containers.append(Container(*fields))
    return containers
