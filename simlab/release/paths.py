"""Where the release puts its files on a host.

Sources: kata CC-0.3.0 and CC-0.7.0, `src/runtime/Makefile` with PREFIX `/opt/confidential-containers`.
"""

from __future__ import annotations

from typing import Final

PREFIX: Final = "/opt/confidential-containers"
BIN: Final = f"{PREFIX}/bin"
KATA_SHARE: Final = f"{PREFIX}/share/kata-containers"
CONFIGURATIONS: Final = f"{PREFIX}/share/defaults/kata-containers"

SEV_KERNEL: Final = f"{KATA_SHARE}/vmlinuz-sev.container"
SEV_INITRD: Final = f"{KATA_SHARE}/kata-containers-initrd-sev.img"
KERNEL: Final = f"{KATA_SHARE}/vmlinux.container"
IMAGE: Final = f"{KATA_SHARE}/kata-containers.img"
TDX_KERNEL: Final = f"{KATA_SHARE}/vmlinuz-tdx.container"
TDX_IMAGE: Final = f"{KATA_SHARE}/kata-containers-tdx.img"
TDX_FIRMWARE: Final = f"{PREFIX}/share/tdvf/OVMF_CODE.fd"
TDX_FIRMWARE_VARIABLES: Final = f"{PREFIX}/share/tdvf/OVMF_VARS.fd"
TD_SHIM: Final = f"{PREFIX}/share/td-shim/td-shim.bin"

QEMU: Final = f"{BIN}/qemu-system-x86_64"
QEMU_SNP: Final = f"{BIN}/qemu-system-x86_64-snp-experimental"
SNP_FIRMWARE: Final = f"{PREFIX}/share/ovmf/OVMF.fd"
QEMU_TDX: Final = f"{BIN}/qemu-system-x86_64-tdx"
CLOUD_HYPERVISOR: Final = f"{BIN}/cloud-hypervisor"
KATA_SHIM: Final = f"{BIN}/containerd-shim-kata-v2"
CONTAINERD: Final = f"{BIN}/containerd"
VIRTIOFSD: Final = f"{PREFIX}/libexec/virtiofsd"

SHIM_LINKS: Final = "/usr/local/bin"
CONTAINERD_CONFIG: Final = "/etc/containerd/config.toml"
CONTAINERD_DROP_IN: Final = "/etc/systemd/system/containerd.service.d/containerd-for-cc-override.conf"
