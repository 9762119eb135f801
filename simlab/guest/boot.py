"""What happens when a guest starts to run: firmware, kernel, root file system, agent's configuration."""

from __future__ import annotations

import struct
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simlab.artifacts import cpio, initrd, kernel, ovmf_table
from simlab.guest import agent_config, measured_boot, secret_table
from simlab.guest.agent_config import AgentConfig, AgentConfigError
from simlab.release import versions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from simlab.guest.memory import Memory
    from simlab.release.versions.release import Guest


class BootError(Exception):
    """The guest does not come up; the text is its last word on the console."""


@dataclass(frozen=True)
class Loaded:
    """What QEMU read from the host's files when it started."""

    firmware: bytes
    kernel: bytes
    initrd: bytes
    image: bytes
    cmdline: str


@dataclass
class Booted:
    """A running guest's system: `secrets` are the injected ones by GUID, until somebody takes them."""

    config: AgentConfig
    root: Mapping[str, cpio.File]
    secrets: dict[str, bytes]
    kbc_modules: frozenset[str]
    guest: Guest

    @property
    def ca_roots(self) -> str:
        """PEM of the roots that the guest trusts for HTTPS."""
        file = self.root.get(initrd.CA_ROOTS)
        return file.data.decode() if file else ""


def boot(loaded: Loaded, memory: Memory | None) -> Booted:
    """Boot a guest; `memory` is that of an SEV guest, None for any other.

    Raises BootError.
    """
    secrets: dict[str, bytes] = {}
    if memory is not None:
        areas = ovmf_table.parse(loaded.firmware)
        _verify_blobs(loaded, memory, areas.get(ovmf_table.SEV_HASH_TABLE))
        if secret_area := areas.get(ovmf_table.SEV_SECRET_AREA):
            secrets = secret_table.parse(memory.read(*struct.unpack("<II", secret_area[:8])))
    try:
        kernel.version_string(loaded.kernel)
        root = cpio.unpack(loaded.initrd or loaded.image)
    except ValueError as error:
        raise BootError(f"Kernel panic - not syncing: VFS: Unable to mount root fs: {error}") from None
    try:
        config = agent_config.read(loaded.cmdline, root)
    except AgentConfigError as error:
        raise BootError(f"kata-agent: {error}") from None
    return Booted(config, root, secrets, _kbc_modules(root), _guest(root))


def _verify_blobs(loaded: Loaded, memory: Memory, area: bytes | None) -> None:
    """Do as OVMF's AmdSev BlobVerifier: boot only what the measured hash table names.

    An injected secret that is longer than its area has run over the table.
    """
    if area is None:
        return
    table = measured_boot.hash_table(loaded.kernel, loaded.initrd, loaded.cmdline)
    base = struct.unpack_from("<I", area)[0]
    if memory.read(base, len(table)) != table:
        raise BootError("VerifyBlob: hash comparison failed for kernel: Access Denied")


def _guest(root: Mapping[str, cpio.File]) -> Guest:
    """What agent the root has, by its program."""
    agent = root.get(initrd.KATA_AGENT)
    head = agent.data.partition(b"\0")[0].decode(errors="replace") if agent else ""
    return versions.by_mark(head, initrd.agent_mark).guest


def _kbc_modules(root: Mapping[str, cpio.File]) -> frozenset[str]:
    program = root.get(initrd.ATTESTATION_AGENT)
    if program is None:
        return frozenset()
    return frozenset(tomllib.loads(program.data.decode())["kbc_modules"])
