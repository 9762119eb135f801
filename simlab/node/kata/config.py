"""kata's configuration file, checked in the shim's order and with its texts.

Source: kata CC-0.3.0 and CC-0.7.0, `src/runtime/pkg/katautils/config.go` (`LoadConfiguration`,
`newQemuHypervisorConfig`, `checkHypervisorConfig`) and `utils.go` (`ResolvePath`).
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from simlab.node.host import MEMORY_MIB
from simlab.node.kata.errors import ShimError
from simlab.release import kata_deploy, paths, versions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from simlab.node.host import Host
    from simlab.release.versions.release import Kata

DEFAULT_CONFIGURATIONS: Final = (
    "/etc/kata-containers/configuration.toml",
    "/opt/confidential-containers/share/defaults/kata-containers/configuration.toml",
)
_DEFAULT_KERNEL: Final = "/opt/confidential-containers/share/kata-containers/vmlinux.container"
_DEFAULT_QEMU: Final = "/opt/confidential-containers/bin/qemu-system-x86_64"
_MIB: Final = 1024 * 1024
_MIN_MEMORY_MIB: Final = 256  # vc.MinHypervisorMemory
_DEFAULT_MEMORY_MIB: Final = 2048

T = TypeVar("T")


@dataclass(frozen=True)
class Configuration:
    """What the shim takes from its file; paths are the host's, without symbolic links."""

    path: str
    qemu: str
    kernel: str
    initrd: str
    image: str
    firmware: str
    machine_type: str
    machine_accelerators: str
    cpu_features: str
    kernel_params: tuple[str, ...]
    vcpus: int
    max_vcpus: int
    memory_mib: int
    max_memory_mib: int
    memory_slots: int
    block_device_driver: str
    shared_fs: str
    virtio_fs_queue_size: int
    entropy_source: str
    debug: bool
    disable_guest_selinux: bool
    disable_image_nvdimm: bool
    confidential_guest: bool
    guest_pre_attestation: bool
    kbs_uri: str
    kbs_mode: str
    guest_pre_attestation_keyset: str
    guest_pre_attestation_secret_guid: str
    guest_pre_attestation_secret_type: str
    kata: Kata
    sev_guest_policy: int
    sev_cert_chain: str
    enable_annotations: tuple[str, ...]
    agent_debug: bool
    agent_trace: bool
    debug_console: bool
    dial_timeout: int


def load(host: Host, path: str) -> Configuration:
    """Read the configuration at `path` (empty: the first of `DEFAULT_CONFIGURATIONS` that exists).

    Raises ShimError with the shim's own text.
    """
    resolved = _find(host, path)
    document = _decode(host.read_text(resolved))
    hypervisors = _table(document, "hypervisor")
    if "qemu" not in hypervisors:
        named = ", ".join(hypervisors) or "none"
        raise ShimError(f"{resolved}: the simulated node runs QEMU only (configured hypervisor: {named})")
    try:
        configuration = _qemu(host, resolved, document, _table(hypervisors, "qemu"))
    except _ConfigurationError as error:
        raise ShimError(f"{resolved}: {error}") from None
    _check(host, configuration)
    return configuration


class _ConfigurationError(Exception):
    """A mistake that the shim reports with the file's path before it."""


def resolve_path(host: Host, path: str) -> str:
    """Resolve a path that must exist; raises ShimError with `file … does not exist`."""
    if not path:
        raise ShimError("path must be specified")
    try:
        return host.resolve(path)
    except FileNotFoundError:
        raise ShimError(f"file {path} does not exist") from None


def kata_on(host: Host) -> Kata:
    """The kata that the shim on the host is."""
    shim = host.read_text(paths.KATA_SHIM)
    return versions.by_mark(shim, lambda release: kata_deploy.mark(release.kata)).kata


def _find(host: Host, path: str) -> str:
    try:
        if path:
            return resolve_path(host, path)
    except ShimError as error:
        raise ShimError(f"Cannot find usable config file ({error})") from None
    reasons = []
    for candidate in DEFAULT_CONFIGURATIONS:
        try:
            return resolve_path(host, candidate)
        except ShimError as error:
            reasons.append(f'config file "{candidate}" unresolvable: {error}')
    raise ShimError(f"Cannot find usable config file ({', '.join(reasons)})")


def _decode(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ShimError(f"toml: {error}") from None


def _table(parent: Mapping[str, Any], key: str) -> dict[str, Any]:
    return _typed(parent, key, dict, {})


def _typed(parent: Mapping[str, Any], key: str, kind: type[T], default: T) -> T:
    value = parent.get(key, default)
    # bool is an int to Python, and not to TOML
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise ShimError(
            f'toml: (last key "{key}"): incompatible types: TOML value has type {type(value).__name__};'
            f" destination has type {kind.__name__}"
        )
    return value


def _qemu(host: Host, path: str, document: Mapping[str, Any], table: Mapping[str, Any]) -> Configuration:
    def text(key: str, default: str = "") -> str:
        return _typed(table, key, str, default)

    def number(key: str, default: int = 0) -> int:
        return _typed(table, key, int, default)

    def flag(key: str, default: bool = False) -> bool:
        return _typed(table, key, bool, default)

    def existing(file: str) -> str:
        try:
            return resolve_path(host, file) if file else ""
        except ShimError as error:
            raise _ConfigurationError(str(error)) from None

    # The order of these checks decides which of several mistakes is reported.
    qemu = existing(text("path") or _DEFAULT_QEMU)
    kernel = existing(text("kernel") or _DEFAULT_KERNEL)
    initrd = existing(text("initrd"))
    image = existing(text("image"))
    for pflash in _typed(table, "pflashes", list, []):
        try:
            existing(str(pflash))
        except _ConfigurationError as error:
            raise _ConfigurationError(f"failed to resolve path: {pflash}: {error}") from None
    firmware = existing(text("firmware"))
    existing(text("firmware_volume"))
    shared_fs = text("shared_fs", "virtio-fs")
    if shared_fs in ("virtio-fs", "virtio-fs-nydus") and not text("virtio_fs_daemon"):
        raise _ConfigurationError(f"cannot enable {shared_fs} without daemon path in configuration file")

    agents = _table(document, "agent")
    agent: dict[str, Any] = next(iter(agents.values()), {})
    memory = number("default_memory")
    kata = kata_on(host)
    mode = text("guest_pre_attestation_kbs_mode")
    if kata.kbs_modes:
        secret_type, secret_guid = kata.kbs_modes.get(mode, ("", ""))
    else:
        secret_type, secret_guid = (text(f"guest_pre_attestation_secret_{key}") for key in ("type", "guid"))
    return Configuration(
        path=path,
        qemu=qemu,
        kernel=kernel,
        initrd=initrd,
        image=image,
        firmware=firmware,
        machine_type=text("machine_type", "q35") or "q35",
        machine_accelerators=_comma_list(text("machine_accelerators")),
        cpu_features=_comma_list(text("cpu_features")),
        kernel_params=tuple(text("kernel_params").split()),
        vcpus=_vcpus(number("default_vcpus"), host.cpus()),
        max_vcpus=_max_vcpus(number("default_maxvcpus"), host.cpus()),
        memory_mib=memory if memory >= _MIN_MEMORY_MIB else _DEFAULT_MEMORY_MIB,
        max_memory_mib=min(number("default_maxmemory") or MEMORY_MIB, MEMORY_MIB),
        memory_slots=number("memory_slots") or 10,
        block_device_driver=text("block_device_driver", "virtio-scsi"),
        shared_fs=shared_fs,
        virtio_fs_queue_size=number("virtio_fs_queue_size"),
        entropy_source=text("entropy_source", "/dev/urandom") or "/dev/urandom",
        debug=flag("enable_debug"),
        disable_guest_selinux=flag("disable_guest_selinux", default=False),
        disable_image_nvdimm=flag("disable_image_nvdimm"),
        confidential_guest=flag("confidential_guest"),
        guest_pre_attestation=flag("guest_pre_attestation"),
        kbs_uri=text(kata.kbs_uri),
        kbs_mode=mode,
        guest_pre_attestation_keyset=text("guest_pre_attestation_keyset"),
        guest_pre_attestation_secret_guid=secret_guid,
        guest_pre_attestation_secret_type=secret_type,
        kata=kata,
        sev_guest_policy=number("sev_guest_policy"),
        sev_cert_chain=text("sev_cert_chain"),
        enable_annotations=tuple(str(name) for name in _typed(table, "enable_annotations", list, [])),
        agent_debug=_typed(agent, "enable_debug", bool, False),
        agent_trace=_typed(agent, "enable_tracing", bool, False),
        debug_console=_typed(agent, "debug_console_enabled", bool, False),
        dial_timeout=_typed(agent, "dial_timeout", int, 30),
    )


def _comma_list(text: str) -> str:
    return ",".join(item.strip() for item in text.split(",") if item)


def _vcpus(wanted: int, cpus: int) -> int:
    if wanted < 0 or wanted > cpus:
        return cpus
    return wanted or 1


def _max_vcpus(wanted: int, cpus: int) -> int:
    return cpus if wanted == 0 or wanted >= cpus else wanted


def _check(host: Host, configuration: Configuration) -> None:
    for path, is_initrd in ((configuration.image, False), (configuration.initrd, True)):
        if not path:
            continue
        size = host.local(path).stat().st_size
        if size == 0:
            raise ShimError(f'image "{path}" is empty')
        if is_initrd and size > _MIB and size // _MIB >= configuration.memory_mib:
            raise ShimError(
                f"VM memory ({configuration.memory_mib}MB) smaller than image"
                f' "{path}" size ({size // _MIB}MB)'
            )
