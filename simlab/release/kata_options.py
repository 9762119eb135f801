"""Options of kata's configuration files, with the defaults that kata's Makefile fills in.

What differs between releases is theirs (`simlab.release.versions`). Sources: kata CC-0.3.0 and CC-0.7.0,
`src/runtime/config/configuration-{qemu,clh}*.toml.in`, `src/runtime/Makefile`, and
`tools/packaging/kata-deploy/local-build/kata-deploy-binaries.sh` (which sets `DEFSERVICEOFFLOAD=true`).
The explanations are this project's own.
"""

from __future__ import annotations

from dataclasses import dataclass

from simlab.release import paths

# The installer's root hash of the guest image; any 64 hex digits do, as nothing here checks dm-verity.
_ROOT_HASH = "6c1d0b7d7f7a5b5e2e9c8f3b6a4d21908f7e6d5c4b3a29181716151413121110"

ROOT_HASH_PARAMETERS = f"cc_rootfs_verity.scheme=dm-verity cc_rootfs_verity.hash={_ROOT_HASH}"


@dataclass(frozen=True)
class Option:
    """One line of a configuration file: `key = value` (value as TOML text), below what it means."""

    key: str
    value: str
    meaning: str = ""


CONFIDENTIAL = (
    Option(
        "confidential_guest",
        "true",
        "Run the guest in encrypted memory; the technology is the one that the host offers.",
    ),
    Option(
        "guest_pre_attestation",
        "true",
        "Ask the guest owner for a launch session and a secret before the guest runs.",
    ),
)
KEYSET = Option("guest_pre_attestation_keyset", '"KEYSET-1"', "Which keyset the broker is asked for.")
POLICY_MEANING = "The SEV policy word of the launch (AMD document 55766)."
CERTIFICATE_CHAIN = Option(
    "sev_cert_chain",
    '"/opt/sev/cert_chain.cert"',
    "The platform's certificates, as `sevctl export --full` writes them.",
)

ANNOTATIONS = (
    Option(
        "enable_annotations",
        '["enable_iommu"]',
        "Hypervisor options that a pod may set by annotation (regular expressions).",
    ),
)

KERNEL_PARAMETERS_MEANING = (
    "Parameters for the guest's kernel; they come after the runtime's own and so win over them."
)
SEV_KERNEL_PARAMETERS = "agent.config_file=/etc/agent-config.toml agent.enable_signature_verification=false "

SIZES = (
    Option("default_vcpus", "1", "vCPUs of a sandbox; a negative number means all of the host's."),
    Option("default_maxvcpus", "0", "Most vCPUs of a sandbox; 0 means as many as the host has CPUs."),
    Option("default_bridges", "1"),
    Option("default_memory", "2048", "Memory of a sandbox in MiB."),
    Option("default_maxmemory", "0", "Most memory of a sandbox in MiB; 0 means all of the host's."),
)

_VIRTIO_FS = (
    Option("virtio_fs_daemon", f'"{paths.VIRTIOFSD}"'),
    Option("valid_virtio_fs_daemon_paths", f'["{paths.VIRTIOFSD}"]'),
    Option("virtio_fs_cache_size", "0", "DAX window in MiB; 0 switches DAX off."),
)


def virtio_fs(extra_args: str) -> tuple[Option, ...]:
    """The options of virtiofsd, with the release's arguments for it."""
    return (
        *_VIRTIO_FS,
        Option("virtio_fs_extra_args", extra_args),
        Option("virtio_fs_cache", '"auto"'),
    )


QEMU_DEVICES = (
    Option("block_device_driver", '"virtio-scsi"', "How block devices reach the guest."),
    Option("enable_iothreads", "false"),
    Option("enable_vhost_user_store", "false"),
    Option("vhost_user_store_path", '"/var/run/kata-containers/vhost-user"'),
    Option("valid_vhost_user_store_paths", '["/var/run/kata-containers/vhost-user"]'),
    Option("valid_file_mem_backends", '[""]'),
    Option("pflashes", "[]"),
    Option("valid_entropy_sources", '["/dev/urandom","/dev/random",""]'),
)

SELINUX = (
    Option("disable_selinux", "false", "Whether the VMM runs without an SELinux label."),
    Option("disable_guest_selinux", "true", "Whether SELinux is off in the guest."),
)

_RUNTIME = (
    Option("internetworking_model", '"tcfilter"', "How the pod's network reaches the guest."),
    Option("disable_guest_seccomp", "true"),
    Option("sandbox_cgroup_only", "false"),
    Option("sandbox_bind_mounts", "[]"),
    Option("vfio_mode", '"guest-kernel"'),
    Option("disable_guest_empty_dir", "false"),
    Option("experimental", "[]"),
)


def runtime(*, static_resources: bool) -> tuple[Option, ...]:
    """The options of `[runtime]`; with `static_resources` a sandbox has its size from the start."""
    return (*_RUNTIME, Option("static_sandbox_resource_mgmt", str(static_resources).lower()))


IMAGE = (
    Option(
        "service_offload",
        "true",
        "Let the agent pull images inside of the guest, instead of the host's containerd.",
    ),
)
