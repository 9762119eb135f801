"""A database that is down, wrong or late, and a KBS that cannot start."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import grpc
import pymysql
import pytest

from simlab import database
from tests.simlab.kbs.world import CONNECTION, KEYSET, PATIENCE, environment, free_port, refused

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.simlab.kbs.world import DatabaseServer, Kbs, Launcher


@pytest.fixture
def stopped(rows: DatabaseServer) -> Iterator[DatabaseServer]:
    """The database, stopped; it runs again afterwards."""
    rows.stop()
    yield rows
    rows.stop()
    rows.start()


def prepared(launcher: Launcher, secret: object = CONNECTION) -> object:
    launcher.get_bundle()
    return launcher.secret_request(launcher.measure(), secret)  # type: ignore[arg-type]


@pytest.mark.parametrize("secret", [CONNECTION, KEYSET], ids=["online", "offline"])
def test_the_clients_deadline_comes_first(
    launcher: Launcher, stopped: DatabaseServer, secret: object
) -> None:
    del stopped
    request = prepared(launcher, secret)
    with pytest.raises(grpc.RpcError) as caught:
        launcher.kbs.stub.GetSecret(request, timeout=0.5)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


def test_bundles_need_no_database(launcher: Launcher, stopped: DatabaseServer) -> None:
    del stopped
    assert launcher.get_bundle().LaunchId


def test_a_database_that_comes_back_in_time(launcher: Launcher, stopped: DatabaseServer) -> None:
    request = prepared(launcher)
    answer = launcher.kbs.stub.GetSecret.future(request, timeout=PATIENCE)
    stopped.start()
    assert launcher.inject(answer.result())
    assert stopped.execute("SELECT COUNT(*) FROM conn_bundle") == ((1,),)


def test_who_has_gone_is_not_written_down(launcher: Launcher, stopped: DatabaseServer) -> None:
    request = prepared(launcher)
    with pytest.raises(grpc.RpcError):
        launcher.kbs.stub.GetSecret(request, timeout=0.2)
    stopped.start()
    launcher.inject(launcher.get_secret(CONNECTION))
    assert stopped.execute("SELECT COUNT(*) FROM conn_bundle") == ((1,),)


def test_connections_that_broke_are_replaced(launcher: Launcher, rows: DatabaseServer) -> None:
    assert launcher.get_secret(KEYSET)
    rows.stop()
    rows.start()
    assert launcher.get_secret(KEYSET)


def test_a_table_that_is_gone(launcher: Launcher, rows: DatabaseServer) -> None:
    rows.execute("RENAME TABLE keysets TO elsewhere")
    try:
        with refused(
            "Cannot fulfill secret request: error returned from database: 1146 (42S02): "
            "Table 'simple_kbs.keysets' doesn't exist"
        ):
            launcher.get_secret(KEYSET)
    finally:
        rows.execute("RENAME TABLE elsewhere TO keysets")


def test_many_at_once(launcher: Launcher, kbs: Kbs) -> None:
    requests = [prepared(launcher) for _ in range(12)]
    answers = [kbs.stub.GetSecret.future(request, timeout=PATIENCE) for request in requests]
    assert all(answer.result().LaunchSecretData for answer in answers)


# Starting


def start_kbs(
    folder: Path, changes: dict[str, str | None], *arguments: str
) -> subprocess.CompletedProcess[str]:
    values = {**environment(free_port()), **changes}
    return subprocess.run(
        [sys.executable, "-m", "simlab.kbs", *arguments],
        cwd=folder,
        env={name: value for name, value in values.items() if value is not None},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )


def errors_of(done: subprocess.CompletedProcess[str]) -> list[str]:
    assert done.returncode == 1
    return [line for line in done.stderr.splitlines() if " INFO " not in line]


@pytest.mark.parametrize("name", ["KBS_DB_TYPE", "KBS_DB_HOST", "KBS_DB_USER", "KBS_DB_PW", "KBS_DB"])
def test_a_setting_that_is_missing(tmp_path: Path, name: str) -> None:
    done = start_kbs(tmp_path, {name: None})
    assert errors_of(done) == [
        f"Error: KbsDb::new() - env var {name} parse error = environment variable not found"
    ]


def test_a_database_that_does_not_let_it_in(tmp_path: Path, rows: DatabaseServer) -> None:
    done = start_kbs(tmp_path, {"KBS_DB_HOST": f"127.0.0.1:{rows.port}", "KBS_DB_PW": "not this one"})
    (line,) = errors_of(done)
    assert line.startswith(
        "Error: db::get_db_pool:: Encountered error trying to create database pool: "
        "error returned from database: 1045 (28000): Access denied for user 'kbsuser'@"
    )
    assert "not this one" not in done.stderr


def test_a_port_that_is_taken(tmp_path: Path, kbs: Kbs, rows: DatabaseServer) -> None:
    done = start_kbs(tmp_path, {"KBS_DB_HOST": f"127.0.0.1:{rows.port}"}, f"--grpc_sock=127.0.0.1:{kbs.port}")
    # gRPC's core has a line of its own before.
    assert errors_of(done)[-1] == "Error: transport error"


def test_no_logging_without_rust_log(tmp_path: Path) -> None:
    assert (
        start_kbs(tmp_path, {"KBS_DB": None}).stderr.count(" INFO  simple_kbs] Starting gRPC Server\n") == 1
    )
    assert "INFO" not in start_kbs(tmp_path, {"KBS_DB": None, "RUST_LOG": None}).stderr


def test_it_waits_for_its_database(tmp_path: Path, stopped: DatabaseServer) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "simlab.kbs", f"--grpc_sock=127.0.0.1:{free_port()}"],
        cwd=tmp_path,
        env=environment(stopped.port),
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        assert "Starting gRPC Server" in process.stderr.readline()
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.5)
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE)


# The database itself


def test_rows_survive_a_restart(rows: DatabaseServer) -> None:
    rows.execute("INSERT INTO secrets (secret_id, secret) VALUES ('kept', 'AAAA')")
    rows.stop()
    rows.start()
    assert rows.execute("SELECT secret FROM secrets WHERE secret_id = 'kept'") == (("AAAA",),)


def test_rows_survive_a_kill(rows: DatabaseServer) -> None:
    rows.execute("INSERT INTO secrets (secret_id, secret) VALUES ('kept', 'AAAA')")
    rows.kill()
    rows.start()
    assert rows.execute("SELECT secret FROM secrets WHERE secret_id = 'kept'") == (("AAAA",),)


def test_who_may_log_in(rows: DatabaseServer) -> None:
    for user, password in (("", ""), ("root", ""), ("kbsuser", ""), ("nobody", "kbspassword")):
        with pytest.raises(pymysql.err.OperationalError):
            pymysql.connect(host="127.0.0.1", port=rows.port, user=user, password=password, ssl_disabled=True)
    with pytest.raises(pymysql.err.OperationalError, match="denied"):
        rows.execute("SELECT * FROM mysql.global_priv")
    with closing(
        pymysql.connect(host="127.0.0.1", port=rows.port, user="root", password="unused", ssl_disabled=True)
    ):
        pass


def test_the_first_ids_are_those_of_the_dump(rows: DatabaseServer) -> None:
    tables = {name for (name,) in rows.execute("SHOW TABLES")}
    assert tables == {"conn_bundle", "keysets", "policy", "report_keypair", "resources", "secrets"}
    with pytest.raises(pymysql.err.IntegrityError):
        rows.execute("INSERT INTO secrets (secret_id) VALUES ('key_id1')")


def test_an_unfinished_folder_is_made_anew(tmp_path: Path, rows: DatabaseServer) -> None:
    del rows
    draft = tmp_path / "data.new"
    draft.mkdir()
    (draft / "ibdata1").write_bytes(b"half")
    database.initialise(tmp_path / "data")
    assert (tmp_path / "data" / "simple_kbs").is_dir()
    assert not draft.exists()


def test_the_temporary_tables_of_another_server_survive_its_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    table = tmp_path / "#sql-temptable-1-1-1.MAI"
    table.touch()
    database.initialise(tmp_path / "data")
    assert table.exists()


def test_a_machine_without_mariadb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    with pytest.raises(database.DatabaseError, match=r"^mariadbd is not installed .*mariadb-server-core"):
        database.initialise(tmp_path / "data")
