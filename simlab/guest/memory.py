"""The part of a guest's memory that firmware and hypervisor exchange things in."""

from __future__ import annotations

from typing import Final

SIZE: Final = 16 << 20  # AmdSev's MEMFD and all that lies below it


class Memory:
    """Guest-physical memory from address 0; zero at first."""

    def __init__(self) -> None:
        self._bytes = bytearray(SIZE)

    def write(self, address: int, data: bytes) -> None:
        """Raise ValueError where there is no memory."""
        self._check(address, len(data))
        self._bytes[address : address + len(data)] = data

    def read(self, address: int, size: int) -> bytes:
        """Raise ValueError where there is no memory."""
        self._check(address, size)
        return bytes(self._bytes[address : address + size])

    def _check(self, address: int, size: int) -> None:
        if address < 0 or address + size > SIZE:
            raise ValueError(f"No memory is mapped at address 0x{address:x}")
