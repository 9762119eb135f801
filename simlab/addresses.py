"""Addresses and ports inside a lab's network namespace; all labs have the same, as each has its own."""

from __future__ import annotations

from typing import Final

HOSTNAME: Final = "anolis-sev-1"
HOST_IP: Final = "192.168.122.10"
HOST_PREFIX: Final = 24
GATEWAY_IP: Final = "192.168.122.1"

KUBE_API_PORT: Final = 6443

# docker compose's network `simple-kbs_default`
KBS_NETWORK: Final = "172.18.0.0/16"
KBS_NETWORK_GATEWAY: Final = "172.18.0.1"
DATABASE_IP: Final = "172.18.0.2"
DATABASE_PORT: Final = 3306
KBS_SERVER_IP: Final = "172.18.0.3"
KBS_PORT: Final = 44444

# docker's own network `bridge`
DOCKER_NETWORK: Final = "172.17.0.0/16"
DOCKER_GATEWAY: Final = "172.17.0.1"
LOCAL_REGISTRY_PORT: Final = 5000

# TEST-NET-3 stands for the internet: one HTTPS server, told apart by name.
INTERNET_IP: Final = "203.0.113.10"
INTERNET_NAMES: Final = (
    "mirrors.openanolis.cn",
    "registry-1.docker.io",
    "auth.docker.io",
    "docker.io",
    "quay.io",
    "ghcr.io",
    "registry.example.com",
    "kdsintf.amd.com",
    "download.docker.com",
    "github.com",
)
