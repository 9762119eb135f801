"""The packets of a launch that cross the border between guest owner and platform."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final, Self

from simlab.sev.errors import FormatError

_SESSION: Final = struct.Struct("<16s32s16s32s32s")
_SECRET_HEADER: Final = struct.Struct("<I16s32s")
_MEASUREMENT: Final = struct.Struct("<32s16s")

MEASUREMENT_SIZE: Final = _MEASUREMENT.size


@dataclass(frozen=True)
class SessionBlob:
    """LAUNCH_START's session data (55766): the wrapped keys and the MAC of the policy, 128 bytes."""

    nonce: bytes
    wrapped_keys: bytes
    wrap_iv: bytes
    wrap_mac: bytes
    policy_mac: bytes

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read the blob. Raises FormatError when the length is another."""
        if len(data) != _SESSION.size:
            raise FormatError(f"a session blob has {_SESSION.size} bytes, not {len(data)}")
        return cls(*_SESSION.unpack(data))

    def encode(self) -> bytes:
        """Return the blob's 128 bytes."""
        return _SESSION.pack(self.nonce, self.wrapped_keys, self.wrap_iv, self.wrap_mac, self.policy_mac)


@dataclass(frozen=True)
class SecretHeader:
    """The header of a LAUNCH_SECRET packet (55766, LAUNCH_SECRET), 52 bytes."""

    flags: int
    iv: bytes
    mac: bytes

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read the header. Raises FormatError when the length is another."""
        if len(data) != _SECRET_HEADER.size:
            raise FormatError(f"a secret's header has {_SECRET_HEADER.size} bytes, not {len(data)}")
        return cls(*_SECRET_HEADER.unpack(data))

    def encode(self) -> bytes:
        """Return the header's 52 bytes."""
        return _SECRET_HEADER.pack(self.flags, self.iv, self.mac)


@dataclass(frozen=True)
class Measurement:
    """What LAUNCH_MEASURE returns: the MAC and the nonce that went into it, 48 bytes."""

    mac: bytes
    nonce: bytes

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read the first 48 bytes; more are ignored. Raises FormatError when there are fewer."""
        if len(data) < _MEASUREMENT.size:
            raise FormatError(f"a measurement has {_MEASUREMENT.size} bytes, not {len(data)}")
        return cls(*_MEASUREMENT.unpack_from(data))

    def encode(self) -> bytes:
        """Return the measurement's 48 bytes."""
        return _MEASUREMENT.pack(self.mac, self.nonce)
