"""The firmware's mailbox: a unix socket with a JSON object a line, binary values as base64.

    {"command": "LAUNCH_MEASURE", "handle": 1}  ->  {"result": {"measurement": "…"}}
                                                or  {"error": {"code": 2, "name": "INVALID_GUEST_STATE"}}

A connection is an open `/dev/sev`: its guests are its own, and are decommissioned when it closes.
"""

from __future__ import annotations

import base64
import binascii
import json
import socketserver
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from simlab.psp.status import SevError, Status

if TYPE_CHECKING:
    from pathlib import Path

    from simlab.psp.firmware import SevFirmware
    from simlab.psp.guest import Guest

LINE_LIMIT: Final = 48 * 1024 * 1024
"""Bytes of one request; a guest's firmware of 32 MiB fits."""

Request = Mapping[str, Any]
Answer = dict[str, Any]


def encode(data: bytes) -> str:
    """Return bytes as they stand in a line."""
    return base64.b64encode(data).decode()


class Session:
    """One connection's commands."""

    def __init__(self, firmware: SevFirmware) -> None:
        self._firmware = firmware
        self._own: set[int] = set()
        self._commands: dict[str, Callable[[Request], Answer | None]] = {
            "PLATFORM_STATUS": self._platform_status,
            "PLATFORM_RESET": self._platform_reset,
            "PEK_GEN": self._pek_gen,
            "PDH_GEN": self._pdh_gen,
            "PDH_CERT_EXPORT": self._pdh_cert_export,
            "GET_ID": self._get_id,
            "LAUNCH_START": self._launch_start,
            "LAUNCH_UPDATE_DATA": self._launch_update_data,
            "LAUNCH_UPDATE_VMSA": self._launch_update_vmsa,
            "LAUNCH_MEASURE": self._launch_measure,
            "LAUNCH_SECRET": self._launch_secret,
            "LAUNCH_FINISH": self._launch_finish,
            "GUEST_STATUS": self._guest_status,
            "DECOMMISSION": self._decommission,
        }

    def answer(self, line: bytes) -> Answer:
        """Carry out the command of one line."""
        try:
            with self._firmware.lock:
                return {"result": self._run(json.loads(line)) or {}}
        except (ValueError, RecursionError):
            return _refusal(SevError(Status.INVALID_PARAM))
        except SevError as error:
            return _refusal(error)

    def close(self) -> None:
        """Decommission the guests of this connection."""
        for handle in sorted(self._own):
            with suppress(SevError):
                self._firmware.decommission(handle)

    def _run(self, request: Any) -> Answer | None:
        if not isinstance(request, dict):
            raise SevError(Status.INVALID_PARAM)
        command = self._commands.get(str(request.get("command")))
        if command is None:
            raise SevError(Status.INVALID_COMMAND)
        return command(request)

    def _guest(self, request: Request) -> Guest:
        return self._firmware.guest(self._handle(request))

    def _handle(self, request: Request) -> int:
        handle = request.get("handle")
        if not isinstance(handle, int) or handle not in self._own:
            raise SevError(Status.INVALID_GUEST)
        return handle

    def _platform_status(self, _: Request) -> Answer:
        version = self._firmware.platform.firmware
        return {
            "api_major": version.api_major,
            "api_minor": version.api_minor,
            "build": version.build,
            "state": int(self._firmware.state),
            "guest_count": self._firmware.guest_count,
        }

    def _platform_reset(self, _: Request) -> None:
        self._firmware.platform_reset()

    def _pek_gen(self, _: Request) -> None:
        self._firmware.pek_gen()

    def _pdh_gen(self, _: Request) -> None:
        self._firmware.pdh_gen()

    def _get_id(self, _: Request) -> Answer:
        return {"id": self._firmware.platform.chip_id}

    def _pdh_cert_export(self, _: Request) -> Answer:
        chain = self._firmware.platform.chain
        certificates = chain.pek.encode() + chain.oca.encode() + chain.cek.encode()
        return {"pdh": encode(chain.pdh.encode()), "chain": encode(certificates)}

    def _launch_start(self, request: Request) -> Answer:
        policy = request.get("policy")
        if not isinstance(policy, int):
            raise SevError(Status.INVALID_PARAM)
        handle = self._firmware.launch_start(policy, _binary(request, "dh_cert"), _binary(request, "session"))
        self._own.add(handle)
        return {"handle": handle}

    def _launch_update_data(self, request: Request) -> None:
        self._guest(request).update_data(_binary(request, "data"))

    def _launch_update_vmsa(self, request: Request) -> None:
        self._guest(request).update_vmsa(_binary(request, "data"))

    def _launch_measure(self, request: Request) -> Answer:
        return {"measurement": encode(self._guest(request).measure().encode())}

    def _launch_finish(self, request: Request) -> None:
        self._guest(request).finish()

    def _launch_secret(self, request: Request) -> Answer:
        plain = self._guest(request).secret(_binary(request, "header"), _binary(request, "ciphertext"))
        return {"data": encode(plain)}

    def _guest_status(self, request: Request) -> Answer:
        guest = self._guest(request)
        return {"policy": guest.policy, "asid": guest.asid, "state": int(guest.state)}

    def _decommission(self, request: Request) -> None:
        handle = self._handle(request)
        self._firmware.decommission(handle)
        self._own.discard(handle)


def _binary(request: Request, name: str) -> bytes:
    try:
        return base64.b64decode(request[name], validate=True)
    except (KeyError, TypeError, binascii.Error) as error:
        raise SevError(Status.INVALID_PARAM) from error


def _refusal(error: SevError) -> Answer:
    return {"error": {"code": error.code, "name": error.name}}


class _Handler(socketserver.StreamRequestHandler):
    server: PspServer

    def handle(self) -> None:
        session = Session(self.server.firmware)
        try:
            while (line := self.rfile.readline(LINE_LIMIT + 1)).endswith(b"\n"):
                self.wfile.write(json.dumps(session.answer(line)).encode() + b"\n")
        except (BrokenPipeError, ConnectionResetError):
            pass
        finally:
            session.close()


class PspServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """Serves one platform on a socket of the file system."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, socket_path: Path, firmware: SevFirmware) -> None:
        self.firmware = firmware
        self._path = socket_path
        socket_path.unlink(missing_ok=True)
        super().__init__(str(socket_path), _Handler)
        socket_path.chmod(0o600)

    def stop(self) -> None:
        """End `serve_forever` from a signal handler, which runs in the thread that serves."""
        threading.Thread(target=self.shutdown, daemon=True).start()

    def server_close(self) -> None:
        """Close the socket and remove its file."""
        super().server_close()
        self._path.unlink(missing_ok=True)
