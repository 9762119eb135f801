"""What the kernel tells of SEV and SEV-ES, by its version, its command line and the machine's ASIDs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from simlab.layout import Layout
from simlab.machine import kernel
from simlab.machine.boot import Booted
from simlab.machine.software import kernels

if TYPE_CHECKING:
    from pathlib import Path

    from simlab.machine.system.kernels import Kernel

BOTH = "mem_encrypt=on kvm_amd.sev=1 kvm_amd.sev_es=1"


@pytest.mark.parametrize(
    ("running", "arguments", "asids", "parameter"),
    [
        (kernels.NEW, BOTH, 254, "1\n"),
        (kernels.NEW, "mem_encrypt=on kvm_amd.sev=1", 254, "0\n"),
        (kernels.NEW, "kvm_amd.sev_es=1", 254, "0\n"),
        (kernels.NEW, BOTH, 0, "0\n"),
        (kernels.OLD, BOTH, 254, None),
    ],
)
def test_sev_es(tmp_path: Path, running: Kernel, arguments: str, asids: int, parameter: str | None) -> None:
    layout = Layout(tmp_path)
    (layout.host / "etc").mkdir(parents=True)
    (layout.host / "etc/machine-id").write_text("0123456789abcdef0123456789abcdef\n")
    file = layout.host / "sys/module/kvm_amd/parameters/sev_es"
    file.parent.mkdir(parents=True)
    file.write_text("of the boot before")
    booted = Booted(running, arguments)
    kernel.write(layout, booted, api_major=1, api_minor=42, build=42, asids=255, seves_asids=asids)
    assert (file.read_text() if file.exists() else None) == parameter
    log = (layout.host / "var/log/dmesg").read_text()
    assert ("SEV-ES supported: 254 ASIDs" in log) is (parameter == "1\n")
