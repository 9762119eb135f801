"""A session with a MySQL server over a channel of the host's connection, or straight from the runner."""

from __future__ import annotations

import contextlib
import struct
import threading
from typing import TYPE_CHECKING, Any, cast

import pymysql
from pymysql.constants import CLIENT

from lab.errors import ForwardRefused, LabError, Unreachable
from lab.printable import printable, shortened

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence

    import paramiko

    from lab.labfile import Database
    from lab.secret import Secret

Rows = list[dict[str, Any]]

# MySQL's error numbers for who we are: access denied (to the server, to the database), no such database.
_NOT_LET_IN = frozenset({1044, 1045, 1049, 1698})

# What pymysql makes of a greeting that is none of MySQL's.
_NO_GREETING = (struct.error, ValueError, LookupError)


class Session:
    """Connects when it is first used, and anew where the connection was lost. One statement at a time."""

    def __init__(
        self,
        settings: Database,
        address: str,
        password: Secret,
        timeout: float,
        open_channel: Callable[[str, int], paramiko.Channel],
    ) -> None:
        self._settings = settings
        self._address = address
        self._password = password
        self._timeout = timeout
        self._open_channel = open_channel
        self._lock = threading.Lock()
        self._connection: pymysql.Connection[pymysql.cursors.DictCursor] | None = None

    def execute(self, statement: str, parameters: Sequence[Any]) -> tuple[Rows, int, int]:
        """Run one statement: its rows, how many rows it matched, and the id that it made.

        It is never sent twice. Raises Unreachable("database", …), or LabError where the server refuses it.
        """
        with self._lock:
            connection = self._live()
            try:
                with connection.cursor() as cursor:
                    matched = cursor.execute(statement, tuple(parameters) or None)
                    return list(cursor.fetchall()), matched, int(cursor.lastrowid or 0)
            except (pymysql.OperationalError, pymysql.InterfaceError, OSError, EOFError) as error:
                self._drop()
                raise Unreachable("database", f"{self._where} was lost: {_said(error)}") from None
            except pymysql.Error as error:
                raise LabError(
                    f"the KBS's database refused `{shortened(statement)}`: {_said(error)}"
                ) from None

    def close(self) -> None:
        """End the session."""
        with self._lock:
            self._drop()

    @property
    def _where(self) -> str:
        return f"{self._settings.name} at {self._address}:{self._settings.port}"

    def _live(self) -> pymysql.Connection[pymysql.cursors.DictCursor]:
        if self._connection is not None:
            try:
                self._connection.ping(reconnect=False)
            except (pymysql.Error, OSError, EOFError):
                self._drop()
            else:
                return self._connection
        self._connection = self._connect()
        return self._connection

    def _connect(self) -> pymysql.Connection[pymysql.cursors.DictCursor]:
        through_host = self._settings.reach == "ssh"
        connection = pymysql.Connection(
            host=self._address,
            port=self._settings.port,
            user=self._settings.user,
            password=self._password.reveal(),
            database=self._settings.name,
            connect_timeout=max(int(self._timeout), 1),
            # connect_timeout ends with TCP's handshake; MySQL's own can hang as well.
            read_timeout=self._timeout,
            write_timeout=self._timeout,
            # Without it a second look would see the snapshot of the first.
            autocommit=True,
            # An UPDATE counts the rows that it found, not only those that it changed.
            client_flag=CLIENT.FOUND_ROWS,
            charset="utf8mb4",
            cursorclass=pymysql.cursors.DictCursor,
            # The channel is no socket that TLS could wrap; SSH encrypts it as far as the host.
            ssl_disabled=through_host,
            defer_connect=True,
        )
        channel: paramiko.Channel | None = None
        try:
            if through_host:
                channel = self._open_channel(self._address, self._settings.port)
            # A channel has all of a socket that pymysql uses.
            connection.connect(cast("socket.socket | None", channel))
        except ForwardRefused as error:
            raise Unreachable("database", str(error)) from None
        except (pymysql.Error, OSError, EOFError, *_NO_GREETING) as error:
            if channel is not None:
                channel.close()
            number = error.args[0] if error.args else None
            verb = "does not let us in" if number in _NOT_LET_IN else "does not answer as MySQL does"
            raise Unreachable("database", f"{self._where} {verb}: {_said(error)}") from None
        return connection

    def _drop(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(pymysql.Error, OSError, EOFError):
                self._connection.close()
        self._connection = None


def _said(error: BaseException) -> str:
    text = str(error.args[-1]) if error.args else type(error).__name__
    return shortened(printable(text.encode()), 300) or type(error).__name__
