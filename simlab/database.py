"""The database container of simple-kbs: a private MariaDB with the schema and the stock data of 0.1.1.

    python -m simlab.database --root DIR

makes the data folder where there is none, and becomes `mariadbd`, so that a stop and a start keep the rows.
It is ready when `kbsuser` can log in. The folder is made by one run of `mariadbd --bootstrap` with Debian's
system tables and `database.sql`, which takes a third of the time of `mariadb-install-db`.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final, NoReturn

from simlab.addresses import DATABASE_IP, DATABASE_PORT
from simlab.layout import Layout

_SYSTEM_TABLES: Final = (
    Path("/usr/share/mysql/mysql_system_tables.sql"),
    Path("/usr/share/mysql/mysql_system_tables_data.sql"),
)
_SCHEMA: Final = Path(__file__).with_suffix(".sql")

# Small and quick, at the price of what only a power cut could take: a killed server loses no committed row.
_TUNING: Final = (
    "--innodb-buffer-pool-size=8M",
    "--innodb-log-file-size=4M",
    "--innodb-log-buffer-size=2M",
    "--innodb-data-file-path=ibdata1:4M:autoextend",
    "--innodb-temp-data-file-path=ibtmp1:4M:autoextend",
    "--innodb-autoextend-increment=1",
    "--innodb-flush-log-at-trx-commit=2",
    "--innodb-flush-method=nosync",
    "--innodb-doublewrite=0",
    "--innodb-use-native-aio=0",
    "--aria-pagecache-buffer-size=1M",
    "--key-buffer-size=1M",
    "--performance-schema=0",
    "--skip-log-bin",
)


class DatabaseError(Exception):
    """The database cannot be made; the message is one line."""


def initialise(folder: Path) -> None:
    """Make the data folder, unless it exists. Raises DatabaseError."""
    if folder.exists():
        return
    draft = folder.with_name(folder.name + ".new")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    script = ["CREATE DATABASE mysql;", "USE mysql;", "SET @auth_root_socket=NULL;"]
    try:
        script += [path.read_text() for path in (*_SYSTEM_TABLES, _SCHEMA)]
    except OSError as error:
        raise DatabaseError(
            f"{error.filename}: {error.strerror} (Debian package mariadb-server-core)"
        ) from error
    done = subprocess.run(
        [*_command(draft, _scratch(folder)), "--bootstrap", "--log-warnings=0", "--enforce-storage-engine="],
        input="\n".join(script),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        wrong = [line for line in done.stderr.splitlines() if "ERROR" in line] or done.stderr.splitlines()[
            -1:
        ]
        raise DatabaseError(f"MariaDB could not make its tables: {' '.join(wrong)}")
    draft.rename(folder)


def server_command(folder: Path, *, address: str = DATABASE_IP, port: int = DATABASE_PORT) -> list[str]:
    """Return the server's arguments. Raises DatabaseError when it is not installed."""
    return [
        *_command(folder, _scratch(folder)),
        f"--bind-address={address}",
        f"--port={port}",
        # Relative to the data folder: a socket's path may have 107 bytes only.
        "--socket=mysqld.sock",
        "--pid-file=mysqld.pid",
        "--skip-name-resolve",
        "--character-set-server=utf8mb4",
    ]


def _scratch(folder: Path) -> Path:
    """Return a folder of this server's own for temporary tables, and make it.

    A server deletes all temporary tables that it finds there when it starts (MariaDB 10.11, sql/sql_base.cc,
    mysql_rm_tmp_tables), also those of another server that is at work.
    """
    scratch = folder.with_name(folder.name + ".tmp")
    scratch.mkdir(exist_ok=True)
    return scratch


def _command(folder: Path, scratch: Path) -> list[str]:
    program = shutil.which("mariadbd", path=os.environ.get("PATH", os.defpath) + ":/usr/sbin")
    if program is None:
        raise DatabaseError("mariadbd is not installed (Debian package mariadb-server-core)")
    user = ["--user=root"] if os.geteuid() == 0 else []
    return [program, "--no-defaults", f"--datadir={folder}", f"--tmpdir={scratch}", *user, *_TUNING]


def main() -> NoReturn:
    """Make the data folder if need be, and become the server. Exits with 1 and one line when it cannot."""
    parser = argparse.ArgumentParser(prog="simlab.database", description=__doc__)
    parser.add_argument("--root", type=Path, required=True, help="the lab's folder")
    folder = Layout(parser.parse_args().root.absolute()).database
    try:
        initialise(folder)
        command = server_command(folder)
    except DatabaseError as error:
        sys.exit(f"simlab.database: {error}")
    os.execv(command[0], command)  # noqa: S606


if __name__ == "__main__":
    main()
