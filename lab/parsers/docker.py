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
