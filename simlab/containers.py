"""The containers that docker runs on the host, and what docker tells of them."""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from simlab import addresses
from simlab.compose import FOLDER, NETWORK, PROJECT

if TYPE_CHECKING:
    from pathlib import Path

    from simlab.service import Service


def _new_id() -> str:
    return secrets.token_hex(32)


BRIDGE: Final = "bridge"


@dataclass(frozen=True)
class Origin:
    """What a container has from `docker run`: compose gives the same to each of its own."""

    name: str
    network: str
    gateway: str
    restart: str


@dataclass
class Container:
    """A container: a service of the lab with what docker knows of it."""

    compose_service: str
    service: Service
    image: str
    command: tuple[str, ...]
    ip: str
    # Container port -> port on every address of the host.
    published: dict[int, int]
    log_folder: Path
    exposed: tuple[int, ...] = ()
    id: str = field(default_factory=_new_id)
    created: datetime = field(default_factory=lambda: datetime.now(UTC))
    restarts: int = 0
    # By docker's restart policy, until somebody stops it.
    kept: bool = False
    origin: Origin | None = None

    @property
    def name(self) -> str:
        """The container's name: its own, or as docker compose v2 makes it."""
        return self._origin.name

    @property
    def restart(self) -> str:
        """Its restart policy: no, always, on-failure or unless-stopped."""
        return self._origin.restart

    @property
    def restarting(self) -> bool:
        """Whether it has ended, and its restart policy will start it."""
        return self.kept and not self.service.running

    @property
    def network(self) -> str:
        """The network that it is in."""
        return self._origin.network

    @property
    def _origin(self) -> Origin:
        name = f"{PROJECT}-{self.compose_service}-1"
        return self.origin or Origin(name, NETWORK, addresses.KBS_NETWORK_GATEWAY, "always")

    @property
    def log_path(self) -> Path:
        """The container's log in the json-file driver's format."""
        return self.log_folder / self.id / f"{self.id}-json.log"

    def renew(self) -> None:
        """Become a new container of the same name, as `docker compose up` makes it after a `down`."""
        self.id = _new_id()
        self.created = datetime.now(UTC)
        self.restarts = 0

    def record_line(self, line: bytes) -> None:
        """Append a line of output to the container's log, as docker's json-file driver does."""
        entry = {
            "log": line.decode(errors="replace"),
            "stream": "stdout",
            "time": _rfc3339(datetime.now(UTC)),
        }
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        with self.log_path.open("a") as log:
            log.write(json.dumps(entry) + "\n")

    def inspect(self, host_root: Path) -> dict[str, Any]:
        """Return what `docker inspect` says of it (Docker Engine API v1.41, the parts that scripts read)."""
        running = self.service.running
        bindings = {
            f"{port}/tcp": [{"HostIp": "0.0.0.0", "HostPort": str(host)}]  # noqa: S104 -- docker's default
            for port, host in self.published.items()
        }
        exposed: dict[str, Any] = {f"{port}/tcp": None for port in self.exposed}
        return {
            "Id": self.id,
            "Created": _rfc3339(self.created),
            "Path": self.command[0],
            "Args": list(self.command[1:]),
            "State": {
                "Status": self._status,
                # While it is restarting too (moby, container/state.go, SetRestarting).
                "Running": running or self.restarting,
                "Paused": False,
                "Restarting": self.restarting,
                "OOMKilled": False,
                "Dead": False,
                "Pid": self.service.pid or 0,
                "ExitCode": _docker_exit_code(self.service.exit_code),
                "Error": "",
                "StartedAt": _rfc3339(self.service.started),
                "FinishedAt": _rfc3339(self.service.finished),
            },
            "Image": f"sha256:{_stable_digest(self.image)}",
            "LogPath": "/" + str(self.log_path.relative_to(host_root)),
            "Name": f"/{self.name}",
            "RestartCount": self.restarts,
            "HostConfig": {
                "LogConfig": {"Type": "json-file", "Config": {}},
                "NetworkMode": "default" if self.origin else NETWORK,
                "PortBindings": bindings,
                "RestartPolicy": {"Name": self.restart, "MaximumRetryCount": 0},
            },
            "Config": {
                "Hostname": self.id[:12],
                "Image": self.image,
                "Cmd": list(self.command),
                "Labels": self._labels(),
            },
            "NetworkSettings": {
                "Ports": (exposed | bindings) if running else {},
                "Networks": {
                    self.network: {
                        "Aliases": None if self.origin else [self.name, self.compose_service, self.id[:12]],
                        "Gateway": self._origin.gateway if running else "",
                        "IPAddress": self.ip if running else "",
                        "IPPrefixLen": 16 if running else 0,
                    }
                },
            },
        }

    @property
    def _status(self) -> str:
        if self.restarting:
            return "restarting"
        if self.service.running:
            return "running"
        return "exited" if self.service.started else "created"

    def _labels(self) -> dict[str, str]:
        if self.origin:
            return {}
        return {
            "com.docker.compose.container-number": "1",
            "com.docker.compose.oneoff": "False",
            "com.docker.compose.project": PROJECT,
            "com.docker.compose.project.config_files": f"{FOLDER}/docker-compose.yml",
            "com.docker.compose.project.working_dir": FOLDER,
            "com.docker.compose.service": self.compose_service,
        }


def _docker_exit_code(status: int | None) -> int:
    """Return docker's way of an exit status: 128 + n for signal n."""
    if status is None:
        return 0
    return 128 - status if status < 0 else status


def _rfc3339(moment: datetime | None) -> str:
    """Return docker's time stamps: nanoseconds, UTC; its zero time for a moment that has not come."""
    if moment is None:
        return "0001-01-01T00:00:00Z"
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f000Z")


def _stable_digest(image: str) -> str:
    return hashlib.sha256(image.encode()).hexdigest()
