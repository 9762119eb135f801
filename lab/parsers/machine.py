"""What tells an operating system, a processor and a booted kernel: os-release, cpuinfo, the command line."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from lab.errors import LabError

# AMD64 Architecture Programmer's Manual, volume 3, appendix E.4.17: Encrypted Memory Capabilities.
CPUID_ENCRYPTED_MEMORY = 0x8000001F
_SEV_BIT = 1 << 1


@dataclass(frozen=True)
class Cpu:
    """The first processor of /proc/cpuinfo; all of a host are alike.

    `signature` is CPUID leaf 1's EAX, or None where family, model and stepping are not told.
    """

    vendor: str
    model: str
    flags: frozenset[str]
    signature: int | None = None


def parse_os_release(text: str) -> dict[str, str]:
    """The variables of os-release(5); lines that are none are passed over, as the manual says."""
    found = {}
    for line in text.splitlines():
        name, assigned, value = line.strip().partition("=")
        if assigned and not name.startswith("#"):
            try:
                found[name] = "".join(shlex.split(value))
            except ValueError:
                continue
    return found


def parse_cpuinfo(text: str) -> Cpu:
    """The processor in /proc/cpuinfo. Raises LabError where it names none."""
    first = text.strip().split("\n\n")[0]
    fields = {
        name.strip(): value.strip() for name, _, value in (line.partition(":") for line in first.splitlines())
    }
    if "vendor_id" not in fields:
        raise LabError("/proc/cpuinfo names no processor")
    return Cpu(
        fields["vendor_id"],
        fields.get("model name", ""),
        frozenset(fields.get("flags", "").split()),
        _signature(fields.get("cpu family", ""), fields.get("model", ""), fields.get("stepping", "")),
    )


def _signature(*told: str) -> int | None:
    """AMD's CPUID specification (25481), Fn0000_0001_EAX."""
    if not all(number.isdecimal() for number in told):
        return None
    family, model, stepping = (int(number) for number in told)
    base, extended = min(family, 0xF), max(family - 0xF, 0)
    return extended << 20 | model >> 4 << 16 | base << 8 | (model & 0xF) << 4 | stepping & 0xF


def parse_kernel_arguments(line: str) -> dict[str, str]:
    """The value of each kernel parameter that counts: the last one; `-` and `_` are one in a name.

    A parameter without a value has an empty one (Linux, Documentation/admin-guide/kernel-parameters.rst).
    """
    found = {}
    for word in line.split():
        name, _, value = word.partition("=")
        found[name.replace("-", "_")] = value.strip('"')
    return found


def missing_arguments(line: str, wanted: list[str]) -> list[str]:
    """Which of the wanted `name=value` do not hold in a command line."""
    found = parse_kernel_arguments(line)
    return [
        word for word in wanted if any(found.get(k) != v for k, v in parse_kernel_arguments(word).items())
    ]


def parse_module_switch(text: str) -> bool | None:
    """A boolean module parameter: kernels show it as 1 or Y; None for anything else."""
    return {"1": True, "Y": True, "0": False, "N": False}.get(text.strip())


def asids_of_cpuid(leaf: bytes) -> int | None:
    """How many encrypted guests the processor can tell apart: CPUID 8000_001F, ECX; None without SEV."""
    if len(leaf) != 16:
        return None
    eax, ecx = int.from_bytes(leaf[0:4], "little"), int.from_bytes(leaf[8:12], "little")
    return ecx if eax & _SEV_BIT else None
