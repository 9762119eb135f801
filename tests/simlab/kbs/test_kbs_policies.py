"""Policies: each field refuses with its own reason, and what cannot be read guards nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from simlab.kbs.connection import Connection
from simlab.kbs.keybroker_pb2 import RequestDetails
from simlab.kbs.policy import Policy, PolicyViolationError
from simlab.kbs.serde import JsonError, number_list, string_list
from tests.simlab.kbs.world import CONNECTION, KEY, KEYSET, STOCK_POLICY, entries, refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simlab.kbs.world import DatabaseServer, Kbs, Launcher

# The platform is 1.42 build 42, and guests are launched with policy 0.
REFUSALS: list[tuple[dict[str, Any], str]] = [
    ({"allowed_digests": ["x"]}, "fw digest not valid"),
    ({"allowed_policies": [1, 3]}, "policy not valid"),
    ({"min_fw_api_major": 2}, "fw api major not valid"),
    ({"min_fw_api_major": 1, "min_fw_api_minor": 43}, "fw api minor not valid"),
    ({"allowed_build_ids": [5, 7]}, "build id not valid"),
    ({"allowed_build_ids": [5], "min_fw_api_major": 2, "allowed_policies": [1], "allowed_digests": ["x"]},
     "fw digest not valid"),
    ({"allowed_build_ids": [5], "min_fw_api_major": 2, "allowed_policies": [1]}, "policy not valid"),
    ({"allowed_build_ids": [5], "min_fw_api_major": 2}, "fw api major not valid"),
    ({"min_fw_api_major": -1}, "fw api major not valid"),  # as u32, it is the largest of all
]  # fmt: skip
ALLOWANCES: list[dict[str, Any]] = [
    {},
    {"allowed_policies": [7, 0]},
    {"min_fw_api_major": 1, "min_fw_api_minor": 42},
    {"min_fw_api_major": 0, "min_fw_api_minor": 99},  # a newer major makes up for an older minor
    {"allowed_build_ids": [42]},
]


def guard(rows: DatabaseServer, table: str, **fields: Any) -> None:
    """Put a policy on every row of a table."""
    names = ("allowed_digests", "allowed_policies", "allowed_build_ids")
    lists = {name: json.dumps(fields.get(name, [])) for name in names}
    rows.execute(
        "INSERT INTO policy VALUES (20, %s, %s, %s, %s, %s, NOW(), NULL, 1)",
        lists["allowed_digests"],
        lists["allowed_policies"],
        fields.get("min_fw_api_major", 0),
        fields.get("min_fw_api_minor", 0),
        lists["allowed_build_ids"],
    )
    rows.execute(f"UPDATE {table} SET polid = 20")  # noqa: S608


def client_of(launcher: Launcher) -> str:
    table = launcher.inject(launcher.get_secret(CONNECTION))
    return str(json.loads(entries(table)[CONNECTION.Guid])["client_id"])


@pytest.mark.parametrize(("fields", "reason"), REFUSALS)
def test_a_secrets_policy_refuses(
    launcher: Launcher, rows: DatabaseServer, fields: dict[str, Any], reason: str
) -> None:
    client_id = client_of(launcher)
    guard(rows, "secrets", **fields)
    with refused(f"Policy validation failed: {reason}"):
        launcher.get_secret(KEYSET)
    with refused(f"Policy validation failed: {reason}"):
        launcher.online(client_id)
    # A connection is held to the tenant's policy alone.
    assert client_of(launcher)


@pytest.mark.parametrize("fields", ALLOWANCES)
def test_a_secrets_policy_allows(launcher: Launcher, rows: DatabaseServer, fields: dict[str, Any]) -> None:
    guard(rows, "secrets", **fields)
    assert launcher.get_secret(KEYSET)
    assert launcher.online(client_of(launcher))


def test_the_digest_that_was_launched(launcher: Launcher, rows: DatabaseServer) -> None:
    guard(rows, "secrets", allowed_digests=["other", launcher.digest])
    assert launcher.get_secret(KEYSET)
    launcher.firmware = launcher.firmware.replace(b"kernel", b"kernal")
    with refused("Policy validation failed: fw digest not valid"):
        launcher.get_secret(KEYSET)


def test_online_secrets_are_held_to_the_launch_that_was(launcher: Launcher, rows: DatabaseServer) -> None:
    client_id = client_of(launcher)
    guard(rows, "secrets", allowed_digests=[launcher.digest])
    assert launcher.online(client_id)
    rows.execute("UPDATE conn_bundle SET fw_digest = 'another'")
    with refused("Policy validation failed: fw digest not valid"):
        launcher.online(client_id)


def test_a_keysets_own_policy(launcher: Launcher, rows: DatabaseServer) -> None:
    guard(rows, "keysets", allowed_build_ids=[1])
    with refused("Policy validation failed: build id not valid"):
        launcher.get_secret(KEYSET)
    assert launcher.online(client_of(launcher))


def test_the_tenants_policy_guards_everything_and_comes_first(
    launcher: Launcher, kbs: Kbs, rows: DatabaseServer
) -> None:
    client_id = client_of(launcher)
    tenants = {**json.loads(STOCK_POLICY), "allowed_build_ids": [1]}
    (kbs.folder / "default_policy.json").write_text(json.dumps(tenants))
    guard(rows, "secrets", allowed_digests=["x"])
    calls: list[Callable[[], object]] = [
        lambda: launcher.get_secret(KEYSET),
        lambda: launcher.get_secret(CONNECTION),
        lambda: launcher.online(client_id),
    ]
    for call in calls:
        with refused("Policy validation failed: build id not valid"):
            call()


def test_a_refusal_comes_before_the_launch_is_looked_up(
    launcher: Launcher, rows: DatabaseServer, kbs: Kbs
) -> None:
    guard(rows, "secrets", allowed_digests=["x"])
    with refused("Policy validation failed: fw digest not valid"):
        launcher.get_secret(KEYSET)
    rows.execute("UPDATE secrets SET polid = NULL")
    # The launch was not spent.
    request = launcher.secret_request(launcher.measure())
    assert kbs.stub.GetSecret(request)


def test_no_refusals_text_is_logged(launcher: Launcher, rows: DatabaseServer, kbs: Kbs) -> None:
    guard(rows, "secrets", allowed_digests=["x"])
    with refused("Policy validation failed: fw digest not valid"):
        launcher.get_secret(KEYSET)
    assert "not valid" not in kbs.log
    assert "kbspassword" not in kbs.log


@pytest.mark.parametrize("kind", ["report", "resource"])
def test_policies_of_reports_and_resources(launcher: Launcher, rows: DatabaseServer, kind: str) -> None:
    client_id = client_of(launcher)
    rows.execute("INSERT INTO report_keypair (key_id, keypair) VALUES ('x', '')")
    rows.execute("INSERT INTO resources (resource_type, resource_path) VALUES ('x', '/absent')")
    guard(rows, {"report": "report_keypair", "resource": "resources"}[kind], allowed_build_ids=[1])
    with refused("Policy validation failed: build id not valid"):
        launcher.online(client_id, RequestDetails(Guid="g", SecretType=kind, Id="x", Format="binary"))


FAIL_OPEN = [
    "DELETE FROM policy",
    "UPDATE policy SET valid = 0",
    "UPDATE policy SET valid = NULL",
    "UPDATE policy SET valid = 2",
    "UPDATE policy SET allowed_digests = '[\"x\"'",
    "UPDATE policy SET allowed_digests = 'x'",
    "UPDATE policy SET allowed_digests = '[1]'",
    "UPDATE policy SET allowed_digests = ''",
    "UPDATE policy SET allowed_digests = NULL",
    "UPDATE policy SET allowed_policies = '[\"0\"]'",
    "UPDATE policy SET allowed_policies = '[-1]'",
    "UPDATE policy SET allowed_policies = '[4294967296]'",
    "UPDATE policy SET allowed_policies = NULL",
    "UPDATE policy SET allowed_build_ids = '[1.0]'",
    "UPDATE policy SET allowed_build_ids = '[true]'",
    "UPDATE policy SET min_fw_api_major = NULL",
    "UPDATE policy SET min_fw_api_minor = NULL",
    "UPDATE secrets SET polid = 21",
    "UPDATE secrets SET polid = NULL",
]


@pytest.mark.parametrize("statement", FAIL_OPEN)
def test_what_cannot_be_read_guards_nothing(
    launcher: Launcher, rows: DatabaseServer, kbs: Kbs, statement: str
) -> None:
    guard(rows, "secrets", allowed_digests=["x"])
    client_id = client_of(launcher)
    with refused("Policy validation failed: fw digest not valid"):
        launcher.online(client_id)
    seen = len(kbs.log)
    rows.execute(statement)
    assert launcher.online(client_id)
    assert launcher.get_secret(KEYSET)
    expected = (
        "INFO  simple_kbs::request] SecretKey::request::policies - there is no policy for key_id1"
        if "NULL" in statement and "polid" in statement
        else "ERROR simple_kbs::request] Error getting policy for secret with id key_id1. Details: "
    )
    assert expected in kbs.log[seen:]


@pytest.mark.parametrize("statement", FAIL_OPEN)
def test_a_keyset_fails_open_too(launcher: Launcher, rows: DatabaseServer, statement: str) -> None:
    guard(rows, "keysets", allowed_digests=["x"])
    with refused("Policy validation failed: fw digest not valid"):
        launcher.get_secret(KEYSET)
    rows.execute(statement.replace("UPDATE secrets", "UPDATE keysets"))
    assert launcher.get_secret(KEYSET)


def test_a_keyset_of_malformed_json_has_no_keys(launcher: Launcher, rows: DatabaseServer) -> None:
    rows.execute("UPDATE keysets SET kskeys = '[\"key_id1\"'")
    with pytest.raises(Exception, match="Cannot fulfill secret request: "):
        launcher.get_secret(KEYSET)


def test_numbers_of_another_width_still_count(launcher: Launcher, rows: DatabaseServer) -> None:
    # sqlx reads any signed integer column as i64: the schema's INT, or a BIGINT.
    client_id = client_of(launcher)
    guard(rows, "secrets", allowed_digests=["x"])
    rows.execute("ALTER TABLE secrets MODIFY polid BIGINT")
    try:
        with refused("Policy validation failed: fw digest not valid"):
            launcher.online(client_id)
        rows.execute("ALTER TABLE secrets MODIFY polid VARCHAR(20)")
        # A number that is text is worse than none: sqlx panics where it should name the type that it wants.
        with pytest.raises(grpc.RpcError) as caught:
            launcher.online(client_id)
        assert caught.value.code() is grpc.StatusCode.CANCELLED
        where, message = launcher.kbs.panics[-1]
        assert where.endswith("/sqlx-core-0.5.13/src/any/types.rs:25:1")
        assert message == "not implemented"
    finally:
        rows.execute("ALTER TABLE secrets MODIFY polid INT(11)")


CONNECTED = Connection(0, 1, 42, 42, "", "digest")


@pytest.mark.parametrize(("fields", "reason"), REFUSALS[:-1])
def test_reasons(fields: dict[str, Any], reason: str) -> None:
    policy = Policy(**{**json.loads(STOCK_POLICY), **fields})
    with pytest.raises(PolicyViolationError, match=f"^{reason}$"):
        policy.verify(CONNECTED)


@pytest.mark.parametrize(
    "text", ["", "[", "{}", "null", '["a",]', "['a']", '["\\ud800"]', '["\n"]', "[NaN]", "[" * 9999]
)
def test_strings_that_serde_refuses(text: str) -> None:
    with pytest.raises(JsonError):
        string_list(text)


@pytest.mark.parametrize("text", ["[-0]", "[1e2]", "[01]", "[null]", "[Infinity]"])
def test_numbers_that_serde_refuses(text: str) -> None:
    with pytest.raises(JsonError):
        number_list(text)


def test_lists_that_serde_takes() -> None:
    assert string_list(' [ "a" , "\\u0041" ] \n') == ["a", "A"]
    assert number_list("[0, 4294967295]") == [0, 4294967295]


def test_the_key_is_looked_up_as_the_column_compares(launcher: Launcher) -> None:
    other_case = RequestDetails(Guid=KEY.Guid, Format="json", SecretType="key", Id="KEY_ID1")
    assert launcher.online(client_of(launcher), other_case)
