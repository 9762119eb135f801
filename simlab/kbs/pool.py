"""The connection pool of sqlx 0.5.13: how long it waits, what it retries, and what its errors say.

Source: sqlx 0.5.13, sqlx-core/src/pool/inner.rs (acquire, connection), src/error.rs, src/mysql/error.rs,
src/mysql/types.
"""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pymysql

from simlab.kbs.rust import PanicError, library

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Row = tuple[Any, ...]

ACQUIRE_SECONDS: Final = 30.0
_FIRST_BACKOFF: Final = 0.01
_DEFAULT_PORT: Final = 3306
_INIT: Final = (
    "SET sql_mode=(SELECT CONCAT(@@sql_mode, ',PIPES_AS_CONCAT,NO_ENGINE_SUBSTITUTION')), time_zone='+00:00'"
)


class DatabaseError(Exception):
    """A statement did not succeed; the message is sqlx'."""


class CancelledError(Exception):
    """The client is gone, and with it the request."""


@dataclass(frozen=True, repr=False)
class Settings:
    """Where the database is, and who asks. `host` may end in `:port`."""

    host: str
    user: str
    password: str
    database: str
    max_connections: int = 1000


class Pool:
    """Connections to one database; safe to use from several threads."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._idle: list[pymysql.Connection[Any]] = []
        self._lock = threading.Lock()
        self._places = threading.BoundedSemaphore(settings.max_connections)

    def fetch_one(self, cancelled: threading.Event, statement: str, *values: object) -> Row:
        """Return the first row. Raises DatabaseError, also when there is none, and CancelledError."""
        row = self.fetch_optional(cancelled, statement, *values)
        if row is None:
            raise DatabaseError("no rows returned by a query that expected to return at least one row")
        return row

    def fetch_optional(self, cancelled: threading.Event, statement: str, *values: object) -> Row | None:
        """Return the first row or None. Raises DatabaseError and CancelledError."""
        with self._connection(cancelled) as connection, connection.cursor() as cursor:
            cursor.execute(statement, values)
            row: Row | None = cursor.fetchone()
            return row

    def execute(self, cancelled: threading.Event, statement: str, *values: object) -> None:
        """Carry out a statement. Raises DatabaseError and CancelledError."""
        with self._connection(cancelled) as connection, connection.cursor() as cursor:
            cursor.execute(statement, values)

    def connect(self) -> None:
        """Open a first connection, as the server does before it listens. Raises DatabaseError."""
        with self._connection(threading.Event()):
            pass

    @contextmanager
    def _connection(self, cancelled: threading.Event) -> Iterator[pymysql.Connection[Any]]:
        deadline = time.monotonic() + ACQUIRE_SECONDS
        if not self._places.acquire(timeout=ACQUIRE_SECONDS):
            raise _timed_out()
        connection = None
        try:
            connection = self._live_idle() or self._open(deadline, cancelled)
            if cancelled.is_set():
                raise CancelledError
            yield connection
        except pymysql.Error as error:
            if isinstance(error, pymysql.err.OperationalError | pymysql.err.InterfaceError):
                _discard(connection)
                connection = None
            raise _database_error(error) from error
        finally:
            if connection is not None:
                with self._lock:
                    self._idle.append(connection)
            self._places.release()

    def _live_idle(self) -> pymysql.Connection[Any] | None:
        with self._lock:
            connection = self._idle.pop() if self._idle else None
        if connection is None:
            return None
        try:
            connection.ping(reconnect=False)
        except pymysql.Error:
            _discard(connection)
            return None
        return connection

    def _open(self, deadline: float, cancelled: threading.Event) -> pymysql.Connection[Any]:
        """Connect; a refused connection means a server that is starting: try again until the deadline."""
        backoff = _FIRST_BACKOFF
        while (remaining := deadline - time.monotonic()) > 0:
            try:
                return self._connect(remaining)
            except pymysql.err.OperationalError as error:
                cause = getattr(error, "original_exception", None)
                if isinstance(cause, TimeoutError):
                    break
                if not isinstance(cause, ConnectionRefusedError):
                    raise
            if cancelled.wait(min(backoff, max(deadline - time.monotonic(), 0))):
                raise CancelledError
            backoff = min(backoff * 2, ACQUIRE_SECONDS / 5)
        raise _timed_out()

    def _connect(self, seconds: float) -> pymysql.Connection[Any]:
        host, _, port = self._settings.host.partition(":")
        return pymysql.connect(
            host=host,
            port=int(port or _DEFAULT_PORT),
            user=self._settings.user,
            password=self._settings.password,
            database=self._settings.database,
            charset="utf8mb4",
            collation="utf8mb4_unicode_ci",
            autocommit=True,
            # As sqlx finds it: the container offers no TLS.
            ssl_disabled=True,
            connect_timeout=max(1, int(seconds)),
            read_timeout=int(ACQUIRE_SECONDS),
            write_timeout=int(ACQUIRE_SECONDS),
            init_command=_INIT,
        )


def text(row: Sequence[Any], column: int) -> str:
    """Return a column as a string. Raises DatabaseError for NULL, and PanicError for numbers."""
    value = row[column]
    if isinstance(value, str):
        return value
    raise _undecodable(column, value, 31)


def integer(row: Sequence[Any], column: int, bits: int) -> int:
    """Return a column as a signed integer.

    Raises DatabaseError for NULL and what is too large, and PanicError for strings.
    """
    value = row[column]
    if type(value) is not int:
        raise _undecodable(column, value, 24 if bits == 32 else 25)
    if not -(1 << (bits - 1)) <= value < 1 << (bits - 1):
        raise DatabaseError(
            f"error occurred while decoding column {column}: out of range integral type conversion attempted"
        )
    return value


def _undecodable(column: int, value: object, line: int) -> Exception:
    """Return what becomes of NULL, and of another type: sqlx cannot name the one that it wants of "any"."""
    if value is not None:
        return PanicError("not implemented", library(f"sqlx-core-0.5.13/src/any/types.rs:{line}:1"))
    return DatabaseError(
        f"error occurred while decoding column {column}: unexpected null; try decoding as an `Option`"
    )


def _timed_out() -> DatabaseError:
    return DatabaseError("pool timed out while waiting for an open connection")


def _discard(connection: pymysql.Connection[Any] | None) -> None:
    if connection is not None:
        with suppress(pymysql.Error):
            connection.close()


def _database_error(error: pymysql.Error) -> DatabaseError:
    cause = getattr(error, "original_exception", None)
    if isinstance(cause, OSError):
        return DatabaseError(f"error communicating with database: {_os_text(cause)}")
    if len(error.args) < 2:
        return DatabaseError("encountered unexpected or invalid data")
    number, message = error.args[:2]
    if 2000 <= number < 3000:
        # MySQL's own client library numbers its side's errors from 2000 on: the connection broke.
        return DatabaseError("error communicating with database: unexpected end of file")
    state = getattr(error, "sqlstate", None)
    code = f"{number} ({state})" if state else str(number)
    return DatabaseError(f"error returned from database: {code}: {message}")


def _os_text(error: OSError) -> str:
    if error.errno is not None and error.errno > 0:
        return f"{error.strerror} (os error {error.errno})"
    return f"failed to lookup address information: {error.strerror}"
