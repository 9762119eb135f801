"""A private mariadbd with simple-kbs' tables (simple-kbs 0.1.1, db-mysql.sql and db/initial-data.sql)."""

from __future__ import annotations

import getpass
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pymysql

from lab.deadline import Deadline

SYSTEM_TABLES = (
    Path("/usr/share/mysql/mysql_system_tables.sql"),
    Path("/usr/share/mysql/mysql_system_tables_data.sql"),
)
SERVER = Path("/usr/sbin/mariadbd")

SCHEMA = """
CREATE DATABASE simple_kbs;
USE simple_kbs;
CREATE TABLE policy (id int AUTO_INCREMENT PRIMARY KEY, allowed_digests longtext, allowed_policies longtext,
  min_fw_api_major int, min_fw_api_minor int, allowed_build_ids longtext, create_date datetime,
  delete_date datetime, valid tinyint(1));
CREATE TABLE secrets (id int AUTO_INCREMENT PRIMARY KEY, secret_id varchar(1024), secret varchar(1024),
  polid int, UNIQUE KEY (secret_id)) DEFAULT CHARSET=utf8;
CREATE TABLE keysets (id int AUTO_INCREMENT PRIMARY KEY, keysetid varchar(50) NOT NULL, kskeys longtext,
  polid int, UNIQUE KEY (keysetid)) DEFAULT CHARSET=utf8;
CREATE TABLE conn_bundle (id varchar(512) NOT NULL PRIMARY KEY, sev_version int, policy int,
  fw_api_major int, fw_api_minor int, fw_build_id int, launch_description varchar(512),
  fw_digest varchar(512), symkey varchar(512), create_date datetime, delete_date datetime)
  DEFAULT CHARSET=utf8;
FLUSH PRIVILEGES;
CREATE USER kbsuser@'%' IDENTIFIED BY 'kbspassword';
GRANT ALL ON simple_kbs.* TO kbsuser@'%';
"""

STOCK = """
DELETE FROM policy; DELETE FROM secrets; DELETE FROM keysets; DELETE FROM conn_bundle;
INSERT INTO secrets VALUES (10, 'key_id1', 'RcHGava52DPvj1uoIk/NVDYlwxi0A6yyIZ8ilhEX3X4=', NULL);
INSERT INTO keysets VALUES (10, 'KEYSET-1', '["key_id1"]', NULL);
"""


@dataclass
class MariaDbPeer:
    """A running server; `execute` looks and meddles behind the driver's back."""

    folder: Path
    port: int = 0

    def __post_init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        data = self.folder / "data"
        data.mkdir(parents=True)
        # Servers that share it delete each other's temporary tables.
        scratch = self.folder / "tmp"
        scratch.mkdir()
        self._command = [
            str(SERVER),
            "--no-defaults",
            f"--datadir={data}",
            f"--tmpdir={scratch}",
            f"--user={getpass.getuser()}",
            "--innodb-log-file-size=4M",
            "--innodb-buffer-pool-size=8M",
            "--innodb-flush-log-at-trx-commit=2",
        ]
        script = ["CREATE DATABASE mysql;", "USE mysql;", "SET @auth_root_socket=NULL;"]
        script += [path.read_text() for path in SYSTEM_TABLES]
        done = subprocess.run(
            [*self._command, "--bootstrap", "--enforce-storage-engine="],
            input="\n".join([*script, SCHEMA]),
            text=True,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        with (self.folder / "log").open("w") as log:
            self._process = subprocess.Popen(
                [
                    *self._command,
                    "--bind-address=127.0.0.1",
                    f"--port={self.port}",
                    f"--socket={self.folder}/s",
                    f"--pid-file={self.folder}/pid",
                ],
                stdout=log,
                stderr=log,
            )
        deadline = Deadline(30)
        while True:
            try:
                self.execute("SELECT 1")
            except pymysql.OperationalError:
                assert self._process.poll() is None, (self.folder / "log").read_text()
                assert not deadline.expired
            else:
                return

    def execute(self, *statements: str) -> list[dict[str, Any]]:
        connection = pymysql.connect(
            host="127.0.0.1",
            port=self.port,
            user="kbsuser",
            password="kbspassword",
            database="simple_kbs",
            autocommit=True,
            cursorclass=pymysql.cursors.DictCursor,
        )
        with connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return list(cursor.fetchall())

    def reset(self) -> None:
        self.execute(*(each for each in STOCK.split(";") if each.strip()))

    def kill_connections(self) -> None:
        """Cut every session but our own, as a restart would."""
        for row in self.execute("SELECT id FROM information_schema.processlist WHERE user = 'kbsuser'"):
            with_own = f"KILL {row['id']}"
            try:
                self.execute(with_own)
            except pymysql.MySQLError:
                continue

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(20)
