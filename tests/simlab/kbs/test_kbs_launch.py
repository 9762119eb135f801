"""Whole launches: platform, KBS and database, over their own protocols."""

from __future__ import annotations

import base64
import json
import uuid
from typing import TYPE_CHECKING

import grpc
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from simlab.kbs.keybroker_pb2 import OnlineSecretResponse, RequestDetails
from simlab.psp import platform
from simlab.psp.client import Sev, SevError
from tests.simlab.kbs.world import CONNECTION, KEY, KEYSET, entries, refused

if TYPE_CHECKING:
    from tests.simlab.kbs.world import DatabaseServer, Host, Kbs, Launcher

STOCK_KEY = "RcHGava52DPvj1uoIk/NVDYlwxi0A6yyIZ8ilhEX3X4="


def connect(launcher: Launcher) -> tuple[str, bytes]:
    """Launch with the online KBC's request; returns client id and symmetric key as the guest gets them."""
    table = launcher.inject(launcher.get_secret(CONNECTION))
    content = json.loads(entries(table)[CONNECTION.Guid])
    assert list(content) == ["client_id", "key"]
    return content["client_id"], base64.b64decode(content["key"])


def opened(answer: OnlineSecretResponse, key: bytes) -> dict[str, bytes]:
    """Decrypt an online answer, and read its bincode as the guest's KBC does."""
    plain = AESGCM(key).decrypt(base64.b64decode(answer.IV), base64.b64decode(answer.Payload), None)
    found = {}
    position = 8
    for _ in range(int.from_bytes(plain[:8], "little")):
        parts = []
        for _ in range(2):
            size = int.from_bytes(plain[position : position + 8], "little")
            parts.append(plain[position + 8 : position + 8 + size])
            position += 8 + size
        found[parts[0].decode()] = parts[1]
    assert position == len(plain)
    return found


def test_bundle_reaches_the_guest(launcher: Launcher, kbs: Kbs) -> None:
    table = launcher.inject(launcher.get_secret(KEYSET))
    assert entries(table)[KEYSET.Guid] == f'{{"key_id1":"{STOCK_KEY}"}}'.encode()
    line = [line for line in kbs.log.splitlines() if "simple_kbs::grpc]" in line][-1]
    assert (
        " INFO  simple_kbs::grpc] Policy validated succesfully. Connection: Connection { policy: 0, " in line
    )
    assert f'fw_digest: "{launcher.digest}" }}' in line


def test_connection_is_remembered_as_launched(launcher: Launcher, rows: DatabaseServer) -> None:
    client_id, key = connect(launcher)
    ((policy, major, minor, build, digest, symkey, stamped),) = rows.execute(
        "SELECT policy, fw_api_major, fw_api_minor, fw_build_id, fw_digest, symkey, create_date IS NOT NULL"
        " FROM conn_bundle WHERE id = %s",
        client_id,
    )
    assert (policy, major, minor, build, digest, stamped) == (0, 1, 42, 42, launcher.digest, 1)
    assert base64.b64decode(symkey) == key
    assert len(key) == 32


def test_online_key(launcher: Launcher) -> None:
    client_id, key = connect(launcher)
    assert opened(launcher.online(client_id), key) == {KEY.Guid: base64.b64decode(STOCK_KEY)}


def test_each_connection_has_a_key_of_its_own(launcher: Launcher) -> None:
    assert connect(launcher)[1] != connect(launcher)[1]


def test_key_as_json_and_several_secrets_at_once(launcher: Launcher) -> None:
    client_id, key = connect(launcher)
    other = RequestDetails(Guid="anything at all", Format="json", SecretType="key", Id="key_id1")
    found = opened(launcher.online(client_id, KEY, other), key)
    assert found["anything at all"] == f'{{"id":"key_id1","payload":"{STOCK_KEY}"}}'.encode()
    assert set(found) == {KEY.Guid, "anything at all"}


def test_several_secrets_in_one_table(launcher: Launcher) -> None:
    key = RequestDetails(Guid=str(uuid.uuid4()), Format="binary", SecretType="key", Id="key_id1")
    table = launcher.inject(launcher.get_secret(KEYSET, key, CONNECTION))
    assert set(entries(table)) == {KEYSET.Guid, key.Guid, CONNECTION.Guid}
    assert entries(table)[key.Guid] == base64.b64decode(STOCK_KEY)


def test_no_secret_at_all_is_an_empty_table(launcher: Launcher) -> None:
    launcher.get_bundle()
    request = launcher.secret_request(launcher.measure())
    del request.SecretRequests[:]
    assert entries(launcher.inject(launcher.kbs.stub.GetSecret(request))) == {}


def test_report(launcher: Launcher, rows: DatabaseServer) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    der = key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    rows.execute(
        "INSERT INTO report_keypair (key_id, keypair) VALUES ('r', %s)", base64.b64encode(der).decode()
    )
    request = RequestDetails(Guid=str(uuid.uuid4()), SecretType="report", Id="r")
    report = json.loads(entries(launcher.inject(launcher.get_secret(request)))[request.Guid])
    assert json.loads(report["connection"])["fw_digest"] == launcher.digest
    key.public_key().verify(
        base64.b64decode(report["signature"]), report["connection"].encode(), ec.ECDSA(hashes.SHA256())
    )


def test_resource(launcher: Launcher, kbs: Kbs, rows: DatabaseServer) -> None:
    (kbs.folder / "resources").mkdir(exist_ok=True)
    (kbs.folder / "resources" / "auth.json").write_bytes(b"{}")
    rows.execute("INSERT INTO resources (resource_type, resource_path) VALUES ('Credential', 'auth.json')")
    client_id, key = connect(launcher)
    binary = RequestDetails(Guid="b", Format="binary", SecretType="resource", Id="Credential")
    in_json = RequestDetails(Guid="j", Format="json", SecretType="resource", Id="Credential")
    found = opened(launcher.online(client_id, binary, in_json), key)
    assert found["b"] == b"{}"
    content = base64.b64encode(b"{}")
    length = [len(item).to_bytes(8, "little") for item in (b"Credential", content)]
    assert found["j"] == (1).to_bytes(8, "little") + length[0] + b"Credential" + length[1] + content


def test_missing_resource_file(launcher: Launcher, rows: DatabaseServer) -> None:
    rows.execute("INSERT INTO resources (resource_type, resource_path) VALUES ('Credential', 'absent')")
    client_id, _ = connect(launcher)
    request = RequestDetails(Guid="b", Format="binary", SecretType="resource", Id="Credential")
    with refused("Cannot fulfill secret request: No such file or directory (os error 2)"):
        launcher.online(client_id, request)


# What a launch refuses by arithmetic.


def test_a_digest_that_was_not_launched(launcher: Launcher) -> None:
    with refused("Measurement Verification Failed: Measurement Invalid: invalid input parameter"):
        launcher.get_secret(FwDigest=base64.b64encode(bytes(32)).decode())


@pytest.mark.parametrize("field", ["ApiMajor", "ApiMinor", "BuildId"])
def test_a_firmware_version_that_is_not_the_platforms(launcher: Launcher, field: str) -> None:
    with refused("Measurement Verification Failed: Measurement Invalid: invalid input parameter"):
        launcher.get_secret(**{field: 7})


def test_a_measurement_with_another_launchs_key(launcher: Launcher) -> None:
    launcher.get_bundle()
    measurement = launcher.measure()
    launcher.get_bundle()
    with refused("Measurement Verification Failed: Measurement Invalid: invalid input parameter"):
        launcher.kbs.stub.GetSecret(launcher.secret_request(measurement))


def test_one_launch_one_secret(launcher: Launcher) -> None:
    launcher.get_secret()
    launch_id = launcher.bundle.LaunchId
    with refused(f"Launch ID not found. UUID: {launch_id}"):
        launcher.kbs.stub.GetSecret(launcher.secret_request(bytes(48)))


def test_a_wrong_measurement_spends_the_launch(launcher: Launcher) -> None:
    launcher.get_bundle()
    measurement = launcher.measure()
    with refused("Measurement Verification Failed: Measurement Invalid: invalid input parameter"):
        launcher.kbs.stub.GetSecret(launcher.secret_request(bytes(48)))
    with refused(f"Launch ID not found. UUID: {launcher.bundle.LaunchId}"):
        launcher.kbs.stub.GetSecret(launcher.secret_request(measurement))


def test_a_restart_forgets_launches(launcher: Launcher, kbs: Kbs) -> None:
    launcher.get_bundle()
    measurement = launcher.measure()
    kbs.restart()
    with refused(f"Launch ID not found. UUID: {launcher.bundle.LaunchId}"):
        kbs.stub.GetSecret(launcher.secret_request(measurement))


def test_a_restart_remembers_connections(launcher: Launcher, kbs: Kbs) -> None:
    client_id, key = connect(launcher)
    kbs.restart()
    assert KEY.Guid in opened(launcher.online(client_id), key)


def test_a_secret_cannot_be_injected_elsewhere(launcher: Launcher, host: Host) -> None:
    answer = launcher.get_secret()
    with Sev(host.psp_socket) as other_sev:
        other = type(launcher)(launcher.kbs, host, other_sev)
        other.get_bundle()
        other.measure()
        with pytest.raises(SevError, match="BAD_MEASUREMENT"):
            other.inject(answer)


def test_a_policy_with_a_least_version_never_starts(launcher: Launcher) -> None:
    # 1.21 as the specification writes it; the crate under 0.1.1 authenticates other bytes (simlab.sev.owner).
    launcher.policy = 0x1501_0001
    launcher.get_bundle()
    with pytest.raises(SevError, match="BAD_MEASUREMENT"):
        launcher.measure()


@pytest.mark.parametrize("policy", [0x1, 0x3, 0x5, 0x2F])
def test_policies_of_flags_start(launcher: Launcher, policy: int) -> None:
    launcher.policy = policy
    assert entries(launcher.inject(launcher.get_secret()))


# What reaches the client, in 0.1.1's words.


@pytest.mark.parametrize(
    ("chain", "reason"),
    [
        (b"abc", "failed to fill whole buffer"),
        (b"garbage", "invalid data"),
        (b"\x02" + bytes(5000), "invalid data"),
        (b"\x01" + bytes(5000), "invalid input parameter"),
    ],
)
def test_a_chain_that_is_none(kbs: Kbs, chain: bytes, reason: str) -> None:
    with refused(f"Failed to generate launch bundle: Cert Chain not formatted correctly: {reason}"):
        kbs.bundle(chain)


def test_a_chain_without_its_root(kbs: Kbs, host: Host) -> None:
    with refused(
        "Failed to generate launch bundle: Cert Chain not formatted correctly: failed to fill whole buffer"
    ):
        kbs.bundle(host.chain[:-832])


def test_a_chain_cut_in_its_asks_signature(kbs: Kbs, host: Host) -> None:
    with refused(
        "Failed to generate launch bundle: Cert Chain not formatted correctly: failed to fill whole buffer"
    ):
        kbs.bundle(host.chain[: -832 - 100])


def test_a_chain_that_is_not_base64(kbs: Kbs) -> None:
    with refused("Failed to generate launch bundle: Invalid byte 33, offset 2."):
        kbs.bundle_text("ab!d")


def test_a_chain_of_somebody_elses_making_is_welcome(
    kbs: Kbs, tmp_path_factory: pytest.TempPathFactory
) -> None:
    chip = platform.create(tmp_path_factory.mktemp("stranger"))
    folder = chip.folder
    chain = chip.chain.encode()[: 3 * 2084] + (folder / "cek.cert").read_bytes()
    assert kbs.bundle(chain + (folder / "ask_ark.cert").read_bytes()).LaunchId


@pytest.mark.parametrize(
    ("launch_id", "reason"),
    [
        ("", "invalid length: expected length 32 for simple format, found 0"),
        ("1-2", "invalid group count: expected 5, found 2"),
        (
            "zz",
            (
                "invalid character: expected an optional prefix of `urn:uuid:` followed by [0-9a-zA-Z], "
                "found `z` at 1"
            ),
        ),
        ("0" * 8 + "-0000-0000-0000-0", "invalid group length in group 4: expected 12, found 1"),
        ("0" * 7 + "-0000-0000-0000-0", "invalid group length in group 0: expected 8, found 7"),
    ],
)
def test_a_malformed_id(launcher: Launcher, launch_id: str, reason: str) -> None:
    with refused(f"Malformed Launch ID: {reason}"):
        launcher.kbs.stub.GetSecret(launcher.secret_request(bytes(48), LaunchId=launch_id))
    with refused(f"Malformed Client ID: {reason}"):
        launcher.online(launch_id)


def test_an_unknown_launch(launcher: Launcher) -> None:
    launch_id = str(uuid.uuid4())
    with refused(f"Launch ID not found. UUID: {launch_id}"):
        launcher.kbs.stub.GetSecret(
            launcher.secret_request(bytes(48), LaunchId=f"urn:uuid:{launch_id.upper()}")
        )


def test_an_unknown_client(launcher: Launcher) -> None:
    with refused(
        "Connection not found: no rows returned by a query that expected to return at least one row"
    ):
        launcher.online(str(uuid.uuid4()))


def test_an_unknown_type(launcher: Launcher) -> None:
    odd = RequestDetails(Guid=str(uuid.uuid4()), SecretType="Bundle", Id="KEYSET-1")
    with refused("Bad secret request: Unknown Secret Type"):
        launcher.get_secret(odd)


def test_an_unknown_format(launcher: Launcher) -> None:
    odd = RequestDetails(Guid=str(uuid.uuid4()), Format="JSON", SecretType="key", Id="key_id1")
    with refused("Cannot fulfill secret request: Unknown format type"):
        launcher.get_secret(odd)


@pytest.mark.parametrize(
    "statement",
    ["DELETE FROM secrets WHERE secret_id = 'key_id1'", "DELETE FROM keysets WHERE keysetid = 'KEYSET-1'"],
)
def test_a_missing_row_at_launch(launcher: Launcher, rows: DatabaseServer, statement: str) -> None:
    rows.execute(statement)
    with refused(
        "Cannot fulfill secret request: no rows returned by a query that expected to return at least one row"
    ):
        launcher.get_secret(KEYSET)


def test_a_missing_key_at_run_time(launcher: Launcher, rows: DatabaseServer) -> None:
    client_id, _ = connect(launcher)
    rows.execute("DELETE FROM secrets")
    with refused(
        "Cannot fulfill secret request: no rows returned by a query that expected to return at least one row"
    ):
        launcher.online(client_id)


def test_a_policy_that_its_column_cannot_hold(launcher: Launcher) -> None:
    # conn_bundle.policy is a signed 32-bit column; the request's policy is not what the platform measures.
    with refused(
        "Cannot fulfill secret request: error returned from database: 1264 (22003): "
        "Out of range value for column 'policy' at row 1"
    ):
        launcher.get_secret(CONNECTION, Policy=1 << 31)


@pytest.mark.parametrize(
    ("measurement", "reason"),
    [("AAB", "Invalid last symbol 66, offset 2."), ("A", "Encoded text cannot have a 6-bit remainder.")],
)
def test_a_measurement_that_is_not_base64(launcher: Launcher, measurement: str, reason: str) -> None:
    launcher.get_bundle()
    with refused(f"Measurement Verification Failed: {reason}"):
        launcher.kbs.stub.GetSecret(launcher.secret_request(b"", LaunchMeasurement=measurement))


# Panics: the stream is reset, and the server goes on.


def panics(kbs: Kbs, call: object, where: str, message: str) -> None:
    """Expect the panic of a line of simple-kbs' (or of a library's, by its end), in Rust's words."""
    assert callable(call)
    before = len(kbs.panics)
    with pytest.raises(grpc.RpcError) as caught:
        call()
    assert caught.value.code() is grpc.StatusCode.CANCELLED
    (found,) = kbs.panics[before:]
    assert found[0].endswith(where)
    assert found[1] == message
    assert kbs.process.poll() is None


UNWRAPPED = "called `Result::unwrap()` on an `Err` value: "


@pytest.mark.parametrize(
    ("position", "reason"),
    [
        pytest.param(0x420, "invalid input parameter", id="the PDH's"),
        pytest.param(4 * 2084 + 64 + 3 * 256 - 1, "entity not found", id="the ASK's"),
        pytest.param(4 * 2084 + 20, "invalid input parameter", id="the ASK's, by its issuer's id"),
    ],
)
def test_a_well_formed_chain_with_a_wrong_signature(
    launcher: Launcher, kbs: Kbs, host: Host, position: int, reason: str
) -> None:
    chain = bytearray(host.chain)
    chain[position] ^= 1
    text = f"{UNWRAPPED}Failed to verify cert chain: {reason}"
    panics(kbs, lambda: kbs.bundle(bytes(chain)), "src/sev_tools.rs:26:10", text)
    launcher.get_secret()


def test_a_chain_cut_in_its_roots_signature(kbs: Kbs, host: Host) -> None:
    text = f"{UNWRAPPED}Failed to verify cert chain: entity not found"
    panics(kbs, lambda: kbs.bundle(host.chain[:-1]), "src/sev_tools.rs:26:10", text)


def test_a_measurement_that_is_too_short(launcher: Launcher, kbs: Kbs) -> None:
    launcher.get_bundle()
    text = f'{UNWRAPPED}Error {{ kind: UnexpectedEof, message: "failed to fill whole buffer" }}'
    request = launcher.secret_request(bytes(47))
    panics(kbs, lambda: kbs.stub.GetSecret(request), "src/sev_tools.rs:53:79", text)


@pytest.mark.parametrize(
    ("guid", "reason"),
    [
        ("no guid", "Error(Char { character: 'n', index: 1 })"),
        ("", "Error(SimpleLength { len: 0 })"),
        ("1-2", "Error(GroupCount { count: 2 })"),
        ("0" * 8 + "-0000-0000-0000-0", "Error(GroupLength { group: 4, len: 1, index: 25 })"),
    ],
)
def test_a_guid_that_is_none_panics_after_the_connection_was_written(
    launcher: Launcher, kbs: Kbs, rows: DatabaseServer, guid: str, reason: str
) -> None:
    odd = RequestDetails(Guid=guid, SecretType="connection", Id="x")
    panics(kbs, lambda: launcher.get_secret(odd), "src/request.rs:76:66", UNWRAPPED + reason)
    assert rows.execute("SELECT COUNT(*) FROM conn_bundle") == ((1,),)


@pytest.mark.parametrize(
    ("secret", "reason"),
    [
        ("not base64!", "InvalidByte(3, 32)"),
        ("AAAAA", "InvalidLength"),
        ("AAB", "InvalidLastSymbol(2, 66)"),
    ],
)
def test_a_key_that_is_not_base64(
    launcher: Launcher, kbs: Kbs, rows: DatabaseServer, secret: str, reason: str
) -> None:
    client_id, _ = connect(launcher)
    rows.execute("UPDATE secrets SET secret = %s", secret)
    panics(kbs, lambda: launcher.online(client_id), "src/request.rs:166:39", UNWRAPPED + reason)
    assert launcher.inject(launcher.get_secret(KEYSET))


def test_a_symmetric_key_of_another_length(launcher: Launcher, kbs: Kbs, rows: DatabaseServer) -> None:
    client_id, _ = connect(launcher)
    rows.execute("UPDATE conn_bundle SET symkey = 'AAAA'")
    text = "assertion `left == right` failed\n  left: 3\n right: 32"
    panics(kbs, lambda: launcher.online(client_id), "/generic-array-0.14.6/src/lib.rs:565:9", text)


@pytest.mark.parametrize(
    ("policy", "reason"),
    [
        (
            None,
            (
                "Default tenant configuration expected at default_policy.json."
                " Error: No such file or directory (os error 2)"
            ),
        ),
        ("{", "EOF while parsing an object at line 1 column 1"),
        ("{}", "missing field `allowed_digests` at line 1 column 2"),
        ('{"allowed_digests": 1}', "invalid type: integer `1`, expected a sequence at line 1 column 21"),
    ],
)
def test_a_tenant_without_a_policy(launcher: Launcher, kbs: Kbs, policy: str | None, reason: str) -> None:
    path = kbs.folder / "default_policy.json"
    if policy is None:
        path.unlink()
    else:
        path.write_text(policy)
    panics(kbs, launcher.get_secret, "src/request.rs:63:66", UNWRAPPED + reason)
