"""The kernels of Anolis OS 8 as packages."""

from __future__ import annotations

from typing import Final

from simlab.machine.system.kernels import Kernel
from simlab.machine.system.package import Package

# The guide's chapter "前提条件", 2: the kernel of 8.6, and what `uname -r` prints after the update.
OLD: Final = Kernel("4.19.91-26.an8.x86_64", "#1 SMP Tue May 24 13:10:09 CST 2022")
NEW: Final = Kernel("5.10.134-13_rc2.an8.x86_64", "#1 SMP Mon Dec 5 16:14:53 CST 2022")


def packages(kernel: Kernel) -> list[Package]:
    """Return a kernel's packages: the image is in kernel-core, `kernel` only needs the others."""
    version, _, rest = kernel.release.partition("-")
    release = rest.removesuffix(".x86_64")
    exact = f"= {version}-{release}"

    def package(name: str, summary: str, size: int, requires: tuple[str, ...], **more: object) -> Package:
        return Package(
            name,
            version,
            release,
            summary=summary,
            size=size,
            requires=requires,
            several=True,
            **more,  # type: ignore[arg-type]
        )

    return [
        package("kernel", "The Linux kernel", 0, (f"kernel-core {exact}", f"kernel-modules {exact}")),
        package(
            "kernel-core",
            "The Linux kernel",
            70_000_000,
            ("linux-firmware", "grubby"),
            files={f"/boot/vmlinuz-{kernel.release}": kernel.image()},
            scripts={
                "posttrans": [["kernel-install", "add", kernel.release]],
                "preun": [["kernel-install", "remove", kernel.release]],
            },
        ),
        package(
            "kernel-modules",
            "kernel modules to match the core kernel",
            25_000_000,
            (f"kernel-core {exact}",),
        ),
    ]
