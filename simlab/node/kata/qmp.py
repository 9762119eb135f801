"""A client for QEMU's machine protocol (QEMU `docs/interop/qmp-spec.txt`): the commands that kata uses."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from simlab.node import sockets
from simlab.node.kata.errors import ShimError

if TYPE_CHECKING:
    import asyncio
    from pathlib import Path


@dataclass(frozen=True)
class SevInfo:
    """What `query-sev` tells of the platform's firmware."""

    api_major: int
    api_minor: int
    build_id: int


class Qmp:
    """One connection to a VM's monitor."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def connect(cls, path: Path) -> Qmp:
        """Connect and leave capabilities negotiation. Raises OSError and ShimError."""
        qmp = cls(*await sockets.connect(path))
        await qmp._read()  # the greeting
        await qmp.execute("qmp_capabilities")
        return qmp

    async def execute(self, command: str, **arguments: str) -> Any:
        """Run a command and return its result; raises ShimError with kata's text for a refusal."""
        request: dict[str, Any] = {"execute": command}
        if arguments:
            # QMP spells names with dashes
            request["arguments"] = {key.replace("_", "-"): value for key, value in arguments.items()}
        self._writer.write(json.dumps(request).encode() + b"\r\n")
        try:
            await self._writer.drain()
            while True:
                answer = await self._read()
                if "error" in answer:
                    # kata CC-0.3.0 src/runtime/pkg/govmm/qemu/qmp.go, executeCommandWithResponse
                    raise ShimError(f"QMP command failed: {answer['error'].get('desc', '')}")
                if "return" in answer:
                    return answer["return"]
        except OSError as error:
            raise ShimError(f"exitting QMP loop, command cancelled: {error}") from None

    async def query_sev(self) -> SevInfo:
        """Version of the platform's firmware."""
        info = await self.execute("query-sev")
        return SevInfo(int(info["api-major"]), int(info["api-minor"]), int(info["build-id"]))

    async def launch_measure(self) -> str:
        """The launch measurement, base64 as QEMU gives it."""
        measurement = await self.execute("query-sev-launch-measure")
        return str(measurement["data"])

    async def inject_launch_secret(self, header: str, secret: str) -> None:
        """Give the guest a secret that the PSP decrypts; both base64."""
        await self.execute("sev-inject-launch-secret", packet_header=header, secret=secret)

    async def close(self) -> None:
        """Close the connection."""
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    async def _read(self) -> dict[str, Any]:
        line = await self._reader.readline()
        if not line:
            # kata's text when QEMU goes away in the middle of a command
            raise ShimError("exitting QMP loop, command cancelled")
        message: dict[str, Any] = json.loads(line)
        return message
