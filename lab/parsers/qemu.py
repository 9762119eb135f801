"""The command line of kata's QEMU, as `/proc/PID/cmdline` holds it.

Sources: kata-containers CC-0.3.0, src/runtime/pkg/govmm/qemu/qemu.go (an SEV guest's firmware is a pflash
drive, another guest's is `-bios`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Iterator

# Options of QEMU's that kata uses without a value.
FLAGS = {
    "-S",
    "-no-user-config",
    "-nodefaults",
    "-nographic",
    "--no-reboot",
    "--no-shutdown",
    "-no-shutdown",
    "-daemonize",
    "-enable-kvm",
}


@dataclass(frozen=True)
class QemuArguments:
    """What a VM was started with. `sev_guest` is None for a VM that is no SEV guest."""

    arguments: tuple[str, ...]
    name: str
    kernel: str
    initrd: str
    append: str
    firmware: str
    machine: dict[str, str]
    sev_guest: dict[str, str] | None
    cpu: str
    smp: str

    @property
    def vcpus(self) -> int:
        """How many vCPUs the guest starts with. Raises LabError where that is not told."""
        kind, topology = _properties(self.smp)
        told = kind or topology.get("cpus", "")
        if not told.isdecimal():
            raise LabError(f"QEMU was told no number of vCPUs: -smp {self.smp!r}")
        return int(told)

    @property
    def sev_policy(self) -> int:
        """The SEV policy that the guest was launched with. Raises LabError where it is no SEV guest's.

        QEMU's own is 1 (QEMU 6.2, target/i386/sev.c, DEFAULT_GUEST_POLICY).
        """
        told = "" if self.sev_guest is None else self.sev_guest.get("policy", "1")
        try:
            return int(told, 0)
        except ValueError:
            raise LabError(f"QEMU was told no SEV policy: sev-guest {self.sev_guest}") from None


def parse_cmdline(data: bytes) -> QemuArguments:
    """The arguments in a NUL-separated command line. Raises LabError where it is not QEMU's."""
    arguments = tuple(part.decode("utf-8", "backslashreplace") for part in data.rstrip(b"\0").split(b"\0"))
    options = list(_options(arguments))
    named = dict(options)
    if "-append" not in named or "-kernel" not in named:
        raise LabError(f"this is no command line of kata's QEMU: {' '.join(arguments)[:200]!r}")
    flash = [_properties(value)[1] for option, value in options if option == "-drive"]
    firmware = [drive.get("file", "") for drive in flash if drive.get("if") == "pflash"]
    objects = [_properties(value) for option, value in options if option == "-object"]
    guests = [properties for kind, properties in objects if kind == "sev-guest"]
    machine_type, machine = _properties(named.get("-machine", ""))
    return QemuArguments(
        arguments=arguments,
        name=named.get("-name", "").partition(",")[0],
        kernel=named["-kernel"],
        initrd=named.get("-initrd", ""),
        append=named["-append"],
        firmware=firmware[0] if firmware else named.get("-bios", ""),
        machine={"type": machine_type, **machine},
        sev_guest=guests[0] if guests else None,
        cpu=named.get("-cpu", "").partition(",")[0],
        smp=named.get("-smp", ""),
    )


def _options(arguments: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    rest = iter(arguments[1:])
    for option in rest:
        yield option, "" if option in FLAGS else next(rest, "")


def _properties(value: str) -> tuple[str, dict[str, str]]:
    """`type,key=value,…` or `key=value,…` as QEMU takes it; a doubled comma stands for one."""
    parts = [part.replace("\0", ",") for part in value.replace(",,", "\0").split(",")]
    kind = parts.pop(0) if parts and "=" not in parts[0] else ""
    return kind, {key: text for key, _, text in (part.partition("=") for part in parts)}
