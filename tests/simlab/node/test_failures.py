"""Every failure is made by its cause in a whole lab, and must show where and as it does on a real node."""

# ruff: noqa: S608 - the statements are the tests' own

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from simlab.artifacts import firmware
from tests.simlab.node.whole_lab import (
    ENCRYPTED,
    OFFLINE_GUID,
    ONLINE_GUID,
    PLAIN,
    PODS,
    SEV_CONFIGURATION,
    until,
)

if TYPE_CHECKING:
    from tests.simlab.node.whole_lab import WholeLab

    Values = dict[str, str | int | bool]

P1 = (
    "Failed to create pod sandbox: rpc error: code = Unknown desc = "
    "failed to create containerd task: failed to create shim task: "
)
P1_NOT_FOUND = P1.replace("Unknown", "NotFound")
P2 = f'Failed to pull image "{ENCRYPTED}": rpc error: code = Internal desc = '
NO_KEY = P2 + "failed to async handle layer: failed to get decrypt key failed to retrive decrypt key!"
REFUSED = (
    'rpc error: code = Unavailable desc = connection error: desc = "transport: Error while dialing'
    ' dial tcp 127.0.0.1:44444: connect: connection refused"'
)
SECRET = "Unable to acquire launch secret from KBS: "
STOCK_KEY = "RcHGava52DPvj1uoIk/NVDYlwxi0A6yyIZ8ilhEX3X4="
WRONG_KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
WRONG_DIGEST = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="


def sandbox_error(lab: WholeLab, name: str, **values: str | int | bool) -> str:
    with lab.pod(name, ENCRYPTED, "kata-qemu-sev", config_path=lab.kata_configuration(name, **values)) as pod:
        return pod.message("FailedCreatePodSandBox")


def pull_error(lab: WholeLab, name: str, **values: str | int | bool) -> str:
    with lab.pod(name, ENCRYPTED, "kata-qemu-sev", config_path=lab.kata_configuration(name, **values)) as pod:
        return pod.message("Failed", "Failed to pull image")


def set_kbs_row(lab: WholeLab, name: str, keys: str = '["key_id1"]', **policy: str) -> None:
    """A keyset NAME with a policy of its own."""
    number = sum(name.encode()) + 1000
    digests, policies = policy.get("digests", "[]"), policy.get("policies", "[]")
    values = f"({number}, '{digests}', '{policies}', 0, 0, '[]', now(), NULL, 1)"
    lab.sql(f"REPLACE INTO policy VALUES {values}")
    lab.sql(f"REPLACE INTO keysets VALUES ({number}, '{name}', '{keys}', {number})")


@pytest.fixture(params=["online", "offline"])
def kbc(request: pytest.FixtureRequest) -> Values:
    values: Values = request.getfixturevalue(request.param)
    return values


def test_both_kbcs_decrypt(lab: WholeLab, kbc: Values, request: pytest.FixtureRequest) -> None:
    name = f"good-{request.node.callspec.id}"
    with lab.pod(name, ENCRYPTED, "kata-qemu-sev", config_path=lab.kata_configuration(name, **kbc)) as pod:
        pod.runs()
        assert "encrypted busybox is up" in pod.logs()
        session = next(part for part in lab.run(f"ps ww {pod.pid()}").split(",") if "session-file" in part)
        folder = session.removeprefix("session-file=").rpartition("/")[0]
        assert lab.run(f"test -e {folder} && echo there || echo removed") == "removed\n"


def test_guest_pulls_and_host_does_not(lab: WholeLab) -> None:
    before = lab.run("crictl image ls")
    with lab.pod("plain", PLAIN, "kata") as pod:
        pod.runs()
        assert lab.run("crictl image ls") == before
        assert "qemu-system-x86_64" in lab.run("ps aux")


def test_host_pulls_for_other_runtimes(lab: WholeLab) -> None:
    blobs = "ls /var/lib/containerd/io.containerd.content.v1.content/blobs/sha256"
    before = lab.run(blobs)
    with lab.pod("runc", PLAIN) as pod:
        pod.runs()
        assert "bitnami/nginx" in lab.run("crictl image ls")
        assert lab.run(blobs) != before
    assert lab.run("crictl rmi docker.io/bitnami/nginx:1.22.0").startswith("Deleted: docker.io/bitnami/nginx")
    assert "bitnami/nginx" not in lab.run("crictl image ls")
    assert lab.run(blobs) == before, "what no other image names goes with it"


def test_host_pulls_without_cocos_containerd(lab: WholeLab) -> None:
    drop_in = lab.layout.host / "etc/systemd/system/containerd.service.d/containerd-for-cc-override.conf"
    text = drop_in.read_text()
    drop_in.unlink()
    restart = "systemctl daemon-reload; systemctl restart containerd"
    lab.run(restart)
    try:
        with lab.pod("upstream", ENCRYPTED, "kata") as pod:
            message = pod.message("Failed", "Failed to pull image")
    finally:
        drop_in.write_text(text)
        lab.run(restart)
    assert "ctd-decoder" in message


def test_key_broker_down(lab: WholeLab, kbc: Values, request: pytest.FixtureRequest) -> None:
    kbc = kbc | {"guest_pre_attestation_proxy": "localhost:44445"}
    message = sandbox_error(lab, f"down-{request.node.callspec.id}", **kbc)
    dialled = REFUSED.replace("44444", "44445")
    assert message == f"{P1}Error receiving launch bundle from attestation proxy: {dialled}: unknown"


def test_key_broker_unreachable_from_the_guest_only(lab: WholeLab, online: Values) -> None:
    params = str(online["kernel_params"]).replace(":44444", ":44445")
    assert pull_error(lab, "unreachable", **(online | {"kernel_params": params})) == NO_KEY


def test_database_down(lab: WholeLab, kbc: Values, request: pytest.FixtureRequest) -> None:
    lab.run("docker stop simple-kbs-db-1")
    try:
        message = sandbox_error(lab, f"no-database-{request.node.callspec.id}", **kbc)
    finally:
        lab.run("docker start simple-kbs-db-1")
        lab.wait_for_database()
    # A stopped container's address is gone, which the KBS notices before the shim's 10 s are over.
    assert message.startswith(f"{P1}{SECRET}rpc error: code = Internal desc = ")
    assert "error communicating with database" in message


def test_keyset_names_a_missing_key(lab: WholeLab, offline: Values) -> None:
    set_kbs_row(lab, "KS-MISSING", keys='["no-such-key"]')
    message = sandbox_error(lab, "missing-key", **offline, guest_pre_attestation_keyset="KS-MISSING")
    cause = "no rows returned by a query that expected to return at least one row"
    assert message.startswith(f"{P1}{SECRET}rpc error: code = Internal desc = ")
    assert cause in message


def test_online_key_that_the_database_lacks(lab: WholeLab, online: Values) -> None:
    lab.sql("UPDATE secrets SET secret_id = 'elsewhere' WHERE secret_id = 'key_id1'")
    try:
        assert pull_error(lab, "no-key-online", **online) == NO_KEY
    finally:
        lab.sql("UPDATE secrets SET secret_id = 'key_id1' WHERE secret_id = 'elsewhere'")


def test_offline_bundle_without_the_key(lab: WholeLab, offline: Values) -> None:
    set_kbs_row(lab, "KS-OTHER", keys='["another-key"]')
    lab.sql(f"REPLACE INTO secrets VALUES (77, 'another-key', '{STOCK_KEY}', NULL)")
    assert pull_error(lab, "other-key", **offline, guest_pre_attestation_keyset="KS-OTHER") == NO_KEY


def test_digest_refused_offline_at_launch(lab: WholeLab, offline: Values) -> None:
    set_kbs_row(lab, "KS-DIGEST", digests=f'["{WRONG_DIGEST}"]')
    message = sandbox_error(lab, "digest-offline", **offline, guest_pre_attestation_keyset="KS-DIGEST")
    refusal = "rpc error: code = Internal desc = Policy validation failed: fw digest not valid"
    assert message == f"{P1}{SECRET}{refusal}: unknown"
    assert lab.run("ls /tmp/sev").strip(), "a failed launch leaves its session's files"


def test_digest_refused_online_at_the_pull(lab: WholeLab, online: Values) -> None:
    lab.sql(f"""REPLACE INTO policy VALUES (10, '["{WRONG_DIGEST}"]', '[]', 0, 0, '[]', now(), NULL, 1)""")
    lab.sql("UPDATE secrets SET polid = 10 WHERE secret_id = 'key_id1'")
    try:
        assert pull_error(lab, "digest-online", **online) == NO_KEY
    finally:
        lab.sql("UPDATE secrets SET polid = NULL WHERE secret_id = 'key_id1'")


def test_digest_refused_by_the_tenants_policy_at_launch(
    lab: WholeLab, kbc: Values, request: pytest.FixtureRequest
) -> None:
    """For the online KBC as well: the policy of everything is asked for the connection, too."""
    path = lab.layout.kbs / "default_policy.json"
    text = path.read_text()
    path.write_text(json.dumps(json.loads(text) | {"allowed_digests": [WRONG_DIGEST]}))
    try:
        message = sandbox_error(lab, f"tenant-{request.node.callspec.id}", **kbc)
    finally:
        path.write_text(text)
    assert "code = Internal desc = Policy validation failed: fw digest not valid" in message
    assert message.startswith(f"{P1}{SECRET}")


def test_wrong_key_is_noticed_when_the_layer_is_opened(
    lab: WholeLab, kbc: Values, request: pytest.FixtureRequest
) -> None:
    lab.sql(f"UPDATE secrets SET secret = '{WRONG_KEY}' WHERE secret_id = 'key_id1'")
    try:
        message = pull_error(lab, f"wrong-key-{request.node.callspec.id}", **kbc)
    finally:
        lab.sql(f"UPDATE secrets SET secret = '{STOCK_KEY}' WHERE secret_id = 'key_id1'")
    assert "failed to async_get_plaintext_layer: " in message


def test_certificate_chain_missing(lab: WholeLab, kbc: Values, request: pytest.FixtureRequest) -> None:
    path = "/opt/sev/gone.cert"
    message = sandbox_error(lab, f"no-chain-{request.node.callspec.id}", **kbc, sev_cert_chain=path)
    text = f"Attestation certificate chain file not found: open {path}: no such file or directory"
    # "not found" makes it NotFound on the way through the shim (errors.go, isNotFound).
    assert message == f"{P1_NOT_FOUND}{text}: not found"


def test_certificate_chain_is_garbage(lab: WholeLab, kbc: Values, request: pytest.FixtureRequest) -> None:
    lab.run("head -c 10000 /dev/urandom > /opt/sev/garbage.cert")
    chain = "/opt/sev/garbage.cert"
    message = sandbox_error(lab, f"garbage-{request.node.callspec.id}", **kbc, sev_cert_chain=chain)
    assert message.startswith(f"{P1}Error receiving launch bundle from attestation proxy: rpc error: code = ")
    assert "Cert Chain not formatted correctly" in message


def test_pre_attestation_off(lab: WholeLab, kbc: Values, request: pytest.FixtureRequest) -> None:
    message = pull_error(lab, f"unattested-{request.node.callspec.id}", **kbc, guest_pre_attestation=False)
    assert message == NO_KEY


@pytest.mark.parametrize("key", ["initrd", "kernel", "firmware"])
def test_guest_file_missing(lab: WholeLab, online: Values, key: str) -> None:
    name = f"no-{key}"
    message = sandbox_error(lab, name, **(online | {key: "/opt/gone"}))
    assert message == f"{P1_NOT_FOUND}/root/{name}.toml: file /opt/gone does not exist: not found"


def test_initrd_altered_boots_without_a_digest_policy(lab: WholeLab, online: Values) -> None:
    lab.run("cp /root/online.img /root/altered.img && printf x >> /root/altered.img")
    path = lab.kata_configuration("altered", **(online | {"initrd": "/root/altered.img"}))
    with lab.pod("altered", ENCRYPTED, "kata-qemu-sev", config_path=path) as pod:
        pod.runs()


def test_firmware_without_the_hash_table(lab: WholeLab, online: Values) -> None:
    (lab.layout.host / "root/plain-ovmf.fd").write_bytes(firmware.build("edk2", hash_table=False))
    message = sandbox_error(lab, "plain-ovmf", **online, firmware="/root/plain-ovmf.fd")
    assert message.startswith(f"{P1}failed to launch qemu: exit status 1, error messages from qemu log: ")
    assert "SEV: kernel specified but guest firmware has no hashes table GUID" in message


def test_key_broker_address_without_a_port(lab: WholeLab, online: Values) -> None:
    message = sandbox_error(lab, "no-proxy", **online, guest_pre_attestation_proxy="localhost")
    assert "missing port in address" in message


def test_runtime_class_missing(lab: WholeLab) -> None:
    spec = {"runtimeClassName": "gone", "containers": [{"name": "c", "image": PLAIN}]}
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "no-class"}, "spec": spec}
    status, answer = lab.api("POST", PODS, body)
    refusal = 'pods "no-class" is forbidden: pod rejected: RuntimeClass "gone" not found'
    assert (status, answer["message"]) == (403, refusal)


def test_handler_missing_in_containerd(lab: WholeLab) -> None:
    runtime_class = {"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "handler": "odd"}
    lab.create("/apis/node.k8s.io/v1/runtimeclasses", runtime_class | {"metadata": {"name": "odd"}})
    with lab.pod("no-handler", PLAIN, "odd") as pod:
        message = pod.message("FailedCreatePodSandBox")
    failed = "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to get sandbox runtime: "
    assert message == failed + 'no runtime for "odd" is configured'


def test_sev_off_in_kvm_amd(lab: WholeLab, online: Values) -> None:
    parameter = lab.layout.host / "sys/module/kvm_amd/parameters/sev"
    parameter.write_text("0\n")
    try:
        message = sandbox_error(lab, "sev-off", **online)
    finally:
        parameter.write_text("1\n")
    assert message == f"{P1}This system doesn't support Confidential Computing (Guest Protection): unknown"


def test_image_missing_in_the_guest(lab: WholeLab) -> None:
    with lab.pod("no-image", "bitnami/nginx:9.9.9", "kata") as pod:
        message = pod.message("Failed", "Failed to pull image")
        assert "failed to pull manifest" in message
        until(lambda: pod.waiting_reason() == "ImagePullBackOff", "ImagePullBackOff", pod.describe)
        assert pod.message("BackOff") == 'Back-off pulling image "bitnami/nginx:9.9.9"'


def test_image_missing_on_the_host(lab: WholeLab) -> None:
    with lab.pod("no-host-image", "bitnami/nginx:9.9.9") as pod:
        message = pod.message("Failed", "Failed to pull image")
    reference = "docker.io/bitnami/nginx:9.9.9"
    assert message == (
        'Failed to pull image "bitnami/nginx:9.9.9": rpc error: code = NotFound desc = failed to pull'
        f' and unpack image "{reference}": failed to resolve reference "{reference}": {reference}: not found'
    )


def test_encrypted_image_without_a_confidential_guest(lab: WholeLab) -> None:
    with lab.pod("plain-kata", ENCRYPTED, "kata") as pod:
        assert pod.message("Failed", "Failed to pull image").startswith(P2)


def test_encrypted_image_on_the_host(lab: WholeLab) -> None:
    with lab.pod("plain-runc", ENCRYPTED) as pod:
        message = pod.message("Failed", "Failed to pull image")
    assert "failed to extract layer sha256:" in message
    assert 'exec: "ctd-decoder": executable file not found in $PATH' in message


def test_guest_that_dies_fails_its_pod(lab: WholeLab, online: Values) -> None:
    path = lab.kata_configuration("dying", **online)
    with lab.pod("dying", ENCRYPTED, "kata-qemu-sev", config_path=path) as pod:
        pod.runs()
        lab.run(f"kill -KILL {pod.pid()}")
        until(lambda: pod.object()["status"]["phase"] == "Failed", "pod failed", pod.describe)
        state = pod.object()["status"]["containerStatuses"][0]["state"]["terminated"]
    assert (state["exitCode"], state["reason"]) == (255, "Error")


def test_the_guides_edits_change_what_they_should(lab: WholeLab) -> None:
    lab.run(f"cp {SEV_CONFIGURATION} /root/guide.toml")
    lab.run(f"sed -i 's/{ONLINE_GUID}/{OFFLINE_GUID}/' /root/guide.toml")
    lab.run("sed -i 's/connection/bundle/' /root/guide.toml")
    changed = lab.run(f"diff {SEV_CONFIGURATION} /root/guide.toml | grep '^>' || true").splitlines()
    assert changed == [
        '> guest_pre_attestation_secret_guid = "e6f5a162-d67f-4750-a67c-5d065f2a9910"',
        '> guest_pre_attestation_secret_type = "bundle"',
    ]
