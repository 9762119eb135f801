"""What every change tells of itself, and the backups that some leave."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from lab.journal import STATE

if TYPE_CHECKING:
    from lab.host import Host


class Described:
    """The words of a change, for the ledger and for messages; a change sets what differs from these."""

    name: str
    looks_at: str
    undone_by: str
    permission: str | None = None
    clause: str | None = None


def backup_of(path: str) -> str:
    """Where the first content of a file is kept that a change edits."""
    return f"{STATE}/backup{path}"


def keep_backup(host: Host, path: str) -> None:
    """Keep the file as it was before the suite first edited it, with owner, mode and label."""
    host.remove_torn(path)
    backup = backup_of(path)
    host.make_directory(posixpath.dirname(backup), mode=0o700)
    part = f"{backup}.part"
    whole = "cp --archive -- %s %s && mv --force -- %s %s"
    host.run(f"if [ -e %s ] && [ ! -e %s ]; then {whole}; fi", path, backup, path, part, part, backup)


def putting_back(path: str) -> str:
    """The command that gives a file its first content again, without what anybody did to it since."""
    return f"cp --archive -- {backup_of(path)} {path}"
