"""The network of a lab's world: its addresses and routes, and names for them."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Final

from simlab import addresses
from simlab.machine import skeleton

if TYPE_CHECKING:
    from simlab.layout import Layout

# Locally administered addresses; the gateway's never answers, so the neighbour is told.
_GATEWAY_MAC: Final = "52:54:00:00:00:01"

_RESERVED_PORTS: Final = Path("/proc/sys/net/ipv4/ip_local_reserved_ports")

# What is sent to the internet beyond the lab's own names goes to the gateway, where nobody forwards it.
_SET_UP: Final = f"""\
link set lo up
link add eth0 address 52:54:00:00:00:10 type veth peer name gw0 address {_GATEWAY_MAC}
addr add {addresses.HOST_IP}/{addresses.HOST_PREFIX} dev eth0
link set gw0 up
link set eth0 up
neigh replace {addresses.GATEWAY_IP} lladdr {_GATEWAY_MAC} dev eth0 nud permanent
route add default via {addresses.GATEWAY_IP} dev eth0 src {addresses.HOST_IP}
addr add {addresses.INTERNET_IP}/32 dev lo
addr add {addresses.KBS_NETWORK_GATEWAY}/32 dev lo
route add unreachable {addresses.KBS_NETWORK}
addr add {addresses.DOCKER_GATEWAY}/32 dev lo
route add unreachable {addresses.DOCKER_NETWORK}
"""


class NetworkError(Exception):
    """An address or a route could not be set."""


def set_up() -> None:
    """Give the world its addresses; to be run once, in its own network namespace.

    A container's address is missing until `attach`: reaching it gives "No route to host".
    Raises NetworkError.
    """
    _ip(_SET_UP)
    # The kernel gives the KBS's port to clients too: one that asks whether somebody listens there may get it,
    # and is answered by itself. Then the KBS cannot have it for a minute.
    _RESERVED_PORTS.write_text(f"{addresses.KBS_PORT}\n", encoding="ascii")


def attach(ip: str) -> None:
    """Give a container's address to the network, as its start does; does nothing when it is there."""
    _ip(f"addr replace {ip}/32 dev lo\n")


def detach(ip: str) -> None:
    """Take a container's address from the network, as its stop does; does nothing when it is not there."""
    if (
        f" {ip}/32 "
        in subprocess.run(
            ["ip", "-o", "-4", "addr", "show", "dev", "lo"], capture_output=True, text=True, check=True
        ).stdout
    ):
        _ip(f"addr del {ip}/32 dev lo\n")


def name_hosts(layout: Layout) -> None:
    """Bind the lab's hosts and resolver files over the runner's, in the world's own mount namespace only."""
    for name, text in (("hosts", skeleton.hosts_file()), ("resolv.conf", skeleton.resolver_file())):
        source, target = layout.world / name, Path("/etc") / name
        if not target.exists():
            continue  # nothing of the runner's to hide
        source.write_text(text)
        # mount(8) and not bubblewrap, since only the kernel follows a resolv.conf that is an absolute link.
        done = subprocess.run(
            ["mount", "--bind", source, target], capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise NetworkError(f"mount over {target}: {done.stderr.strip()}")


def _ip(commands: str) -> None:
    done = subprocess.run(["ip", "-batch", "-"], input=commands, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise NetworkError(f"ip: {done.stderr.strip()}")
