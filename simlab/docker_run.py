"""`docker run`: containers of images whose program the lab has, made and thrown away one by one."""

from __future__ import annotations

import secrets
import socket
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from simlab import addresses
from simlab.containers import BRIDGE, Container, Origin
from simlab.service import Service, Spec, port_accepts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from simlab.docker_images import DockerImage
    from simlab.layout import Layout

_PROGRAM_LABEL: Final = "simlab.program"
_VOLUMES: Final = "var/lib/docker/volumes"
_ADJECTIVES: Final = ("admiring", "brave", "eager", "focused", "nostalgic", "quirky", "serene", "vibrant")
_SURNAMES: Final = ("curie", "hopper", "lamport", "liskov", "lovelace", "montalcini", "ritchie", "turing")


class RunError(Exception):
    """A container cannot be made; the message is docker's."""


@dataclass(frozen=True)
class Wish:
    """What a `docker run` asks for. `published` maps container ports to ports of the host."""

    image: str
    name: str = ""
    published: Mapping[int, int] = field(default_factory=dict)
    restart: str = "no"
    command: Sequence[str] = ()


def make(layout: Layout, wish: Wish, image: DockerImage, present: Sequence[Container]) -> Container:
    """Make a container, not started. Raises RunError."""
    module = (image.config.get("Labels") or {}).get(_PROGRAM_LABEL)
    if not module:
        raise RunError(f"the simulated docker has no program for {image.name}:{image.tag}")
    name = wish.name or _free_name(present)
    if taken := next((one for one in present if one.name == name), None):
        raise RunError(
            f'Conflict. The container name "/{name}" is already in use by container "{taken.id}".'
            " You have to remove (or rename) that container to be able to reuse that name."
        )
    volume = layout.host / _VOLUMES / secrets.token_hex(32) / "_data"
    volume.mkdir(parents=True)
    exposed = tuple(int(port.partition("/")[0]) for port in image.config.get("ExposedPorts") or {})
    listen = next(iter(wish.published.values()), exposed[0] if exposed else 0)
    argv = [sys.executable, "-m", module, "--listen", f"{_address(wish)}:{listen}", "--root", str(volume)]
    service = Service(
        Spec(f"docker-{name}", lambda: argv, port_accepts("127.0.0.1", listen)),
        layout.log / f"docker-{name}.log",
    )
    command = (*(image.config.get("Entrypoint") or ()), *(wish.command or image.config.get("Cmd") or ()))
    container = Container(
        compose_service="",
        service=service,
        image=wish.image,
        command=command,
        ip=_free_address(present),
        published=dict(wish.published),
        log_folder=layout.host / "var/lib/docker/containers",
        exposed=exposed,
        origin=Origin(name=name, network=BRIDGE, gateway=addresses.DOCKER_GATEWAY, restart=wish.restart),
    )
    service.on_line = container.record_line
    return container


def require_free_ports(container: Container, present: Sequence[Container]) -> None:
    """Look whether a container's published ports are free. Raises RunError with docker 20.10's text."""
    endpoint = (
        f"driver failed programming external connectivity on endpoint {container.name} ({container.id})"
    )
    for port in container.published.values():
        if any(
            one is not container and one.service.running and port in one.published.values() for one in present
        ):
            raise RunError(f"{endpoint}: Bind for 0.0.0.0:{port} failed: port is already allocated")
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("", port))
            except OSError as error:
                reason = (error.strerror or "").lower()
                raise RunError(
                    f"{endpoint}: Error starting userland proxy: listen tcp4 0.0.0.0:{port}: bind: {reason}"
                ) from None


def _address(wish: Wish) -> str:
    # Published ports are on every address of the host, as docker's default has it; others on loopback only.
    return "0.0.0.0" if wish.published else "127.0.0.1"  # noqa: S104


def _free_name(present: Sequence[Container]) -> str:
    taken = {one.name for one in present}
    while True:
        name = f"{secrets.choice(_ADJECTIVES)}_{secrets.choice(_SURNAMES)}"
        if name not in taken:
            return name


def _free_address(present: Sequence[Container]) -> str:
    taken = {one.ip for one in present}
    prefix = addresses.DOCKER_GATEWAY.rpartition(".")[0]
    return next(ip for ip in (f"{prefix}.{number}" for number in range(2, 255)) if ip not in taken)
