"""An SSH connection to a host, over any jump hosts, with host keys checked and one clear line for what fails.

Built on paramiko's Transport. paramiko's own client accepts what it should not when told so and says little;
this module never does: a host key must be in the login's known_hosts file.
"""

from __future__ import annotations

import base64
import hashlib
import logging
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import paramiko
from cryptography.exceptions import UnsupportedAlgorithm

from lab.errors import ConnectionLost, ForwardRefused, Unreachable
from lab.loading import resolve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.deadline import Deadline
    from lab.labfile import Login, Ssh
    from lab.secret import Redactor

# Its threads log tracebacks of what is raised here as one line.
logging.getLogger("paramiko").setLevel(logging.CRITICAL + 1)

# A peer that answers nothing, not even on TCP's level, is given up after this many milliseconds.
TCP_PATIENCE = 30_000
KEEPALIVE = 15

_DEFAULT_KEYS = ("id_ed25519", "id_ecdsa", "id_rsa")


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
    return Connection(transports, _address(ssh))


def _log_in(
    login: Login, through: paramiko.Transport | None, deadline: Deadline, redactor: Redactor
) -> paramiko.Transport:
    transport = paramiko.Transport(_dial(login, through, deadline))
    # paramiko's own default for a channel is an hour.
    transport.banner_timeout = transport.handshake_timeout = deadline.remaining
    transport.auth_timeout = transport.channel_timeout = deadline.remaining
    transport.daemon = True
    try:
        _check_host_key(login, transport, deadline)
        _authenticate(login, transport, redactor)
    except BaseException:
        transport.close()
        raise
    transport.set_keepalive(KEEPALIVE)
    return transport


def _dial(
    login: Login, through: paramiko.Transport | None, deadline: Deadline
) -> socket.socket | paramiko.Channel:
    address = _address(login)
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


def _check_host_key(login: Login, transport: paramiko.Transport, deadline: Deadline) -> None:
    address = _address(login)
    name = login.host if login.port == 22 else f"[{login.host}]:{login.port}"
    try:
        known = paramiko.HostKeys(str(login.known_hosts))
    except OSError as error:
        raise Unreachable("host", f"{login.known_hosts} cannot be read: {error.strerror or error}") from None
    expected = known.lookup(name)
    if expected:
        _prefer(transport, list(expected.keys()))
    try:
        transport.start_client(timeout=max(deadline.remaining, 0.1))
        # A handshake that is not done in time ends start_client without a word.
        key = transport.get_remote_server_key()
    except (paramiko.SSHException, EOFError, OSError) as error:
        cause = "no handshake in time" if transport.is_active() else f"{error}" or type(error).__name__
        raise Unreachable("host", f"{address} answers, but SSH does not get under way: {cause}") from None
    offered = f"{key.get_name()} {_fingerprint(key)}"
    if not expected:
        raise Unreachable(
            "host",
            f"{address} offers the host key {offered}, which is not in {login.known_hosts}: compare it with "
            f"the host's own, then add it: ssh-keyscan -p {login.port} {login.host} >> {login.known_hosts}",
        )
    if not known.check(name, key):
        ours = ", ".join(_fingerprint(each) for each in expected.values())
        raise Unreachable(
            "host",
            f"{address} offers the host key {offered}, but {login.known_hosts} knows {ours}: it was "
            f"installed anew (then: ssh-keygen -R '{name}' -f {login.known_hosts}), or this is another host",
        )


def _prefer(transport: paramiko.Transport, known: list[str]) -> None:
    """Ask for a kind of host key that we know, where the server has several."""
    options = transport.get_security_options()
    wanted = [
        kind
        for kind in options.key_types
        if kind in known or (kind.startswith("rsa-sha2-") and "ssh-rsa" in known)
    ]
    options.key_types = [*wanted, *(kind for kind in options.key_types if kind not in wanted)]


def _authenticate(login: Login, transport: paramiko.Transport, redactor: Redactor) -> None:
    tried: list[str] = []
    try:
        for what, key in _keys(login, redactor):
            tried.append(what)
            if _accepts(transport, login.user, key):
                return
        if login.password is not None:
            password = resolve(login.password)
            redactor.learn(password)
            tried.append("the password")
            try:
                transport.auth_password(login.user, password.reveal())
            except paramiko.AuthenticationException:
                pass
            else:
                return
    except (paramiko.SSHException, EOFError, OSError) as error:
        cause = f"{error}" or type(error).__name__
        raise Unreachable(
            "host", f"{_address(login)} broke off the login of user {login.user!r}: {cause}"
        ) from None
    with_what = ", ".join(tried) or "no key: name ssh.key or ssh.password in the lab file"
    raise Unreachable("host", f"{_address(login)} refuses the login of user {login.user!r} with {with_what}")


def _accepts(transport: paramiko.Transport, user: str, key: paramiko.PKey) -> bool:
    try:
        return not transport.auth_publickey(user, key)
    except paramiko.AuthenticationException:
        return False


def _keys(login: Login, redactor: Redactor) -> Iterator[tuple[str, paramiko.PKey]]:
    """The keys to try, each with what to call it: the lab file's, or those that `ssh` would take."""
    if login.key is not None:
        yield f"the key {login.key}", _load_key(login, login.key, redactor)
    elif login.password is None:
        agent = paramiko.Agent()
        try:
            for key in agent.get_keys():
                yield f"the agent's key {_fingerprint(key)}", key
        finally:
            agent.close()
        for path in (Path.home() / ".ssh" / name for name in _DEFAULT_KEYS):
            if path.exists():
                yield f"the key {path}", _load_key(login, path, redactor)


def _load_key(login: Login, path: Path, redactor: Redactor) -> paramiko.PKey:
    password: bytes | None = None
    if login.key_passphrase is not None:
        passphrase = resolve(login.key_passphrase)
        redactor.learn(passphrase)
        password = passphrase.reveal().encode()
    try:
        key: paramiko.PKey = paramiko.PKey.from_path(path, password)  # type: ignore[arg-type]
    except OSError as error:
        raise Unreachable("host", f"the key {path} cannot be read: {error.strerror or error}") from None
    except TypeError:
        hint = (
            "wants a passphrase: name it in ssh.key_passphrase" if password is None else "wants no passphrase"
        )
        raise Unreachable("host", f"the key {path} {hint}") from None
    except (ValueError, UnsupportedAlgorithm, paramiko.SSHException):
        hint = "it or ssh.key_passphrase is wrong" if password else "it is no private key that we understand"
        raise Unreachable("host", f"the key {path} cannot be loaded: {hint}") from None
    return key


def _refusal(error: paramiko.ChannelException) -> str:
    """A channel's refusal in words (codes: RFC 4254 section 5.1)."""
    if error.code == 1:
        return "the SSH server does not allow forwarding (see AllowTcpForwarding in its sshd_config)"
    return "the connection is refused or filtered" if error.code == 2 else str(error.text)


def _address(login: Login) -> str:
    return f"{login.host} port {login.port}"


def _fingerprint(key: paramiko.PKey) -> str:
    """As `ssh-keygen -l` writes it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(key.asbytes()).digest()).decode().rstrip("=")
