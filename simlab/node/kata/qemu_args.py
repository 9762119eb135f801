"""QEMU's argument vector as kata's govmm builds it.

Sources, kata CC-0.3.0 `src/runtime`: `virtcontainers/qemu.go` (`CreateVM`, `buildDevices`),
`qemu_arch_base.go`, `qemu_amd64.go` (`appendSEVObject`), `pkg/govmm/qemu/qemu.go` (`LaunchQemu`,
`QemuParams`).

Simpler than kata: the agent listens on a socket of the host instead of a vsock device, and no file
descriptors are handed over for the network.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from simlab.node.kata import protection
from simlab.node.kata.cmdline import kernel_parameters, uses_nvdimm

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simlab.node.kata.config import Configuration

VM_STORE: Final = "/run/vc/vm"
SHARED_FOLDERS: Final = "/run/kata-containers/shared/sandboxes"
_SHARE_TAG: Final = "kataShared"
_BRIDGE: Final = (
    "pci-bridge,bus=pcie.0,id=pci-bridge-0,chassis_nr=1,shpc=off,addr=2"
    ",io-reserve=4k,mem-reserve=1m,pref64-reserve=1m"
)


@dataclass(frozen=True)
class SevLaunch:
    """The files of an attested launch, paths on the host; empty for a launch without a guest owner."""

    policy: int
    dh_cert_file: str = ""
    session_file: str = ""


@dataclass(frozen=True)
class Machine:
    """One VM: its configuration and what is its own."""

    sandbox_id: str
    uuid: str
    mac: str
    configuration: Configuration
    image_size: int
    sev: SevLaunch | None

    @property
    def folder(self) -> str:
        """Folder of the VM's sockets on the host."""
        return f"{VM_STORE}/{self.sandbox_id}"

    @property
    def qmp_socket(self) -> str:
        """QMP socket on the host."""
        return f"{self.folder}/qmp.sock"

    @property
    def agent_socket(self) -> str:
        """Socket of kata's agent on the host."""
        return f"{self.folder}/agent.sock"


def build(machine: Machine) -> list[str]:
    """QEMU's argument vector, program first."""
    configuration = machine.configuration
    memory = f"{configuration.memory_mib}M"
    attested = machine.sev is not None and bool(machine.sev.session_file)
    # 1024 MiB of address space are kept for an NVDIMM image, whether there is one or not.
    most_memory = configuration.max_memory_mib + 1024
    arguments = [
        configuration.qemu,
        "-name",
        f"sandbox-{machine.sandbox_id}",
        "-uuid",
        machine.uuid,
        "-machine",
        _machine_options(machine),
        "-cpu",
        f"host,{configuration.cpu_features}",
        "-qmp",
        f"unix:{machine.qmp_socket},server=on,wait=off",
        "-m",
        f"{memory},slots={configuration.memory_slots},maxmem={most_memory}M",
        *_devices(machine),
        "-rtc",
        "base=utc,driftfix=slew,clock=host",
        "-global",
        "kvm-pit.lost_tick_policy=discard",
        "-vga",
        "none",
        "-no-user-config",
        "-nodefaults",
        "-nographic",
        "--no-reboot",
        "-daemonize",
        "-object",
        _memory_backend(configuration, memory),
        "-numa",
        "node,memdev=dimm1",
    ]
    if attested:
        arguments.append("-S")
    arguments += ["-kernel", configuration.kernel]
    if configuration.initrd:
        arguments += ["-initrd", configuration.initrd]
    arguments += ["-append", kernel_parameters(configuration)]
    if machine.sev is None and configuration.firmware:
        arguments += ["-bios", configuration.firmware]
    most = configuration.max_vcpus
    topology = f"{configuration.vcpus},cores=1,threads=1,sockets={most},maxcpus={most}"
    return [*arguments, "-pidfile", f"{machine.folder}/pid", "-smp", topology]


def _machine_options(machine: Machine) -> str:
    configuration = machine.configuration
    options = [configuration.machine_type, "accel=kvm"]
    if machine.sev is not None:
        options += ["kernel_irqchip=split", "confidential-guest-support=sev"]
    if configuration.image and uses_nvdimm(configuration):
        options.append("nvdimm=on")
    if configuration.machine_accelerators:
        options.append(configuration.machine_accelerators)
    return ",".join(options)


def _memory_backend(configuration: Configuration, memory: str) -> str:
    if configuration.shared_fs.startswith("virtio-fs"):
        return f"memory-backend-file,id=dimm1,size={memory},mem-path=/dev/shm,share=on"
    return f"memory-backend-ram,id=dimm1,size={memory}"


def _devices(machine: Machine) -> Iterator[str]:
    configuration = machine.configuration
    yield from (
        "-device",
        _BRIDGE,
        "-device",
        "virtio-serial-pci,disable-modern=false,id=serial0",
        "-device",
        "virtconsole,chardev=charconsole0,id=console0",
        "-chardev",
        f"socket,id=charconsole0,path={machine.folder}/console.sock,server=on,wait=off",
    )
    if configuration.image and not configuration.initrd:
        yield from _image(machine)
    if configuration.block_device_driver == "virtio-scsi":
        yield from ("-device", "virtio-scsi-pci,id=scsi0,disable-modern=false")
    if machine.sev is not None:
        yield from _sev_guest(configuration, machine.sev)
    yield from (
        "-object",
        f"rng-random,id=rng0,filename={configuration.entropy_source}",
        "-device",
        "virtio-rng-pci,rng=rng0",
        "-chardev",
        f"socket,id=agent,path={machine.agent_socket},server=on,wait=off",
    )
    yield from _shared_folder(machine)
    yield from (
        "-netdev",
        "tap,id=network-0,vhost=on,ifname=tap0_kata,downscript=no,script=no",
        "-device",
        f"driver=virtio-net-pci,netdev=network-0,mac={machine.mac},disable-modern=false",
    )


def _image(machine: Machine) -> tuple[str, ...]:
    configuration = machine.configuration
    if uses_nvdimm(configuration):
        return (
            "-device",
            "nvdimm,id=nv0,memdev=mem0,unarmed=on",
            "-object",
            f"memory-backend-file,id=mem0,mem-path={configuration.image},size={machine.image_size},readonly=on",
        )
    return (
        "-device",
        "virtio-blk-pci,disable-modern=false,drive=image-0,config-wce=off,share-rw=on,serial=image-0",
        "-drive",
        f"id=image-0,file={configuration.image},aio=threads,format=raw,if=none,readonly=on",
    )


def _sev_guest(configuration: Configuration, launch: SevLaunch) -> tuple[str, ...]:
    options = [
        "sev-guest",
        "id=sev",
        f"cbitpos={protection.C_BIT_POSITION}",
        f"reduced-phys-bits={protection.REDUCED_PHYSICAL_BITS}",
        f"policy={launch.policy}",
    ]
    if launch.session_file:
        options += [f"dh-cert-file={launch.dh_cert_file}", f"session-file={launch.session_file}"]
    options.append("kernel-hashes=on")
    # The firmware is a flash drive here; -bios is for guests in plain memory.
    drive = f"if=pflash,format=raw,readonly=on,file={configuration.firmware}"
    return ("-object", ",".join(options), "-drive", drive)


def _shared_folder(machine: Machine) -> tuple[str, ...]:
    configuration = machine.configuration
    if configuration.shared_fs.startswith("virtio-fs"):
        name = f"char-{machine.sandbox_id[:16]}"
        queue = (
            f",queue-size={configuration.virtio_fs_queue_size}" if configuration.virtio_fs_queue_size else ""
        )
        return (
            "-chardev",
            f"socket,id={name},path={machine.folder}/vhost-fs.sock",
            "-device",
            f"vhost-user-fs-pci,chardev={name},tag={_SHARE_TAG}{queue}",
        )
    device = f"extra-9p-{_SHARE_TAG}"
    path = f"{SHARED_FOLDERS}/{machine.sandbox_id}/shared"
    return (
        "-device",
        f"virtio-9p-pci,disable-modern=false,fsdev={device},mount_tag={_SHARE_TAG}",
        "-fsdev",
        f"local,id={device},path={path},security_model=none,multidevs=remap",
    )
