"""The local registry on the host's port 5000: its container, and what it answers over HTTP."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.errors import DeadlineExceeded, NotProven
from lab.parsers.docker import PS_FORMAT, Container, parse_containers
from lab.record import Wait

if TYPE_CHECKING:
    from lab.deadline import Deadline
    from lab.host import Host
    from lab.record import Record

# Seconds between two questions to a registry that is starting.
PACE = 0.5
# What tells a registry from another service (distribution, docs/content/spec/api.md, API Version Check).
VERSION, REGISTRY = "Docker-Distribution-Api-Version", "registry/2.0"
# What a container publishes, which `docker ps` tells of running ones only.
BINDINGS = "{{json .HostConfig.PortBindings}}"


@dataclass(frozen=True)
class RegistryAnswer:
    """What answered: `status` is the HTTP status, 0 where nobody did; `said` what was wrong with it."""

    status: int
    said: str

    @property
    def is_registry(self) -> bool:
        """Whether it is the API's own answer (OCI distribution specification, end-1)."""
        return self.status == 200 and not self.said

    def __str__(self) -> str:
        return self.said or f"answers {self.status}"


class Registry:
    """The registry of one host. Every question looks again."""

    def __init__(self, host: Host, record: Record, *, port: int = 5000) -> None:
        self.port = port
        self.name = "conformance-registry"
        self._host = host
        self._record = record

    def containers(self) -> list[Container]:
        """The containers that publish the port, or ours, which publishes it once it runs."""
        listed = self._host.run(f"docker ps --all --no-trunc --format '{PS_FORMAT}'", check=False, reads=True)
        published = re.compile(rf":{self.port}->")
        return [
            each
            for each in parse_containers(listed.stdout)
            if published.search(each.ports) or each.name == self.name or _is_registry(each.image)
        ]

    def require_docker(self) -> None:
        """Raise NotProven where docker's server does not answer: clause C-3.1 owns that."""
        asked = self._host.run("docker ps --quiet", check=False, reads=True)
        if not asked.succeeded:
            raise NotProven(f"docker's server does not answer: {asked.stderr.strip()}", owner="C-3.1")

    def running(self) -> list[Container]:
        """Those that are up and publish the port."""
        return [each for each in self.containers() if each.is_up and f":{self.port}->" in each.ports]

    def stopped(self) -> list[Container]:
        """Those that are not up, and would publish the port."""
        return [each for each in self.containers() if not each.is_up and self._would_publish(each)]

    def _would_publish(self, container: Container) -> bool:
        bound = self._host.run("docker inspect --format %s %s", BINDINGS, container.id, reads=True).stdout
        return f'"HostPort":"{self.port}"' in bound

    def answer(self) -> RegistryAnswer:
        """What answers on the port."""
        url = f"http://127.0.0.1:{self.port}/v2/"
        asked = self._host.run(
            "curl --silent --show-error --noproxy '*' --max-time 10 --output /dev/null --dump-header - %s",
            url,
            check=False,
            reads=True,
        )
        if not asked.succeeded:
            return RegistryAnswer(0, f"nobody answers on port {self.port}: {asked.stderr.strip()}")
        head, *lines = asked.stdout.splitlines() or [""]
        named = (line.partition(":") for line in lines)
        headers = {name.strip().lower(): value.strip() for name, _, value in named}
        status = next((int(word) for word in head.split()[1:2] if word.isdecimal()), 0)
        version = headers.get(VERSION.lower())
        if status == 200 and version == REGISTRY:
            return RegistryAnswer(200, "")
        found = f"{VERSION} {version!r}" if version else f"no {VERSION}"
        return RegistryAnswer(
            status,
            f"port {self.port} answers {url} with status {status} and {found}, and a registry with 200 "
            f"and {REGISTRY}",
        )

    def wait_for_answer(self, deadline: Deadline) -> None:
        """Wait until the registry answers. Raises DeadlineExceeded with what answered last."""
        pause = threading.Event()
        while not (answer := self.answer()).is_registry:
            if deadline.expired:
                raise DeadlineExceeded(
                    f"the registry did not answer in {deadline.seconds:.0f} s; last: {answer}"
                )
            self._record.waiting(
                Wait("the registry to answer", deadline.elapsed, deadline.remaining, str(answer))
            )
            pause.wait(deadline.cap(PACE))


def _is_registry(image: str) -> bool:
    return image.partition("@")[0].rpartition("/")[2].partition(":")[0] == "registry"
