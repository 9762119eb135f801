"""What releases bring to a host: firmware, kernels, initrds. Deterministic for one lab's CA roots."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from simlab.artifacts import firmware, initrd, kernel
from simlab.release import paths, versions

if TYPE_CHECKING:
    from pathlib import Path

    from simlab.layout import Layout
    from simlab.release.versions.release import Kata

DEMO_HOST: Final = "mirrors.openanolis.cn"
DEMO_FOLDER: Final = "inclavare-containers/confidential-containers-demo/bin/ccv3-sev"

FIRMWARE: Final = "OVMF.fd"
KERNEL_SEV: Final = "vmlinuz-sev.container"
KERNEL: Final = "vmlinux.container"
INITRD_SEV: Final = "kata-containers-initrd-sev.img"
IMAGE: Final = "kata-containers.img"
DEMO_ONLINE: Final = "initrd.run.online-sev.img"
DEMO_OFFLINE: Final = "initrd.run.offline-sev.img"


@dataclass(frozen=True)
class Artifacts:
    """Where the built files are; `folder/artifacts.json` maps each file's name to its SHA-256 (hex)."""

    folder: Path

    @property
    def firmware(self) -> Path:
        """OVMF's AmdSev build."""
        return self.folder / FIRMWARE

    @property
    def kernel_sev(self) -> Path:
        """The kernel for SEV guests."""
        return self.folder / KERNEL_SEV

    @property
    def kernel(self) -> Path:
        """The kernel for guests that are not confidential."""
        return self.folder / KERNEL

    @property
    def initrd_sev(self) -> Path:
        """The initrd that the release ships: the online KBC only."""
        return self.folder / INITRD_SEV

    @property
    def image(self) -> Path:
        """The root file system of guests that are not confidential."""
        return self.folder / IMAGE

    def by_host_path(self, kata: Kata) -> dict[str, Path]:
        """The release's files by their place on a host, as the operator's installer puts them."""
        return {
            kata.firmware: self.firmware,
            paths.SEV_KERNEL: self.kernel_sev,
            paths.SEV_INITRD: self.initrd_sev,
            paths.KERNEL: self.kernel,
            paths.IMAGE: self.image,
        }

    def sha256(self) -> dict[str, str]:
        """SHA-256 (hex) of each file, by name, as recorded when they were built."""
        recorded: dict[str, str] = json.loads((self.folder / "artifacts.json").read_text())
        return recorded


def build(layout: Layout) -> Artifacts:
    """Write the release's artifacts, and two more initrds, one a KBC.

    These are the demo's, where the internet serves them, or else the lab's own builds beside the release's.
    Needs `layout.pki / "internet-ca.crt"`: guests trust it for HTTPS.
    """
    ca_roots = (layout.pki / "internet-ca.crt").read_bytes()
    folder = layout.world / "artifacts"
    release = versions.of(layout)
    demo = layout.internet / DEMO_HOST / DEMO_FOLDER if release.demo_initrds else folder
    folder.mkdir(parents=True, exist_ok=True)
    demo.mkdir(parents=True, exist_ok=True)
    files = {
        FIRMWARE: firmware.build(release.kata.firmware_version),
        KERNEL_SEV: kernel.build_bzimage(),
        KERNEL: kernel.build_vmlinux(),
        INITRD_SEV: initrd.build_sev(release, "online_sev_kbc", ca_roots),
        IMAGE: initrd.build_image(release, ca_roots),
    }
    demos = {
        # Same agent, other bytes than the release's.
        name: initrd.build_sev(release, kbc, b"# another build\n" + ca_roots)
        for name, kbc in ((DEMO_ONLINE, "online_sev_kbc"), (DEMO_OFFLINE, "offline_sev_kbc"))
    }
    for name, data in files.items():
        (folder / name).write_bytes(data)
    for name, data in demos.items():
        (demo / name).write_bytes(data)
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in (files | demos).items()}
    (folder / "artifacts.json").write_text(json.dumps(digests, indent=2, sort_keys=True) + "\n")
    return Artifacts(folder)
