"""Kernels: the headers by which a boot loader knows them, around bytes that execute nothing."""

from __future__ import annotations

import struct
from typing import Final

from simlab.artifacts.firmware import filler

# Offsets of the setup header: Linux, Documentation/x86/boot.rst.
_BOOT_FLAG: Final = (0x1FE, 0xAA55)
_MAGIC: Final = (0x202, b"HdrS")
_PROTOCOL: Final = (0x206, 0x020F)
_VERSION_POINTER: Final = 0x20E
_LOADFLAGS: Final = (0x211, 0x01)
_SETUP_SECTORS: Final = 4
_VERSION_AT: Final = 0x300
_BODY: Final = 128 * 1024

_ELF: Final = b"\x7fELF"
_BANNER: Final = b"Linux version "

RELEASE: Final = "5.19.2"  # kata CC-0.3.0, versions.yaml, assets.kernel.version and .sev.version


def build_vmlinux() -> bytes:
    """The kernel for guests that are not confidential: an uncompressed ELF image, as kata's vmlinux is."""
    banner = _BANNER + f"{RELEASE} (kata@builder) #1 SMP\0".encode()
    return _ELF + bytes(60) + banner + filler(f"vmlinux {RELEASE}", _BODY)


def build_bzimage() -> bytes:
    """The kernel for SEV guests: a bzImage, as kata's vmlinuz-sev is."""
    setup = bytearray((_SETUP_SECTORS + 1) * 512)
    setup[0x1F1] = _SETUP_SECTORS
    struct.pack_into("<H", setup, *_BOOT_FLAG)
    setup[_MAGIC[0] : _MAGIC[0] + 4] = _MAGIC[1]
    struct.pack_into("<H", setup, *_PROTOCOL)
    struct.pack_into("<H", setup, _VERSION_POINTER, _VERSION_AT - 0x200)
    setup[_LOADFLAGS[0]] = _LOADFLAGS[1]
    version = f"{RELEASE}-sev (kata@builder) #1 SMP\0".encode()
    setup[_VERSION_AT : _VERSION_AT + len(version)] = version
    return bytes(setup) + filler(f"linux {RELEASE}-sev", _BODY)


def version_string(image: bytes) -> str:
    """The version that a kernel image names.

    Raises ValueError for a file that is no kernel: a boot loader would not start it.
    """
    if image.startswith(_ELF) and _BANNER in image:
        start = image.index(_BANNER) + len(_BANNER)
    elif image[_MAGIC[0] : _MAGIC[0] + 4] == _MAGIC[1]:
        start = struct.unpack_from("<H", image, _VERSION_POINTER)[0] + 0x200
    else:
        raise ValueError("neither a bzImage nor an ELF kernel")
    return image[start : image.index(b"\0", start)].decode("ascii", "replace")
