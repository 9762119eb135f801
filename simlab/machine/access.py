"""How a person or the suite gets into a lab: SSH keys, known_hosts, the database's password."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from simlab import compose
from simlab.internet import server

if TYPE_CHECKING:
    from pathlib import Path

    from simlab.layout import Layout

# The SSH server's private key, on the host.
HOST_KEY: Final = "etc/ssh/ssh_host_ed25519_key"


def client_key(layout: Layout) -> Path:
    """Return the private key that logs in as root."""
    return layout.client / "id_ed25519"


def known_hosts(layout: Layout) -> Path:
    """Return the file with the host's key, under the address that the runner reaches it at."""
    return layout.client / "known_hosts"


def database_password(layout: Layout) -> Path:
    """Return the file with the password of simple-kbs' database user."""
    return layout.client / "kbs-database-password"


def registry_password(layout: Layout) -> Path:
    """Return the file with the password of the account that pushes to the guests' registry."""
    return layout.client / "registry-password"


def host_key(layout: Layout) -> Path:
    """Return the SSH server's private key."""
    return layout.host / HOST_KEY


def authorized_keys(layout: Layout) -> Path:
    """Return the file that says whose keys log in as root; it is read at each login, as by OpenSSH."""
    return layout.host / "root/.ssh/authorized_keys"


def listening_file(layout: Layout) -> Path:
    """Return the file that exists once the SSH server answers (its socket listens from long before)."""
    return layout.world / "sshd.listening"


def create(layout: Layout, ssh_port: int) -> None:
    """Make the keys and write them where server and client look for them."""
    layout.client.mkdir(mode=0o700, exist_ok=True)
    host_key(layout).parent.mkdir(parents=True, exist_ok=True)
    authorized_keys(layout).parent.mkdir(parents=True, mode=0o700, exist_ok=True)
    host_public = _make_key(host_key(layout))
    client_public = _make_key(client_key(layout))
    _write_private(authorized_keys(layout), client_public + b" simulated-lab\n")
    # A port other than 22 is part of the name (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT).
    known_hosts(layout).write_bytes(b"[127.0.0.1]:%d %s\n" % (ssh_port, host_public))
    _write_private(database_password(layout), f"{compose.DATABASE_PASSWORD}\n".encode())
    _write_private(registry_password(layout), f"{server.PASSWORD}\n".encode())


def ssh_command(layout: Layout, ssh_port: int) -> list[str]:
    """Return the command that logs in."""
    return [
        *("ssh", "-i", str(client_key(layout)), "-o", "IdentitiesOnly=yes"),
        *("-o", f"UserKnownHostsFile={known_hosts(layout)}", "-p", str(ssh_port), "root@127.0.0.1"),
    ]


def _make_key(path: Path) -> bytes:
    """Make a key pair, write the private and the public one, and return the public one in OpenSSH's form."""
    key = ed25519.Ed25519PrivateKey.generate()
    _write_private(
        path,
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
        ),
    )
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    path.with_name(f"{path.name}.pub").write_bytes(public + b"\n")
    return public


def _write_private(path: Path, content: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(content)
