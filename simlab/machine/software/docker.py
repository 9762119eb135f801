"""Docker's packages for CentOS 8, as its repository had them in the guide's time."""

from __future__ import annotations

from typing import Final

from simlab.machine.software.programs import program, unit
from simlab.machine.system.package import Package

CONTAINERD: Final = Package(
    "containerd.io",
    "1.6.12",
    "3.1.el8",
    summary="An industry-standard container runtime",
    license="ASL 2.0",
    vendor="Docker",
    size=120_000_000,
    requires=("container-selinux",),
    files={
        "/etc/containerd/config.toml": 'disabled_plugins = ["cri"]\n',
        **program("containerd"),
        **unit(
            "containerd.service",
            "containerd container runtime",
            "https://containerd.io",
            "/usr/bin/containerd",
        ),
    },
    configuration=("/etc/containerd/config.toml",),
    scripts={"post": [["systemctl", "preset", "containerd.service"]]},
)

COMPOSE_PLUGIN: Final = Package(
    "docker-compose-plugin",
    "2.12.2",
    "3.el8",
    summary="Docker Compose (V2) plugin for the Docker CLI.",
    license="ASL 2.0",
    vendor="Docker",
    size=42_000_000,
    files={
        "/usr/libexec/docker/cli-plugins/docker-compose": program("docker", "docker", "compose").popitem()[1]
    },
)

CLI: Final = Package(
    "docker-ce-cli",
    "20.10.21",
    "3.el8",
    epoch=1,
    summary="The open-source application container engine",
    license="ASL 2.0",
    vendor="Docker",
    size=140_000_000,
    files=program("docker"),
)

ENGINE: Final = Package(
    "docker-ce",
    "20.10.21",
    "3.el8",
    epoch=3,
    summary="The open-source application container engine",
    license="ASL 2.0",
    vendor="Docker",
    size=95_000_000,
    requires=("container-selinux", "docker-ce-cli", "containerd.io >= 1.4.1"),
    files=unit(
        "docker.service",
        "Docker Application Container Engine",
        "https://docs.docker.com",
        "/usr/bin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock",
    ),
    scripts={"post": [["systemctl", "preset", "docker.service"]]},
)

PACKAGES: Final = (CONTAINERD, CLI, ENGINE, COMPOSE_PLUGIN)
