"""A port on the host's loopback that leads to a port here, over the host's SSH connection (`ssh -R`)."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING, Self

import paramiko

from lab.errors import LabError
from lab.forward import carry

if TYPE_CHECKING:
    from types import TracebackType

    from lab.ssh import Connection

LOOPBACK = "127.0.0.1"


class Reverse:
    """`port` of the host's 127.0.0.1 leads to `target` of ours, as long as this is entered.

    Raises LabError where the host's sshd refuses it (AllowTcpForwarding). It does not survive a reconnect.
    """

    def __init__(self, connection: Connection, target: int) -> None:
        self._transport = connection.transport
        self._target = target
        self.port = 0

    def __enter__(self) -> Self:
        try:
            self.port = self._transport.request_port_forward(LOOPBACK, 0, self._serve)
        except (paramiko.SSHException, EOFError, OSError) as error:
            raise LabError(
                f"the host's sshd opens no port for us: {error}; `AllowTcpForwarding yes` is its default"
            ) from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(paramiko.SSHException, EOFError, OSError):
            self._transport.cancel_port_forward(LOOPBACK, self.port)

    def _serve(self, channel: paramiko.Channel, _origin: tuple[str, int], _server: tuple[str, int]) -> None:
        """Called by paramiko's own thread, which must not wait."""
        threading.Thread(target=self._carry, args=(channel,), name="reverse", daemon=True).start()

    def _carry(self, channel: paramiko.Channel) -> None:
        try:
            local = socket.create_connection((LOOPBACK, self._target), 10)
        except OSError:
            channel.close()
            return
        carry(channel, local)
