"""GRUB's eight packages, as the guide's `yum list | grep grub` shows them."""

from __future__ import annotations

from typing import Final

from simlab.machine.software import programs
from simlab.machine.system import grub
from simlab.machine.system.package import Package

_VERSION: Final = "2.02"
# The release of 8.6, with which SEV's arguments keep a machine from starting, and that of 8.5.
BROKEN: Final = "123.0.2.an8_6.8"
GOOD: Final = "106.0.1.an8"


def packages(release: str) -> list[Package]:
    """Return a release's packages; they need each other in the same version."""
    exact = f"= 1:{_VERSION}-{release}"

    def package(name: str, summary: str, size: int, *requires: str, **more: object) -> Package:
        exactly = tuple(f"{required} {exact}" for required in requires)
        return Package(
            name,
            _VERSION,
            release,
            epoch=1,
            summary=summary,
            license="GPLv3+",
            size=size,
            requires=exactly,
            **more,  # type: ignore[arg-type]
        )

    tools = ("grub2-common", "grub2-tools-minimal")
    support = "Support tools for GRUB."
    loader = "Bootloader with support for Linux, Multiboot, and more"
    return [
        package("grub2-common", "grub2 common layout", 5_000_000, arch="noarch"),
        package(
            "grub2-efi-x64",
            "GRUB for EFI systems.",
            2_400_000,
            *("grub2-common", "grub2-tools-minimal", "grub2-tools"),
            provides=(f"grub2-efi {exact}",),
            files={f"/{grub.IMAGE}": grub.image(f"{_VERSION}-{release}")},
        ),
        package("grub2-pc", loader, 500, "grub2-common", "grub2-pc-modules", "grub2-tools"),
        package(
            "grub2-pc-modules",
            "Modules used to build custom grub images",
            3_000_000,
            "grub2-common",
            arch="noarch",
        ),
        package("grub2-tools", support, 9_000_000, *tools),
        package("grub2-tools-efi", support, 2_500_000, *tools),
        package("grub2-tools-extra", support, 5_000_000, *tools, "grub2-tools"),
        package(
            "grub2-tools-minimal",
            support,
            700_000,
            "grub2-common",
            files=programs.program("grub2-editenv", "grub2_editenv"),
        ),
    ]
