"""The key of an encrypted layer, wrapped with the tenant's.

The wrapping: attestation-agent v0.3.0, sample_keyprovider/src/enc_mods/offline_fs_kbs/mod.rs, and how it is
undone: src/kbc_modules/offline_fs_kbc/mod.rs. What is wrapped is JSON: ocicrypt, blockcipher/blockcipher.go.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from lab.counter_mode import counter_mode

if TYPE_CHECKING:
    from collections.abc import Mapping

PACKET: Final = "org.opencontainers.image.enc.keys.provider.attestation-agent"


@dataclass(frozen=True)
class WrappingKey:
    """A tenant's key of 32 bytes; `wrap_type` is what the attestation agent calls its use in counter mode."""

    data: bytes
    wrap_type: str


def unwrapped(packet: Mapping[str, Any], key: WrappingKey) -> bool:
    """Whether a key unwraps what a layer's annotation holds; of a wrapping of another kind it is believed."""
    if packet.get("wrap_type") != key.wrap_type:
        return True
    try:
        iv, data = (base64.b64decode(str(packet[name])) for name in ("iv", "wrapped_data"))
        json.loads(counter_mode(key.data, iv, data))
    except (KeyError, ValueError):
        return False
    return True
