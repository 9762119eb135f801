"""Files on the host through SFTP, as root where the lab file says so."""

from __future__ import annotations

import contextlib
import posixpath
import secrets
import shlex
import stat as modes
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import paramiko

from lab.errors import ConnectionLost, HostFileError, NoSuchHostFile, Unreachable
from lab.execution import start_command, sudo

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lab.ssh import Connection

# Where OpenSSH's SFTP server lies: on Red Hat's family, Debian's, SUSE's.
_SERVERS = (
    "/usr/libexec/openssh/sftp-server",
    "/usr/lib/openssh/sftp-server",
    "/usr/lib/ssh/sftp-server",
)


# What OpenSSH's server says where a write failed, whyever it did (sftp-server.c, status_messages).
FAILURE = "Failure"


@dataclass(frozen=True)
class FileStatus:
    """What `stat` says of a file: size in bytes, permission bits, owner, times in seconds since 1970."""

    size: int
    mode: int
    uid: int
    gid: int
    modified: int
    is_directory: bool


class RemoteFiles:
    """One SFTP session. Not atomic by itself: `Host.write_file` renames what `write_new` wrote."""

    def __init__(self, connection: Connection, become: str, silence: float) -> None:
        """Open the session. `silence` is how many seconds the server may take for one answer."""
        self.connection = connection
        self._lock = threading.RLock()
        channel = connection.open_session(silence)
        channel.settimeout(silence)
        try:
            if become == "sudo":
                start_command(channel, _server_command(become), silence)
            else:
                channel.invoke_subsystem("sftp")
            self._client = paramiko.SFTPClient(channel)
        except (paramiko.SSHException, EOFError, OSError) as error:
            channel.close()
            if not connection.alive:
                raise ConnectionLost(f"the connection to {connection.name} is gone") from None
            where = " or ".join(_SERVERS[:2]) if become == "sudo" else "the subsystem sftp in its sshd_config"
            raise Unreachable(
                "host", f"{connection.name} serves no files: {error or 'no answer'} (looked for {where})"
            ) from None

    def read(self, path: str) -> bytes:
        """The content of a file, also of one in /proc, whose size is not known before."""
        with self._lock, _about(path):
            try:
                with self._client.open(path, "rb") as file:
                    size = file.stat().st_size or 0
                    if size:
                        file.prefetch(size)
                    return file.read()
            except (FileNotFoundError, PermissionError, TimeoutError):
                raise
            except OSError:
                # OpenSSH's server has one word for a folder and for all else.
                if self.stat(path).is_directory:
                    raise HostFileError(path, "it is a folder") from None
                raise

    def write_new(self, path: str, data: bytes) -> str:
        """Write `data` to a new file beside `path`, readable by its owner only; its path.

        What came of it has to be looked at: answers to writes that were sent ahead are not waited for, and
        OpenSSH's server has the same word for a full disk as for all else.
        """
        temporary = beside(path)
        with self._lock, _about(path):
            with self._client.open(temporary, "wbx") as file:
                try:
                    file.chmod(0o600)
                    file.set_pipelined(True)
                    file.write(data)
                except BaseException as error:
                    if str(error) == FAILURE:
                        return temporary
                    with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
                        self._client.remove(temporary)
                    raise
            return temporary

    def real_path(self, path: str) -> str:
        """`path` with its symbolic links followed, also where the file is yet to be made."""
        with self._lock, _about(path):
            folder, name = posixpath.split(path)
            try:
                self._client.lstat(path)
            except FileNotFoundError:
                return posixpath.join(self._client.normalize(folder) or folder, name)
            return self._client.normalize(path) or path

    def stat(self, path: str) -> FileStatus:
        """What `stat` says of the file that `path` leads to."""
        with self._lock, _about(path):
            found = self._client.stat(path)
        mode = found.st_mode or 0
        return FileStatus(
            size=found.st_size or 0,
            mode=modes.S_IMODE(mode),
            uid=found.st_uid or 0,
            gid=found.st_gid or 0,
            modified=int(found.st_mtime or 0),
            is_directory=modes.S_ISDIR(mode),
        )

    def remove(self, path: str) -> None:
        """Remove a file, or a symbolic link itself."""
        with self._lock, _about(path):
            self._client.remove(path)

    def close(self) -> None:
        """End the session."""
        self._client.close()


def beside(path: str) -> str:
    """A name for a file that is to take the place of the one at `path`."""
    folder, name = posixpath.split(path)
    return posixpath.join(folder, f".{name}.{secrets.token_hex(6)}.new")


@contextlib.contextmanager
def _about(path: str) -> Iterator[None]:
    """Turn what paramiko raises into one clear line about `path`."""
    try:
        yield
    except FileNotFoundError:
        raise NoSuchHostFile(path) from None
    except PermissionError:
        raise HostFileError(path, "permission denied") from None
    except TimeoutError:
        raise ConnectionLost(f"no answer about {path}") from None
    except (EOFError, paramiko.SSHException):
        raise ConnectionLost(f"the connection broke at {path}") from None
    except OSError as error:
        if "closed" in str(error):
            raise ConnectionLost(f"the connection broke at {path}") from None
        raise HostFileError(path, str(error)) from None


def _server_command(become: str) -> str:
    tries = "; ".join(f"[ -x {server} ] && exec {server}" for server in _SERVERS)
    return f"{sudo(become)}sh -c {shlex.quote(f'{tries}; exit 127')}"
