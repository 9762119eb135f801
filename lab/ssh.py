"""An SSH connection to a host, over any jump hosts, with one clear line for what fails."""

from __future__ import annotations

import logging
import socket
from typing import TYPE_CHECKING

import paramiko

from lab.errors import ConnectionLost, ForwardRefused, Unreachable
from lab.login import address_of, authenticate, check_host_key

if TYPE_CHECKING:
    from lab.deadline import Deadline
    from lab.labfile import Login, Ssh
    from lab.secret import Redactor

# Its threads log tracebacks of what is raised here as one line.
logging.getLogger("paramiko").setLevel(logging.CRITICAL + 1)

# A peer that answers nothing, not even on TCP's level, is given up after this many milliseconds.
TCP_PATIENCE = 30_000
KEEPALIVE = 15


class Connection:
    """An authenticated connection; channels may be opened and used from any thread."""

    def __init__(self, transports: list[paramiko.Transport], name: str) -> None:
        self._transports = transports
        self.name = name

    @property
    def transport(self) -> paramiko.Transport:
        """The connection to the host itself, beyond the jump hosts."""
        return self._transports[-1]

    @property
    def alive(self) -> bool:
        """Whether nobody noticed yet that the connection is gone."""
        return all(transport.is_active() for transport in self._transports)

    def open_session(self, timeout: float) -> paramiko.Channel:
        """A channel for a command. Nothing was run when this raises ConnectionLost."""
        try:
            return self.transport.open_session(timeout=timeout)
        except paramiko.ChannelException as error:
            raise Unreachable(
                "host",
                f"{self.name} refuses another session ({error.text}); see MaxSessions in its sshd_config",
            ) from None
        except (paramiko.SSHException, EOFError, OSError):
            raise ConnectionLost(f"the connection to {self.name} is gone", sent=False) from None

    def open_channel(self, host: str, port: int, timeout: float) -> paramiko.Channel:
        """A channel to an address as the host sees it.

        Raises ForwardRefused when the host cannot reach it, ConnectionLost when the host itself is gone.
        """
        try:
            return self.transport.open_channel(
                "direct-tcpip", (host, port), ("127.0.0.1", 0), timeout=timeout
            )
        except paramiko.ChannelException as error:
            raise ForwardRefused(f"{host}:{port}", _refusal(error)) from None
        except (paramiko.SSHException, EOFError, OSError) as error:
            if "Timeout" in str(error):
                raise ForwardRefused(f"{host}:{port}", f"no answer within {timeout:.0f} s") from None
            raise ConnectionLost(f"the connection to {self.name} is gone", sent=False) from None

    def wait_until_gone(self, seconds: float) -> bool:
        """Wait for the connection to end; whether it did."""
        self.transport.join(seconds)
        return not self.alive

    def close(self) -> None:
        """Close the connection, and those to the jump hosts after it."""
        for transport in reversed(self._transports):
            transport.close()


def connect(ssh: Ssh, deadline: Deadline, redactor: Redactor) -> Connection:
    """Connect to the host of a lab file. Raises Unreachable("host", …) with what to do about it."""
    logins = [*ssh.jump, ssh]
    transports: list[paramiko.Transport] = []
    try:
        for login in logins:
            through = transports[-1] if transports else None
            transports.append(_log_in(login, through, deadline, redactor))
    except Unreachable as error:
        failed = logins[len(transports)]
        for transport in reversed(transports):
            transport.close()
        if failed is not ssh:
            raise Unreachable("host", f"jump host {error.cause}") from None
        raise
    return Connection(transports, address_of(ssh))


def _log_in(
    login: Login, through: paramiko.Transport | None, deadline: Deadline, redactor: Redactor
) -> paramiko.Transport:
    transport = paramiko.Transport(_dial(login, through, deadline))
    # paramiko's own default for a channel is an hour.
    transport.banner_timeout = transport.handshake_timeout = deadline.remaining
    transport.auth_timeout = transport.channel_timeout = deadline.remaining
    transport.daemon = True
    try:
        check_host_key(login, transport, deadline)
        authenticate(login, transport, redactor)
    except BaseException:
        transport.close()
        raise
    transport.set_keepalive(KEEPALIVE)
    return transport


def _dial(
    login: Login, through: paramiko.Transport | None, deadline: Deadline
) -> socket.socket | paramiko.Channel:
    address = address_of(login)
    timeout = max(deadline.remaining, 0.1)
    if through is not None:
        try:
            return through.open_channel(
                "direct-tcpip", (login.host, login.port), ("127.0.0.1", 0), timeout=timeout
            )
        except paramiko.ChannelException as error:
            raise Unreachable(
                "host", f"{address}: the jump host cannot reach it: {_refusal(error)}"
            ) from None
        except (paramiko.SSHException, EOFError, OSError) as error:
            raise Unreachable("host", f"{address}: lost the jump host on the way: {error}") from None
    try:
        raw = socket.create_connection((login.host.strip("[]"), login.port), timeout=timeout)
    except TimeoutError:
        raise Unreachable("host", f"{address} does not answer within {deadline.seconds:.0f} s") from None
    except OSError as error:
        raise Unreachable("host", f"{address} cannot be reached: {error.strerror or error}") from None
    # Without it each command waits 40 ms for Nagle's algorithm.
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, TCP_PATIENCE)
    return raw


def _refusal(error: paramiko.ChannelException) -> str:
    """A channel's refusal in words (codes: RFC 4254 section 5.1)."""
    if error.code == 1:
        return "the SSH server does not allow forwarding (see AllowTcpForwarding in its sshd_config)"
    return "the connection is refused or filtered" if error.code == 2 else str(error.text)
