"""One login over SSH: the host's key is checked, and then the runner's is offered.

paramiko's own client accepts what it should not when told so and says little; this module never does: a host
key must be in the login's known_hosts file.
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import paramiko
from cryptography.exceptions import UnsupportedAlgorithm

from lab.errors import Unreachable
from lab.loading import resolve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.deadline import Deadline
    from lab.labfile import Login
    from lab.secret import Redactor

_DEFAULT_KEYS = ("id_ed25519", "id_ecdsa", "id_rsa")


def address_of(login: Login) -> str:
    """Host and port as messages name them."""
    return f"{login.host} port {login.port}"


def check_host_key(login: Login, transport: paramiko.Transport, deadline: Deadline) -> None:
    """Shake hands and hold the host to its known key. Raises Unreachable with what to do about it."""
    address = address_of(login)
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
    offered = f"{key.get_name()} {fingerprint(key)}"
    if not expected:
        raise Unreachable(
            "host",
            f"{address} offers the host key {offered}, which is not in {login.known_hosts}: compare it with "
            f"the host's own, then add it: ssh-keyscan -p {login.port} {login.host} >> {login.known_hosts}",
        )
    if not known.check(name, key):
        ours = ", ".join(fingerprint(each) for each in expected.values())
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


def authenticate(login: Login, transport: paramiko.Transport, redactor: Redactor) -> None:
    """Log in with a key, or with the lab file's password. Raises Unreachable with what was tried."""
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
            "host", f"{address_of(login)} broke off the login of user {login.user!r}: {cause}"
        ) from None
    with_what = ", ".join(tried) or "no key: name ssh.key or ssh.password in the lab file"
    raise Unreachable(
        "host", f"{address_of(login)} refuses the login of user {login.user!r} with {with_what}"
    )


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
                yield f"the agent's key {fingerprint(key)}", key
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


def fingerprint(key: paramiko.PKey) -> str:
    """As `ssh-keygen -l` writes it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(key.asbytes()).digest()).decode().rstrip("=")
