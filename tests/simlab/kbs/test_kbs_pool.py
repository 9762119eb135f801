"""The pool of sqlx: what it waits for, how long, and what it says then."""

from __future__ import annotations

import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from simlab.kbs import pool
from simlab.kbs.pool import CancelledError, DatabaseError, Pool, Settings, integer, text
from simlab.kbs.rust import PanicError
from tests.simlab.kbs.world import free_port

if TYPE_CHECKING:
    from tests.simlab.kbs.world import DatabaseServer

QUERY = "SELECT polid FROM secrets"


def pool_on(host: str, **changes: Any) -> Pool:
    return Pool(Settings(host=host, user="kbsuser", password="kbspassword", database="simple_kbs", **changes))


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "ACQUIRE_SECONDS", 1.0)


def test_nothing_is_asked_for_a_client_that_has_gone(rows: DatabaseServer) -> None:
    gone = threading.Event()
    gone.set()
    statement = "INSERT INTO secrets (secret_id) VALUES ('late')"
    with pytest.raises(CancelledError):
        pool_on(f"127.0.0.1:{rows.port}").execute(gone, statement)
    assert rows.execute("SELECT COUNT(*) FROM secrets") == ((1,),)


@pytest.mark.usefixtures("impatient")
def test_a_refused_connection_is_tried_until_the_time_is_over() -> None:
    begun = time.monotonic()
    with pytest.raises(DatabaseError, match=r"^pool timed out while waiting for an open connection$"):
        pool_on(f"127.0.0.1:{free_port()}").connect()
    assert 0.9 < time.monotonic() - begun < 5


@pytest.mark.usefixtures("impatient")
def test_a_server_that_says_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(DatabaseError):
        pool_on(f"127.0.0.1:{silent.getsockname()[1]}").connect()


def test_a_host_that_has_no_address() -> None:
    begun = time.monotonic()
    with pytest.raises(DatabaseError, match=r"^error communicating with database: failed to lookup address"):
        pool_on("no-such-host.invalid").connect()
    assert time.monotonic() - begun < 20


@pytest.mark.usefixtures("impatient")
def test_no_more_connections_than_allowed(rows: DatabaseServer) -> None:
    small = pool_on(f"127.0.0.1:{rows.port}", max_connections=1)
    with small._connection(threading.Event()), pytest.raises(DatabaseError, match=r"^pool timed out"):
        small.connect()
    small.connect()


def test_connections_are_used_again(rows: DatabaseServer) -> None:
    shared = pool_on(f"127.0.0.1:{rows.port}")
    statement = "SELECT CONNECTION_ID()"
    assert shared.fetch_one(threading.Event(), statement) == shared.fetch_one(threading.Event(), statement)


def test_a_broken_statement_costs_one_error(rows: DatabaseServer) -> None:
    shared = pool_on(f"127.0.0.1:{rows.port}")
    with pytest.raises(DatabaseError, match=r"^error returned from database: 1054 \(42S22\): Unknown column"):
        shared.fetch_one(threading.Event(), "SELECT absent FROM secrets")
    assert shared.fetch_one(threading.Event(), QUERY) == (None,)


def test_times_are_utc(rows: DatabaseServer) -> None:
    (zone,) = pool_on(f"127.0.0.1:{rows.port}").fetch_one(threading.Event(), "SELECT @@time_zone")
    assert zone == "+00:00"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "error occurred while decoding column 0: unexpected null; try decoding as an `Option`"),
        (1 << 31, "error occurred while decoding column 0: out of range integral type conversion attempted"),
    ],
)
def test_what_is_no_number(value: object, message: str) -> None:
    with pytest.raises(DatabaseError) as caught:
        integer((value,), 0, 32)
    assert str(caught.value).startswith(message)


def test_null_is_no_text() -> None:
    with pytest.raises(DatabaseError, match="decoding column 1: "):
        text(("", None), 1)


def test_another_type_is_a_panic() -> None:
    # sqlx cannot name the type that it wants, where it does not know the database's kind before it runs.
    with pytest.raises(PanicError, match=r"^not implemented$") as caught:
        integer(("1",), 0, 64)
    assert caught.value.where.endswith("/sqlx-core-0.5.13/src/any/types.rs:25:1")
    with pytest.raises(PanicError, match=r"^not implemented$"):
        text((1,), 0)
