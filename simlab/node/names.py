"""Identifiers as containerd, Kubernetes and kata make them."""

from __future__ import annotations

import secrets
import uuid


def container_id() -> str:
    """An identifier of a sandbox or container: 64 hex digits."""
    return secrets.token_hex(32)


def vm_uuid() -> str:
    """QEMU's `-uuid`."""
    return str(uuid.uuid4())


def mac_address() -> str:
    """A locally administered address of a pod's network device."""
    octets = (secrets.randbelow(256) & 0xFE | 0x02, *(secrets.randbelow(256) for _ in range(5)))
    return ":".join(f"{octet:02x}" for octet in octets)
