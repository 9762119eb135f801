"""The node seen from the host, where a script stands for crictl and a sleeping process for QEMU."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from lab.errors import NotProven
from lab.node import Node, repository_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.host import Host
    from tests.lab.ssh_peer import SshPeer

SANDBOX = "3f2a9c"
QEMU = ("-name", f"sandbox-{SANDBOX}", "-kernel", "/share/vmlinuz", "-append", "panic=1")


@pytest.fixture
def qemu() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(
        [sys.executable, "-c", "input()", *QEMU], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        yield process
        process.kill()


def install_crictl(peer: SshPeer, script: str) -> None:
    tool = peer.bin / "crictl"
    tool.write_text(f"#!/bin/sh\n{script}\n")
    tool.chmod(0o755)


def listing(**answer: object) -> str:
    return f"cat <<'END'\n{json.dumps(answer)}\nEND"


@pytest.mark.parametrize(
    ("reference", "repository"),
    [
        ("docker.io/bitnami/nginx:1.22.0", "bitnami/nginx"),
        ("bitnami/nginx", "bitnami/nginx"),
        ("registry:5000/bitnami/nginx", "bitnami/nginx"),
        ("localhost/bitnami/nginx:1", "bitnami/nginx"),
        ("docker.io/bitnami/nginx@sha256:3d", "bitnami/nginx"),
        ("nginx:1.22.0", "nginx"),
    ],
)
def test_a_repository_is_told_without_registry_and_tag(reference: str, repository: str) -> None:
    assert repository_of(reference) == repository


def test_images_of_a_repository_are_found_under_any_tag_and_digest(host: Host, ssh_peer: SshPeer) -> None:
    tags = ["docker.io/bitnami/nginx:1.23", "docker.io/bitnami/nginx-exporter:1", "registry.k8s.io/pause:3.6"]
    untagged = {"id": "2", "repoTags": [], "repoDigests": ["docker.io/bitnami/nginx@sha256:0a"]}
    install_crictl(ssh_peer, listing(images=[{"id": "1", "repoTags": tags, "repoDigests": []}, untagged]))
    found = Node(host).images_of("docker.io/bitnami/nginx:1.22.0")
    assert found == ["docker.io/bitnami/nginx:1.23", "docker.io/bitnami/nginx@sha256:0a"]


def test_a_containerd_that_is_down_is_a_precondition(host: Host, ssh_peer: SshPeer) -> None:
    install_crictl(ssh_peer, "echo 'connect: connection refused' >&2; exit 1")
    with pytest.raises(NotProven, match=r"connection refused \(C-4\.3\)"):
        Node(host).images_of("nginx")


def test_a_pod_s_vm_is_the_process_that_bears_its_sandbox(
    host: Host, ssh_peer: SshPeer, qemu: subprocess.Popen[bytes]
) -> None:
    pods = [{"id": SANDBOX, "metadata": {"uid": "u-1"}}, {"id": "77", "metadata": {"uid": "u-2"}}]
    install_crictl(ssh_peer, listing(items=pods))
    vm = Node(host).virtual_machine("default", "nginx", "u-1")
    assert vm is not None
    assert (vm.pid, vm.sandbox, vm.qemu.append) == (qemu.pid, SANDBOX, "panic=1")
    assert Node(host).virtual_machine("default", "nginx", "u-2") is None
