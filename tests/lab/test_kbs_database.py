# ruff: noqa: S608, S107 - the statements and the password are the test's own
from __future__ import annotations

import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest

from lab.errors import LabError, Unreachable
from lab.kbs.database import Connection, Damage, KbsDatabase, Keyset, Policy
from lab.secret import Secret
from tests.lab.mariadb_peer import SERVER, SYSTEM_TABLES, MariaDbPeer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lab.host import Host
    from lab.labfile import LabFile
    from lab.record import MemoryRecord
    from tests.lab.ssh_peer import SshPeer

DIGEST = "zXCcJ0GZ2wTMdHVuBsLuXAm2ZOHnz4bKfZ4L0kFyUmQ="
POLICY = Policy((DIGEST, "b'\"%s"), (0, 7), 1, 2, (10,))

# simple-kbs 0.1.1, db/initial-data.sql
STOCK_KEY = "RcHGava52DPvj1uoIk/NVDYlwxi0A6yyIZ8ilhEX3X4="

needs_mariadb = pytest.mark.skipif(
    not all(path.exists() for path in (SERVER, *SYSTEM_TABLES)),
    reason="no mariadbd on this machine (package mariadb-server-core)",
)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariaDbPeer]:
    peer = MariaDbPeer(tmp_path_factory.mktemp("mariadb"))
    yield peer
    peer.stop()


@pytest.fixture
def mariadb(server: MariaDbPeer) -> MariaDbPeer:
    server.reset()
    return server


@pytest.fixture
def database_of(
    ssh_peer: SshPeer, host_of: Callable[..., Host], lab_of: Callable[..., LabFile], record: MemoryRecord
) -> Iterator[Callable[..., KbsDatabase]]:
    """Makes databases that are reached through the host."""
    made: list[KbsDatabase] = []

    def make(port: int, password: str = "kbspassword", reach: str = "ssh", **changes: str) -> KbsDatabase:
        settings = {"password": {"env": "KBS_PASSWORD"}, "port": port, "reach": reach, "host": "127.0.0.1"}
        tables = {"kbs": {"database": settings | changes}, "timeouts": {"connect": 2.0}}
        host = host_of(ssh_peer.login(), **tables)
        lab = lab_of(ssh_peer.login(), **tables)
        made.append(KbsDatabase(lab, host, "127.0.0.1", Secret(password), record=record))
        return made[-1]

    yield make
    for database in made:
        database.close()


@pytest.fixture
def database(mariadb: MariaDbPeer, database_of: Callable[..., KbsDatabase]) -> KbsDatabase:
    return database_of(mariadb.port)


@needs_mariadb
def test_the_stock_key_and_keyset_are_read(database: KbsDatabase) -> None:
    assert database.secret_exists("key_id1")
    assert not database.secret_exists("key_id2")
    assert database.policy_of_secret("key_id1") is None
    assert database.keyset("KEYSET-1") == Keyset("KEYSET-1", ("key_id1",), None)
    assert database.keyset("KEYSET-2") is None


@needs_mariadb
def test_a_key_is_measured_and_stays_where_it_is(database: KbsDatabase, mariadb: MariaDbPeer) -> None:
    assert database.secret_size("key_id1") == 32
    assert database.secret_size("key_id2") is None
    assert database.secret_is("key_id1", Secret(STOCK_KEY))
    mariadb.execute("UPDATE secrets SET secret = TO_BASE64(REPEAT('A', 32)) WHERE secret_id = 'key_id1'")
    assert database.secret_size("key_id1") == 32
    assert not database.secret_is("key_id1", Secret(STOCK_KEY))
    mariadb.execute("UPDATE secrets SET secret = 'no base64!' WHERE secret_id = 'key_id1'")
    assert database.secret_size("key_id1") is None
    assert not database.secret_is("key_id1", Secret(STOCK_KEY))


@needs_mariadb
def test_a_keyset_gets_another_list_of_keys(database: KbsDatabase) -> None:
    database.insert_keyset("KEYSET-9", ["a"], None)
    database.set_keyset_keys("KEYSET-9", ["a", "default/key/b"])
    assert database.keyset("KEYSET-9") == Keyset("KEYSET-9", ("a", "default/key/b"), None)
    database.delete_keyset("KEYSET-9")
    with pytest.raises(LabError, match="no keyset 'KEYSET-9'"):
        database.set_keyset_keys("KEYSET-9", [])


@needs_mariadb
def test_a_policy_is_read_back_as_it_was_written(database: KbsDatabase, mariadb: MariaDbPeer) -> None:
    before = database.last_policy_id()
    number = database.insert_policy(POLICY)
    assert number > before
    assert database.policy(number) == POLICY
    assert database.policy_is_valid(number)
    assert database.policy_ids(above=number - 1) == [number]
    assert database.last_policy_id() == number
    row = mariadb.execute(f"SELECT * FROM policy WHERE id = {number}")[0]
    assert row["allowed_policies"] == "[0, 7]"
    assert row["create_date"] is not None
    assert row["delete_date"] is None
    mariadb.execute(f"UPDATE policy SET valid = 0 WHERE id = {number}")
    assert not database.policy_is_valid(number)
    database.delete_policy(number)
    database.delete_policy(number)
    assert database.policy(number) is None


@needs_mariadb
@pytest.mark.parametrize("column", ["allowed_digests", "allowed_policies", "allowed_build_ids"])
@pytest.mark.parametrize("content", ["'[oops'", "NULL", "'{}'", "'[null]'"])
def test_a_malformed_policy_is_told(
    database: KbsDatabase, mariadb: MariaDbPeer, column: str, content: str
) -> None:
    number = database.insert_policy(POLICY)
    mariadb.execute(f"UPDATE policy SET {column} = {content} WHERE id = {number}")
    with pytest.raises(LabError, match=f"{column} of policy {number} holds"):
        database.policy(number)


@needs_mariadb
@pytest.mark.parametrize("damage", Damage)
def test_a_policy_is_damaged_beyond_what_the_kbs_reads(
    database: KbsDatabase, mariadb: MariaDbPeer, damage: Damage
) -> None:
    number = database.insert_policy(POLICY)
    database.set_secret_policy("key_id1", number)
    database.damage_policy(number, damage)
    assert database.policy_of_secret("key_id1") == number
    rows = mariadb.execute(f"SELECT allowed_digests, valid FROM policy WHERE id = {number}")
    left = [(row["allowed_digests"], row["valid"]) for row in rows]
    whole = f'["{DIGEST}", "b\'\\"%s"]'
    expected = {
        Damage.REVOKED: [(whole, 0)],
        Damage.DELETED: [],
        Damage.MALFORMED: [('["', 1)],
        Damage.NULL: [(None, 1)],
    }
    assert left == expected[damage]


@needs_mariadb
def test_a_key_that_the_database_made_up_is_known_to_nobody(
    database: KbsDatabase, mariadb: MariaDbPeer, record: MemoryRecord
) -> None:
    for name in ("own-1", "own-2"):
        database.make_secret(name)
    assert database.secret_size("own-1") == 32
    keys = [
        row["secret"] for row in mariadb.execute("SELECT secret FROM secrets WHERE secret_id LIKE 'own-%'")
    ]
    assert len(set(keys)) == 2
    assert not any(key in repr(record.evidences) for key in keys)
    with pytest.raises(LabError, match="Duplicate entry"):
        database.make_secret("own-1")
    database.delete_secret("own-1")
    database.delete_secret("own-1")
    assert not database.secret_exists("own-1")


@needs_mariadb
def test_secrets_and_keysets_are_held_to_policies(database: KbsDatabase, mariadb: MariaDbPeer) -> None:
    number = database.insert_policy(POLICY)
    for _ in range(2):  # the second time changes nothing, and is no error
        database.set_secret_policy("key_id1", number)
        database.set_keyset_policy("KEYSET-1", number)
    assert database.policy_of_secret("key_id1") == number
    assert database.keyset("KEYSET-1") == Keyset("KEYSET-1", ("key_id1",), number)
    database.set_secret_policy("key_id1", None)
    database.set_keyset_policy("KEYSET-1", None)
    assert mariadb.execute("SELECT polid FROM secrets UNION ALL SELECT polid FROM keysets") == [
        {"polid": None},
        {"polid": None},
    ]


@needs_mariadb
def test_what_is_not_there_cannot_be_held(database: KbsDatabase) -> None:
    with pytest.raises(LabError, match="no secret 'absent'"):
        database.set_secret_policy("absent", 1)
    with pytest.raises(LabError, match="no secret 'absent'"):
        database.policy_of_secret("absent")
    with pytest.raises(LabError, match="no keyset 'absent'"):
        database.set_keyset_policy("absent", 1)


@needs_mariadb
def test_a_keyset_of_our_own_comes_and_goes(database: KbsDatabase) -> None:
    database.insert_keyset("OURS", ["key_id1", "other"], None)
    assert database.keyset("OURS") == Keyset("OURS", ("key_id1", "other"), None)
    with pytest.raises(LabError, match=r"refused `INSERT INTO keysets .*Duplicate entry"):
        database.insert_keyset("OURS", [], None)
    database.delete_keyset("OURS")
    assert database.keyset("OURS") is None
    assert database.keyset("KEYSET-1") is not None


def _launch(mariadb: MariaDbPeer, name: str, digest: str, key: str, second: int) -> None:
    mariadb.execute(
        "INSERT INTO conn_bundle (id, policy, fw_api_major, fw_api_minor, fw_build_id, launch_description,"
        f" fw_digest, symkey, create_date) VALUES ('{name}', 3, 1, 52, 4, 'd', '{digest}', '{key}',"
        f" '2023-01-01 00:00:{second:02}')"
    )


@needs_mariadb
def test_launches_are_found_by_digest_and_their_keys_stay(
    database: KbsDatabase, mariadb: MariaDbPeer, record: MemoryRecord
) -> None:
    _launch(mariadb, "later", DIGEST, "SYMMETRIC-KEY-1", 9)
    _launch(mariadb, "earlier", DIGEST, "symmetric-key-1", 3)
    _launch(mariadb, "other", DIGEST.swapcase(), "SYMMETRIC-KEY-1", 1)
    assert database.connections(DIGEST) == [
        Connection("earlier", 3, 1, 52, 4, "d", DIGEST, "2023-01-01 00:00:03"),
        Connection("later", 3, 1, 52, 4, "d", DIGEST, "2023-01-01 00:00:09"),
    ]
    assert [each.id for each in database.connections(since_ids={"other", "later"})] == ["earlier"]
    assert database.connection_ids() == {"earlier", "later", "other"}
    assert database.distinct_symkeys(["later", "earlier"]) == 2
    assert database.distinct_symkeys(["later", "other"]) == 1
    assert database.distinct_symkeys([]) == 0
    assert database.delete_connections(DIGEST) == 2
    assert database.connection_ids() == {"other"}
    told = str(record.evidences).lower()
    assert "symmetric-key" not in told
    assert "rchgava52" not in told


@needs_mariadb
def test_a_row_that_someone_else_writes_is_seen(database: KbsDatabase, mariadb: MariaDbPeer) -> None:
    assert database.connection_ids() == set()
    _launch(mariadb, "new", DIGEST, "k", 1)
    assert database.connection_ids() == {"new"}


@needs_mariadb
def test_a_lost_session_is_made_anew(database: KbsDatabase, mariadb: MariaDbPeer, ssh_peer: SshPeer) -> None:
    assert database.secret_exists("key_id1")
    mariadb.kill_connections()
    assert database.secret_exists("key_id1")
    ssh_peer.drop_connections()
    assert database.secret_exists("key_id1")


@needs_mariadb
def test_it_can_be_reached_straight_from_the_runner(
    mariadb: MariaDbPeer, database_of: Callable[..., KbsDatabase], ssh_peer: SshPeer
) -> None:
    assert database_of(mariadb.port, reach="direct").secret_exists("key_id1")
    assert ssh_peer.logins == 0


def _refusal(database: KbsDatabase) -> str:
    with pytest.raises(Unreachable) as refused:
        database.secret_exists("key_id1")
    assert refused.value.service == "database"
    assert "\n" not in str(refused.value)
    return str(refused.value)


@needs_mariadb
def test_a_wrong_password_is_told_and_not_shown(
    mariadb: MariaDbPeer, database_of: Callable[..., KbsDatabase]
) -> None:
    message = _refusal(database_of(mariadb.port, password="wrong sesame"))
    assert f"simple_kbs at 127.0.0.1:{mariadb.port} does not let us in: Access denied" in message
    assert "sesame" not in message


@needs_mariadb
def test_a_wrong_database_is_told(mariadb: MariaDbPeer, database_of: Callable[..., KbsDatabase]) -> None:
    assert "does not let us in" in _refusal(database_of(mariadb.port, name="other_kbs"))


@needs_mariadb
def test_a_missing_table_is_told(database: KbsDatabase, mariadb: MariaDbPeer) -> None:
    mariadb.execute("RENAME TABLE conn_bundle TO hidden")
    try:
        with pytest.raises(LabError, match=r"refused `SELECT id FROM conn_bundle`: .*doesn't exist"):
            database.connection_ids()
    finally:
        mariadb.execute("RENAME TABLE hidden TO conn_bundle")


@pytest.mark.parametrize("reach", ["ssh", "direct"])
def test_a_port_where_nobody_listens_is_told(database_of: Callable[..., KbsDatabase], reach: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    assert "refused" in _refusal(database_of(port, reach=reach))


@pytest.mark.parametrize("reach", ["ssh", "direct"])
def test_a_server_that_says_nothing_costs_one_timeout(
    database_of: Callable[..., KbsDatabase], reach: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        started = time.monotonic()
        assert "does not answer as MySQL does" in _refusal(database_of(mute.getsockname()[1], reach=reach))
        assert time.monotonic() - started < 5


# Another protocol; and greetings that stop short, are no text, or hold nothing that makes sense.
@pytest.mark.parametrize(
    "greeting",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x0b\x00\x00\x00\x0a5.5.5\x00\x01\x02\x03",
        b"\x06\x00\x00\x00\x0a\xff\xfe\x80\x00\x01",
        b"\x4a\x00\x00\x00\x0a5.5.5\x00" + b"\xfb" * 66,
    ],
)
def test_a_server_that_is_no_database_is_told(
    database_of: Callable[..., KbsDatabase], greeting: bytes
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:

        def serve() -> None:
            connection, _ = other.accept()
            with connection:
                connection.sendall(greeting)

        threading.Thread(target=serve, daemon=True).start()
        assert "does not answer as MySQL does" in _refusal(database_of(other.getsockname()[1]))


@needs_mariadb
def test_secrets_of_the_suite_s_own_come_and_go_and_their_values_are_in_no_evidence(
    database: KbsDatabase, record: MemoryRecord
) -> None:
    database.insert_secrets({"own-1": Secret("b3duLTE="), "own-2": Secret("b3duLTI=")})
    assert (database.secret_size("own-1"), database.secret_size("own-2")) == (5, 5)
    database.replace_secret("own-2", Secret("YW5vdGhlcg=="))
    assert database.secret_size("own-2") == 7
    with pytest.raises(LabError, match="Duplicate entry 'own-1'"):
        database.insert_secrets({"own-1": Secret("b3duLTE=")})
    with pytest.raises(LabError, match="no secret 'own-3'"):
        database.replace_secret("own-3", Secret("b3duLTM="))
    for name in ("own-1", "own-2", "own-3"):
        database.delete_secret(name)
    assert not database.secret_exists("own-1")
    assert database.secret_exists("key_id1")
    assert not any(value in str(record.evidences) for value in ("b3duLTE=", "b3duLTI=", "YW5vdGhlcg=="))


@needs_mariadb
def test_rows_are_told_for_a_transcript(database: KbsDatabase, record: MemoryRecord) -> None:
    assert database.secret_exists("key_id1")
    database.replace_secret("key_id1", Secret("a new secret"))
    read, written = record.exchanges[-2:]
    assert (read.protocol, read.asked["parameters"]) == ("sql", ["key_id1"])
    assert read.answered == {"rows": [{"id": 10}], "matched": 1}
    assert "a new secret" not in str(written.asked)
