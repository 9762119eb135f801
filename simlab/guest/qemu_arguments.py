"""QEMU's command line, as far as kata uses it (kata CC-0.3.0, src/runtime/pkg/govmm/qemu/qemu.go)."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

_FLAGS: Final = frozenset(
    {"-S", "-daemonize", "-no-user-config", "-nodefaults", "-nographic", "-no-reboot", "-no-shutdown"}
)


class ArgumentError(Exception):
    """An argument that QEMU would not take; the text is what it prints after its name."""


@dataclass(frozen=True)
class SevGuest:
    """`-object sev-guest`. Paths are the host's."""

    policy: int
    dh_cert_file: str
    session_file: str
    kernel_hashes: bool


@dataclass(frozen=True)
class Machine:
    """What a command line asks for. Paths are the host's; empty where an argument is absent."""

    name: str
    vcpus: int
    kernel: str
    initrd: str
    append: str
    firmware: str
    image: str
    qmp_socket: str
    agent_socket: str
    pid_file: str
    sev: SevGuest | None
    paused: bool


def parse(arguments: Sequence[str]) -> Machine:
    """Read the arguments that follow the program's name.

    Raises ArgumentError.
    """
    options: defaultdict[str, list[str]] = defaultdict(list)
    rest = iter(arguments)
    for argument in rest:
        option = "-" + argument.lstrip("-")  # QEMU takes --no-reboot as -no-reboot
        if not argument.startswith("-"):
            raise ArgumentError(f"{argument}: invalid option")
        value = "" if option in _FLAGS else next(rest, None)
        if value is None:
            raise ArgumentError(f"{argument}: requires an argument")
        options[option].append(value)

    objects = [_properties(value) for value in options["-object"]]
    drives = [_properties(value) for value in options["-drive"]]
    chardevs = {fields.get("id"): fields for fields in map(_properties, options["-chardev"])}
    memory_files = {fields["id"]: fields.get("mem-path", "") for fields in objects if "id" in fields}
    nvdimms = [f for f in map(_properties, options["-device"]) if f.get("") == "nvdimm"]
    disks = [drive["file"] for drive in drives if drive.get("if") == "none" and "file" in drive]
    flash = [drive["file"] for drive in drives if drive.get("if") == "pflash" and "file" in drive]
    return Machine(
        name=_properties(_last(options, "-name")).get("", ""),
        vcpus=int(_properties(_last(options, "-smp")).get("", "1")),
        kernel=_last(options, "-kernel"),
        initrd=_last(options, "-initrd"),
        append=_last(options, "-append"),
        firmware=_last(options, "-bios") or (flash[-1] if flash else ""),
        image=next((memory_files.get(f.get("memdev", ""), "") for f in nvdimms), disks[0] if disks else ""),
        qmp_socket=_properties(_last(options, "-qmp")).get("", "").removeprefix("unix:"),
        agent_socket=chardevs.get("agent", {}).get("path", ""),
        pid_file=_last(options, "-pidfile"),
        sev=_sev_guest(_last(options, "-machine", first=True), objects),
        paused="-S" in options,
    )


def _sev_guest(machine: str, objects: Sequence[dict[str, str]]) -> SevGuest | None:
    wanted = _properties(machine).get("confidential-guest-support")
    if wanted is None:
        return None
    for fields in objects:
        if fields.get("id") == wanted and fields.get("") == "sev-guest":
            return SevGuest(
                policy=int(fields.get("policy", "1"), 0),
                dh_cert_file=fields.get("dh-cert-file", ""),
                session_file=fields.get("session-file", ""),
                kernel_hashes=fields.get("kernel-hashes") == "on",
            )
    raise ArgumentError(f"Device '{wanted}' not found")


def _last(options: dict[str, list[str]], name: str, *, first: bool = False) -> str:
    values = options.get(name) or [""]
    return values[0] if first else values[-1]


def _properties(value: str) -> dict[str, str]:
    """`a,b=c` as {"": "a", "b": "c"}; QEMU doubles a comma that is meant as one."""
    fields: dict[str, str] = {}
    for number, part in enumerate(value.replace(",,", "\0").split(",")):
        key, equals, text = part.replace("\0", ",").partition("=")
        if equals:
            fields[key] = text
        elif number == 0:
            fields[""] = key
    return fields
