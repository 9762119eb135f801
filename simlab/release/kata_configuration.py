"""kata's configuration files as the release ships them, one a RuntimeClass."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from simlab.release import kata_options as options
from simlab.release import paths
from simlab.release.kata_options import Option

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from simlab.release.versions.release import Kata

_PLAIN_KERNEL_PARAMETERS = f"{options.ROOT_HASH_PARAMETERS} agent.enable_signature_verification=false "
_TDX_KERNEL_PARAMETERS = (
    f"tdx_disable_filter agent.enable_signature_verification=false  {options.ROOT_HASH_PARAMETERS}"
)


def _text(value: str) -> str:
    return f'"{value}"'


def _kernel_parameters(value: str) -> Option:
    return Option("kernel_params", _text(value), options.KERNEL_PARAMETERS_MEANING)


def _qemu(
    kata: Kata,
    *,
    path: str = paths.QEMU,
    boot: tuple[Option, ...],
    confidential: tuple[Option, ...] = (),
    kernel_parameters: str,
    firmware: str = "",
    firmware_volume: str = "",
    cpu_features: str = "pmu=off",
    shared_fs: str,
) -> str:
    hypervisor = (
        Option("path", _text(path)),
        *boot,
        Option("machine_type", '"q35"'),
        *confidential,
        *options.ANNOTATIONS,
        Option("valid_hypervisor_paths", f"[{_text(path)}]"),
        _kernel_parameters(kernel_parameters),
        Option("firmware", _text(firmware), "Firmware of the guest; empty means the hypervisor's own."),
        Option("firmware_volume", _text(firmware_volume)),
        Option("machine_accelerators", '""'),
        Option("cpu_features", _text(cpu_features)),
        *options.SIZES,
        Option("disable_block_device_use", "false"),
        Option("shared_fs", _text(shared_fs), "How the host's files reach the guest."),
        *options.virtio_fs(kata.virtio_fs_extra_args),
        *options.QEMU_DEVICES,
        *options.SELINUX,
    )
    return _file(kata, "qemu", hypervisor, static_resources=bool(confidential) and kata.static_resources)


def _cloud_hypervisor(
    kata: Kata, *, kernel: str, image: str, kernel_parameters: str, confidential: tuple[Option, ...] = ()
) -> str:
    hypervisor = (
        Option("path", _text(paths.CLOUD_HYPERVISOR)),
        Option("kernel", _text(kernel)),
        Option("image", _text(image)),
        *confidential,
        *options.SELINUX,
        *options.ANNOTATIONS,
        Option("valid_hypervisor_paths", f"[{_text(paths.CLOUD_HYPERVISOR)}]"),
        _kernel_parameters(kernel_parameters),
        *options.SIZES,
        Option("shared_fs", '"virtio-fs"'),
        *options.virtio_fs(kata.virtio_fs_extra_args),
        Option("block_device_driver", '"virtio-blk"'),
    )
    return _file(kata, "clh", hypervisor, static_resources=bool(confidential) and kata.static_resources)


def _file(kata: Kata, hypervisor_table: str, hypervisor: Iterable[Option], *, static_resources: bool) -> str:
    sections = (
        (f"[hypervisor.{hypervisor_table}]", hypervisor),
        ("[factory]", ()),
        ("[agent.kata]", (Option("kernel_modules", "[]"), *kata.agent)),
        ("[runtime]", options.runtime(static_resources=static_resources)),
        ("[image]", options.IMAGE),
    )
    return "\n".join(_section(header, lines) for header, lines in sections)


def _section(header: str, lines: Iterable[Option]) -> str:
    out = [header]
    for line in lines:
        if line.meaning:
            out += ["", f"# {line.meaning}"]
        out.append(f"{line.key} = {line.value}")
    return "\n".join([*out, ""])


def qemu(kata: Kata) -> str:
    """`configuration-qemu.toml`: a VM in plain memory, for the RuntimeClasses kata and kata-qemu."""
    return _qemu(
        kata,
        boot=(Option("kernel", _text(paths.KERNEL)), Option("image", _text(paths.IMAGE))),
        kernel_parameters=_PLAIN_KERNEL_PARAMETERS,
        shared_fs="virtio-fs",
    )


def qemu_sev(kata: Kata) -> str:
    """`configuration-qemu-sev.toml`: an SEV guest with pre-attestation."""
    return _qemu(
        kata,
        boot=(Option("kernel", _text(paths.SEV_KERNEL)), Option("initrd", _text(paths.SEV_INITRD))),
        confidential=kata.pre_attestation,
        kernel_parameters=options.SEV_KERNEL_PARAMETERS,
        firmware=kata.firmware,
        shared_fs="virtio-9p",
    )


def qemu_tdx(kata: Kata) -> str:
    """`configuration-qemu-tdx.toml`: shipped with the others; an AMD host has no use for it."""
    return _qemu(
        kata,
        path=paths.QEMU_TDX,
        boot=(Option("kernel", _text(paths.TDX_KERNEL)), Option("image", _text(paths.TDX_IMAGE))),
        confidential=(Option("confidential_guest", "true"),),
        kernel_parameters=_TDX_KERNEL_PARAMETERS,
        firmware=paths.TDX_FIRMWARE,
        firmware_volume=paths.TDX_FIRMWARE_VARIABLES,
        cpu_features="-vmx-rdseed-exit,pmu=off",
        shared_fs="virtio-9p",
    )


def clh(kata: Kata) -> str:
    """`configuration-clh.toml`: Cloud Hypervisor."""
    return _cloud_hypervisor(
        kata, kernel=paths.KERNEL, image=paths.IMAGE, kernel_parameters=_PLAIN_KERNEL_PARAMETERS
    )


def clh_tdx(kata: Kata) -> str:
    """`configuration-clh-tdx.toml`: Cloud Hypervisor with TDX."""
    return _cloud_hypervisor(
        kata,
        kernel=paths.TDX_KERNEL,
        image=paths.TDX_IMAGE,
        kernel_parameters=_TDX_KERNEL_PARAMETERS,
        confidential=(Option("confidential_guest", "true"), Option("firmware", _text(paths.TD_SHIM))),
    )


def qemu_snp(kata: Kata) -> str:
    """`configuration-qemu-snp.toml`: an SEV-SNP guest, without attestation; this host offers it none."""
    return _qemu(
        kata,
        path=paths.QEMU_SNP,
        boot=(Option("kernel", _text(paths.SEV_KERNEL)), Option("initrd", _text(paths.SEV_INITRD))),
        confidential=(
            Option("confidential_guest", "true"),
            Option("sev_snp_guest", "true"),
            Option("snp_guest_policy", "196608"),
        ),
        kernel_parameters=options.SEV_KERNEL_PARAMETERS,
        firmware=paths.SNP_FIRMWARE,
        shared_fs="virtio-9p",
    )


_BY_SHIM: Final[dict[str, Callable[[Kata], str]]] = {
    "qemu": qemu,
    "qemu-sev": qemu_sev,
    "qemu-snp": qemu_snp,
    "qemu-tdx": qemu_tdx,
    "clh": clh,
    "clh-tdx": clh_tdx,
}


def files(kata: Kata) -> dict[str, str]:
    """The configuration files of a release, by name. A shim without one is not for this machine."""
    return {f"configuration-{shim}.toml": _BY_SHIM[shim](kata) for shim in kata.shims if shim in _BY_SHIM}
