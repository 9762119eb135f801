"""Kubernetes' packages, which a host of the lab has from the start."""

from __future__ import annotations

from typing import Final

from simlab.machine.software.programs import program, unit
from simlab.machine.system.package import Package

_KUBELET: Final = unit(
    "kubelet.service",
    "kubelet: The Kubernetes Node Agent",
    "https://kubernetes.io/docs/",
    "/usr/bin/kubelet",
)

PACKAGES: Final = tuple(
    Package(name, version, "0", summary=summary, license="ASL 2.0", vendor="", files=files)
    for name, version, summary, files in (
        ("kubeadm", "1.24.8", "Command-line utility for administering a Kubernetes cluster.", {}),
        ("kubectl", "1.24.8", "Command-line utility for interacting with a Kubernetes cluster.", {}),
        ("kubelet", "1.24.8", "Container cluster management", _KUBELET),
        ("kubernetes-cni", "1.1.1", "Binaries required to provision kubernetes container networking", {}),
        (
            "cri-tools",
            "1.25.0",
            "Command-line utility for interacting with a container runtime.",
            program("crictl"),
        ),
    )
)
