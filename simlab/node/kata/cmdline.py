"""The guest kernel's command line, in kata's order; the launch digest depends on it.

Sources, kata CC-0.3.0 `src/runtime`: `virtcontainers/qemu_amd64.go` (`kernelParams`), `qemu_arch_base.go`
(`handleImagePath`, `appendConsole`, `kernelParameters`), `qemu.go` (`kernelParameters`), `hypervisor.go`
(`SerializeParams`), `kata_agent.go` (`KataAgentKernelParams`), `pkg/katautils/config.go` (`SetKernelParams`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simlab.node.kata.config import Configuration

_AMD64: Final = (
    "tsc=reliable",
    "no_timer_check",
    "rcupdate.rcu_expedited=1",
    "i8042.direct=1",
    "i8042.dumbkbd=1",
    "i8042.nopnp=1",
    "i8042.noaux=1",
    "noreplace-smp",
    "reboot=k",
    "cryptomgr.notests",
    "net.ifnames=0",
    "pci=lastbus=0",
)
_NVDIMM_ROOT: Final = (
    "root=/dev/pmem0p1",
    "rootflags=dax,data=ordered,errors=remount-ro ro",
    "rootfstype=ext4",
)
_BLOCK_ROOT: Final = ("root=/dev/vda1", "rootflags=data=ordered,errors=remount-ro ro", "rootfstype=ext4")
_CONSOLES: Final = ("console=hvc0", "console=hvc1")
_SYSTEMD: Final = (
    "systemd.unit=kata-containers.target",
    "systemd.mask=systemd-networkd.service",
    "systemd.mask=systemd-networkd.socket",
)


def kernel_parameters(configuration: Configuration) -> str:
    """The text after `-append`."""
    return " ".join(_parameters(configuration))


def _parameters(configuration: Configuration) -> Iterator[str]:
    yield from _AMD64
    if configuration.image:
        yield from _NVDIMM_ROOT if uses_nvdimm(configuration) else _BLOCK_ROOT
    yield from _CONSOLES
    yield from _verbosity(configuration)
    yield "panic=1"
    yield f"nr_cpus={configuration.max_vcpus}"
    yield f"selinux={0 if configuration.disable_guest_selinux else 1}"
    if _names_kbc(configuration):
        yield f"agent.aa_kbc_params={configuration.kata.online_kbc}::{configuration.kbs_uri}"
    if configuration.image:
        yield from _SYSTEMD
    if configuration.block_device_driver == "virtio-scsi":
        yield "scsi_mod.scan=none"
    if configuration.agent_debug:
        yield "agent.log=debug"
    if configuration.agent_trace:
        yield "agent.trace=true"
    if configuration.debug_console:
        yield from ("agent.debug_console", "agent.debug_console_vport=1026")
    for parameter in configuration.kernel_params:
        key, _, value = parameter.partition("=")
        # An empty value loses its "=".
        yield parameter if value else key


def _names_kbc(configuration: Configuration) -> bool:
    """Whether the shim tells the guest of its KBC (kata CC-0.7.0, `qemu.go`, `kernelParameters`)."""
    return bool(
        configuration.kata.online_kbc
        and configuration.confidential_guest
        and configuration.guest_pre_attestation
        and configuration.kbs_mode == "online"
    )


def _verbosity(configuration: Configuration) -> Iterator[str]:
    if configuration.debug:
        yield "debug"
        if configuration.image:
            yield from ("systemd.show_status=true", "systemd.log_level=debug")
    else:
        yield "quiet"
        if configuration.image:
            yield "systemd.show_status=false"


def uses_nvdimm(configuration: Configuration) -> bool:
    """Whether the guest's image is an NVDIMM device; a confidential guest cannot have one (`newQemuArch`)."""
    return not configuration.disable_image_nvdimm and not configuration.confidential_guest
