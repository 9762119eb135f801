"""A client of the PSP: what QEMU and sevctl do through `/dev/sev`.

with Sev(layout.psp_socket) as sev:
    handle = sev.launch_start(policy=0, dh_cert=b"", session=b"")
"""

from __future__ import annotations

import base64
import json
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from simlab.psp.status import SevError, Status

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["GuestStatus", "PdhExport", "PlatformStatus", "Sev", "SevError"]


@dataclass(frozen=True)
class PlatformStatus:
    """PLATFORM_STATUS: the firmware's version, its state (1 initialized, 2 working) and its guests."""

    api_major: int
    api_minor: int
    build: int
    state: int
    guest_count: int


@dataclass(frozen=True)
class PdhExport:
    """PDH_CERT_EXPORT: the PDH, and PEK, OCA and (unsigned) CEK one after another."""

    pdh: bytes
    chain: bytes


@dataclass(frozen=True)
class GuestStatus:
    """GUEST_STATUS: policy, ASID, and state (1 updating, 2 awaiting secrets, 3 running)."""

    policy: int
    asid: int
    state: int


class Sev:
    """An open PSP. Every command raises SevError when the platform refuses, OSError when it is not there."""

    def __init__(self, socket_path: Path | str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.connect(str(socket_path))
        except OSError:
            self._socket.close()
            raise
        self._lines = self._socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the device; the platform forgets the guests that were started through it."""
        self._lines.close()
        self._socket.close()

    def platform_status(self) -> PlatformStatus:
        """Return the firmware's version and state."""
        return PlatformStatus(**self._call("PLATFORM_STATUS"))

    def platform_reset(self) -> None:
        """Forget the owner; PEK and PDH become new."""
        self._call("PLATFORM_RESET")

    def pek_gen(self) -> None:
        """Make a new PEK and PDH."""
        self._call("PEK_GEN")

    def pdh_gen(self) -> None:
        """Make a new PDH, as `sevctl rotate` does."""
        self._call("PDH_GEN")

    def pdh_cert_export(self) -> PdhExport:
        """Return the platform's certificates."""
        answer = self._call("PDH_CERT_EXPORT")
        return PdhExport(_binary(answer, "pdh"), _binary(answer, "chain"))

    def get_id(self) -> str:
        """Return the chip's identifier as sevctl prints it: 128 hexadecimal digits in upper case."""
        return str(self._call("GET_ID")["id"])

    def launch_start(self, policy: int, dh_cert: bytes, session: bytes) -> int:
        """Begin a launch and return the guest's handle. Empty certificate and session: nobody attests it."""
        answer = self._call("LAUNCH_START", policy=policy, dh_cert=_text(dh_cert), session=_text(session))
        return int(answer["handle"])

    def launch_update_data(self, handle: int, data: bytes) -> None:
        """Measure memory; its length is a multiple of 16."""
        self._call("LAUNCH_UPDATE_DATA", handle=handle, data=_text(data))

    def launch_update_vmsa(self, handle: int, data: bytes) -> None:
        """Measure a virtual processor's save area, one page of 4096 bytes (SEV-ES)."""
        self._call("LAUNCH_UPDATE_VMSA", handle=handle, data=_text(data))

    def launch_measure(self, handle: int) -> bytes:
        """End the measured part; returns 48 bytes: the measurement and its nonce."""
        return _binary(self._call("LAUNCH_MEASURE", handle=handle), "measurement")

    def launch_secret(self, handle: int, header: bytes, ciphertext: bytes) -> bytes:
        """Hand in a secret of the guest owner's; returns what lands in the guest's memory."""
        answer = self._call(
            "LAUNCH_SECRET", handle=handle, header=_text(header), ciphertext=_text(ciphertext)
        )
        return _binary(answer, "data")

    def launch_finish(self, handle: int) -> None:
        """Let the guest run."""
        self._call("LAUNCH_FINISH", handle=handle)

    def guest_status(self, handle: int) -> GuestStatus:
        """Return a guest's policy, ASID and state."""
        return GuestStatus(**self._call("GUEST_STATUS", handle=handle))

    def decommission(self, handle: int) -> None:
        """Forget a guest."""
        self._call("DECOMMISSION", handle=handle)

    def _call(self, command: str, **fields: Any) -> dict[str, Any]:
        self._socket.sendall(json.dumps({"command": command, **fields}).encode() + b"\n")
        line = self._lines.readline()
        if not line.endswith(b"\n"):
            raise ConnectionError("the PSP closed the connection")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise SevError(Status(answer["error"]["code"]))
        result: dict[str, Any] = answer["result"]
        return result


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _binary(answer: dict[str, Any], name: str) -> bytes:
    return base64.b64decode(answer[name])
