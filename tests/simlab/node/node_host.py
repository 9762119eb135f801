"""A host with the release on it, without a lab around it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simlab.machine import kernel
from simlab.machine.boot import Booted
from simlab.machine.software import kernels
from simlab.node.host import Host
from tests.simlab.node import released

if TYPE_CHECKING:
    from simlab.layout import Layout

SEV = "/opt/confidential-containers/share/defaults/kata-containers/configuration-qemu-sev.toml"
PLAIN = "/opt/confidential-containers/share/defaults/kata-containers/configuration-qemu.toml"


def install(layout: Layout) -> Host:
    released.install(layout)
    (layout.host / "etc").mkdir(parents=True, exist_ok=True)
    (layout.host / "etc/machine-id").write_text("0123456789abcdef0123456789abcdef\n")
    booted = Booted(kernels.NEW, "mem_encrypt=on kvm_amd.sev=1")
    kernel.write(layout, booted, api_major=1, api_minor=42, build=42, asids=255)
    return Host(layout)


def edit(host: Host, path: str, old: str, new: str) -> None:
    file = host.local(path)
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
