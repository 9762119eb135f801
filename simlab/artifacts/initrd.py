"""The guest's file systems: kata's agent configuration, the attestation agent, CA roots, the pause bundle.

Contents as kata CC-0.3.0 and CC-0.7.0, tools/osbuilder/rootfs-builder/rootfs.sh makes them for each AA_KBC.
The attestation agent's program is stood for by TOML that says how it was built; `simlab.guest` reads it.
"""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, Final

from simlab.artifacts import cpio
from simlab.artifacts.firmware import filler

if TYPE_CHECKING:
    from simlab.release.versions.release import Release

AGENT_CONFIG: Final = "etc/agent-config.toml"
ATTESTATION_AGENT: Final = "usr/local/bin/attestation-agent"
CA_ROOTS: Final = "etc/ssl/certs/ca-certificates.crt"
KATA_AGENT: Final = "usr/bin/kata-agent"
PAUSE: Final = "pause_bundle/rootfs/pause"
PAUSE_CONFIG: Final = "pause_bundle/config.json"

_AGENT_SIZE: Final = 256 * 1024

# rootfs.sh's own values: the online one is meant to be overridden by a kernel parameter.
KBC_PARAMS: Final = {
    "offline_sev_kbc": "offline_sev_kbc::null",
    "online_sev_kbc": "online_sev_kbc::123.123.123.123:44444",
}

# agent-config.toml.in in the same folder: no ExecProcess, no ReseedRandomDev.
_ALLOWED: Final = (
    "AddARPNeighborsRequest", "AddSwapRequest", "CloseStdinRequest", "CopyFileRequest",
    "CreateContainerRequest", "CreateSandboxRequest",
    "DestroySandboxRequest", "GetMetricsRequest", "GetOOMEventRequest",
    "GuestDetailsRequest", "ListInterfacesRequest", "ListRoutesRequest", "MemHotplugByProbeRequest",
    "OnlineCPUMemRequest", "PauseContainerRequest", "PullImageRequest", "ReadStreamRequest",
    "RemoveContainerRequest", "ResumeContainerRequest", "SetGuestDateTimeRequest", "SignalProcessRequest",
    "StartContainerRequest", "StartTracingRequest", "StatsContainerRequest", "StopTracingRequest",
    "TtyWinResizeRequest", "UpdateContainerRequest", "UpdateInterfaceRequest", "UpdateRoutesRequest",
    "WaitProcessRequest", "WriteStreamRequest",
)  # fmt: skip


def _agent_config(kbc_params: str) -> bytes:
    allowed = ",\n".join(f'"{name}"' for name in _ALLOWED)
    return f'aa_kbc_params = "{kbc_params}"\n\n[endpoints]\nallowed = [\n{allowed}\n]\n'.encode()


def _attestation_agent(version: str, *modules: str) -> bytes:
    listed = ", ".join(f'"{module}"' for module in modules)
    return f'version = "{version}"\nkbc_modules = [{listed}]\n'.encode()


def agent_mark(release: Release) -> str:
    """What kata's agent has in it: by it a guest knows which release its agent and image-rs are of."""
    return f"kata-agent {release.kata.tag}"


def _pause_program() -> bytes:
    """An x86-64 ELF program that waits for signals for ever: `for (;;) pause();`."""
    code = b"\xb8\x22\x00\x00\x00\x0f\x05\xeb\xf7"  # mov eax, SYS_pause; syscall; jmp back
    base, offset = 0x400000, 64 + 56
    size = offset + len(code)
    header = struct.pack(
        "<16sHHIQQQIHHHHHH",
        b"\x7fELF\x02\x01\x01", 2, 62, 1, base + offset, 64, 0, 0, 64, 56, 1, 0, 0, 0,
    )  # fmt: skip
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, base, base, size, size, 0x1000)
    return header + segment + code


def _common(release: Release, ca_roots: bytes) -> dict[str, cpio.File]:
    name = agent_mark(release)
    return {
        CA_ROOTS: cpio.File(ca_roots),
        KATA_AGENT: cpio.File(name.encode() + b"\0" + filler(name, _AGENT_SIZE), 0o755),
        PAUSE: cpio.File(_pause_program(), 0o755),
        PAUSE_CONFIG: cpio.File(
            json.dumps(
                {"process": {"args": ["/pause"], "cwd": "/", "env": []}, "root": {"path": "rootfs"}}
            ).encode()
        ),
    }


def build_sev(release: Release, kbc: str, ca_roots: bytes) -> bytes:
    """An initrd for SEV guests whose attestation agent has the one KBC `kbc`."""
    return cpio.pack(
        _common(release, ca_roots)
        | {
            AGENT_CONFIG: cpio.File(_agent_config(KBC_PARAMS[kbc])),
            ATTESTATION_AGENT: cpio.File(_attestation_agent(release.guest.attestation_agent, kbc), 0o755),
        }
    )


def build_image(release: Release, ca_roots: bytes) -> bytes:
    """The root file system of guests that are not confidential.

    AA_KBC=offline_fs_kbc, for which rootfs.sh writes no agent configuration.
    """
    agent = _attestation_agent(release.guest.attestation_agent, "offline_fs_kbc")
    return cpio.pack(_common(release, ca_roots) | {ATTESTATION_AGENT: cpio.File(agent, 0o755)})
