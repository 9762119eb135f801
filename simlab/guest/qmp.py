"""QEMU's monitor (docs/interop/qmp-spec.rst): one client at a time, a JSON object a line."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from simlab.guest.launch import LaunchError

_log = logging.getLogger(__name__)

Arguments = Mapping[str, Any]
Command = Callable[[Arguments], Awaitable[Any]]

_VERSION: Final = {
    # kata CC-0.3.0, versions.yaml, assets.hypervisor.qemu
    "qemu": {"major": 7, "minor": 1, "micro": 0},
    "package": "kata-static",
}


class QmpError(Exception):
    """A command that fails; `kind` is QMP's error class."""

    def __init__(self, text: str, kind: str = "GenericError") -> None:
        super().__init__(text)
        self.kind = kind


class QmpServer:
    """Serves `commands`, beside those of the protocol itself."""

    def __init__(self, commands: Mapping[str, Command]) -> None:
        self._commands = dict(commands) | {
            "query-version": self._query_version,
            "query-commands": self._query_commands,
        }
        self._one_client = asyncio.Lock()
        self._client: asyncio.StreamWriter | None = None
        self._connections: set[asyncio.StreamWriter] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client until it leaves; the next one is greeted after that."""
        self._connections.add(writer)
        try:
            async with self._one_client:
                await self._send(writer, {"QMP": {"version": _VERSION, "capabilities": ["oob"]}})
                await self._converse(reader, writer)
        except (OSError, ValueError) as error:
            _log.info("monitor's client went away: %s", error)
        finally:
            self._client = None
            self._connections.discard(writer)
            writer.close()

    async def close(self) -> None:
        """Hang up."""
        for connection in self._connections.copy():
            connection.close()
            await connection.wait_closed()

    async def event(self, name: str, data: Mapping[str, Any] | None = None) -> None:
        """Tell the client that something happened, if there is one."""
        if self._client is None:
            return
        seconds, microseconds = divmod(time.time_ns() // 1000, 1_000_000)
        message: dict[str, Any] = {
            "event": name,
            "timestamp": {"seconds": seconds, "microseconds": microseconds},
        }
        if data:
            message["data"] = dict(data)
        try:
            await self._send(self._client, message)
        except OSError as error:
            _log.info("monitor's client went away: %s", error)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        negotiated = False
        while line := await reader.readline():
            request: Any = None
            try:
                request = _parse(line)
                name = request["execute"]
                if name == "qmp_capabilities" and not negotiated:
                    negotiated, self._client, result = True, writer, None
                else:
                    result = await self._run(name, request.get("arguments") or {}, negotiated=negotiated)
                answer: dict[str, Any] = {"return": {} if result is None else result}
            except LaunchError as error:
                answer = {"error": {"class": "GenericError", "desc": str(error)}}
            except QmpError as error:
                answer = {"error": {"class": error.kind, "desc": str(error)}}
            if isinstance(request, dict) and "id" in request:
                answer["id"] = request["id"]
            await self._send(writer, answer)

    async def _run(self, name: str, arguments: Arguments, *, negotiated: bool) -> Any:
        if not negotiated:
            raise QmpError("Expecting capabilities negotiation with 'qmp_capabilities'", "CommandNotFound")
        command = self._commands.get(name)
        if command is None:
            raise QmpError(f"The command {name} has not been found", "CommandNotFound")
        try:
            return await command(arguments)
        except KeyError as error:
            raise QmpError(f"Parameter {error} is missing") from None

    async def _send(self, writer: asyncio.StreamWriter, message: Mapping[str, Any]) -> None:
        writer.write(json.dumps(message).encode() + b"\r\n")
        await writer.drain()

    async def _query_version(self, _arguments: Arguments) -> Any:
        return _VERSION

    async def _query_commands(self, _arguments: Arguments) -> Any:
        return [{"name": name} for name in sorted({*self._commands, "qmp_capabilities"})]


def _parse(line: bytes) -> dict[str, Any]:
    try:
        request = json.loads(line)
    except ValueError:
        raise QmpError("JSON parse error, invalid keyword") from None
    if not isinstance(request, dict) or not isinstance(request.get("execute"), str):
        raise QmpError("QMP input lacks member 'execute'")
    return request
