from __future__ import annotations

import asyncio
import contextlib
import select
import socket
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Self

import pytest
import yaml

from lab import kube_api, watching
from lab.cluster import Cluster
from lab.deadline import Deadline
from lab.errors import ApiRefused, DeadlineExceeded, HostRebooted, LabError, Unreachable
from lab.host import Host
from lab.record import MemoryRecord
from lab.secret import Redactor
from tests.lab.api_peer import TOKEN, ApiPeer, Authority, event, line, pod, refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from aiohttp import web

    from lab.labfile import LabFile
    from tests.lab.ssh_peer import SshPeer


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ApiPeer]:
    monkeypatch.setattr(watching, "PACE", 0.05)
    peer = ApiPeer(tmp_path)
    yield peer
    peer.close()


class Door:
    """A port that leads to another one, but for the first connections, which it takes and closes."""

    def __init__(self, port: int, *, refuses: int) -> None:
        self._target = port
        self._refuses = refuses
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        # Closing alone does not wake a thread that waits in accept.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            for _ in range(self._refuses):
                caller, _address = self._listener.accept()
                caller.recv(1 << 16)
                caller.close()
            caller, _address = self._listener.accept()
            with caller, socket.create_connection(("127.0.0.1", self._target)) as target:
                ends = {caller: target, target: caller}
                while True:
                    for end in select.select(list(ends), [], [])[0]:
                        data = end.recv(1 << 16)
                        if not data:
                            return
                        ends[end].sendall(data)


@pytest.fixture
def cluster_of(
    lab_of: Callable[..., LabFile], record: MemoryRecord, tmp_path: Path
) -> Iterator[Callable[..., Cluster]]:
    """Makes clusters that are reached straight, by a kubeconfig on the runner."""
    clusters: list[Cluster] = []
    known_hosts = tmp_path / "known_hosts"
    known_hosts.touch()

    def make(kubeconfig: Path) -> Cluster:
        lab = lab_of(
            {"host": "unused", "known_hosts": known_hosts},
            cluster={"local_kubeconfig": kubeconfig, "reach": "direct"},
        )
        redactor = Redactor()
        clusters.append(Cluster(lab, Host(lab, record, redactor), record, redactor))
        return clusters[-1]

    yield make
    for cluster in clusters:
        cluster.close()


@pytest.fixture
def cluster(api: ApiPeer, cluster_of: Callable[..., Cluster]) -> Cluster:
    return cluster_of(api.write_kubeconfig())


def _running(current: dict[str, Any] | None, _: list[dict[str, Any]]) -> str | None:
    return current["metadata"]["uid"] if current and current["status"]["phase"] == "Running" else None


# For what must happen: as long as a real run waits. It ends as soon as it has happened.
PATIENCE = 60


def _wait(cluster: Cluster, deadline: Deadline | None = None) -> str:
    limit = deadline or Deadline(PATIENCE)
    return cluster.wait("Pod", "p", "default", _running, "pod p to run", limit)


@dataclass(frozen=True)
class UntilSeen(Deadline):
    """One that expires as soon as a wait has seen something."""

    record: MemoryRecord = field(default_factory=MemoryRecord)

    @property
    def remaining(self) -> float:
        seen = any(wait.last_seen.startswith("Pending") for wait in self.record.waits)
        return 0.0 if seen else super().remaining


def test_objects_are_plain_and_what_is_not_there_is_none(cluster: Cluster, api: ApiPeer) -> None:
    api.pods = [pod("p", "1", 5)]
    assert cluster.get("Pod", "p", "default") == pod("p", "1", 5)
    assert cluster.get("Pod", "q", "default") is None
    assert cluster.list("Pod", "default") == [pod("p", "1", 5)]
    assert cluster.list("RuntimeClass") == []
    assert cluster.get("RuntimeClass", "kata") is None
    assert cluster.server_version() == "v1.24.17"


def test_what_a_verdict_rests_on_is_kept(cluster: Cluster, api: ApiPeer, record: MemoryRecord) -> None:
    api.pods = [pod("p", "1", 5)]
    cluster.get("Pod", "p", "default")
    cluster.list("Pod", "default")
    assert record.evidences == []
    cluster.get("Pod", "p", "default", as_evidence=True)
    cluster.list("Pod", "default", as_evidence=True)
    cluster.get("Pod", "q", "default", as_evidence=True)
    assert record.evidences == [
        ("get Pod p", api.pods[0]),
        ("list Pod", api.pods),
        ("get Pod q", "there is none"),
    ]


def test_a_kind_that_nobody_knows_is_a_mistake_of_ours(cluster: Cluster) -> None:
    with pytest.raises(LabError, match="the API version of the kind 'Pot' is not known"):
        cluster.get("Pot", "p", "default")


def test_selectors_are_sent(cluster: Cluster, api: ApiPeer) -> None:
    cluster.list("Pod", "default", label_selector="a=b,c", field_selector="metadata.name=p")
    assert api.requests[-1].endswith("labelSelector=a%3Db%2Cc&fieldSelector=metadata.name%3Dp")


def test_a_refusal_carries_the_api_s_own_words(cluster: Cluster, record: MemoryRecord) -> None:
    with pytest.raises(ApiRefused) as refused:
        cluster.get("Pod", "forbidden", "default")
    assert (refused.value.status, refused.value.reason) == (403, "Forbidden")
    manifest = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "refused", "namespace": "default"},
    }
    with pytest.raises(ApiRefused, match='pod rejected: RuntimeClass "x"'):
        cluster.create(manifest)
    assert ("create Pod refused", manifest) in record.evidences


def test_only_the_object_with_the_uid_is_deleted(cluster: Cluster, api: ApiPeer) -> None:
    api.pods = [pod("p", "someone else's", 5), pod("q", "ours", 6)]
    cluster.delete("Pod", "p", "default", "ours", PATIENCE)
    assert [each["metadata"]["name"] for each in api.pods] == ["p", "q"]


def test_a_deleted_object_is_waited_for(cluster: Cluster, api: ApiPeer) -> None:
    api.pods = [pod("p", "ours", 5)]
    cluster.delete("Pod", "p", "default", "ours", PATIENCE)
    assert api.pods == []


def test_a_log_is_safe_to_print(cluster: Cluster) -> None:
    assert cluster.pod_log("default", "p") == "line\\x1b[2J\\xff\n"


def test_events_come_in_the_order_in_which_they_happened(cluster: Cluster, api: ApiPeer) -> None:
    api.events = [event("e2", "1", 9, "B", "b", 7), event("e1", "1", 10, "A", "a", 3)]
    assert [each["reason"] for each in cluster.events("default", "1")] == ["A", "B"]
    assert "fieldSelector=involvedObject.uid%3D1" in api.requests[-1]


def test_a_wait_ends_with_the_change_that_settles_it(
    cluster: Cluster, api: ApiPeer, record: MemoryRecord
) -> None:
    async def start(response: web.StreamResponse) -> None:
        await response.write(line("ADDED", pod("p", "1", 101)))
        whole = line("MODIFIED", pod("p", "1", 102, "Running"))
        await response.write(whole[:20])
        # The events are listed by a thread of their own.
        while not any("Pulling image" in wait.last_seen for wait in record.waits):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        await response.write(whole[20:])
        await asyncio.sleep(30)

    api.watches = [start]
    api.events = [event("e", "1", 7, "Pulling", "Pulling image")]
    assert _wait(cluster) == "1"
    assert "Pending; Pulling: Pulling image" in [wait.last_seen for wait in record.waits]


def test_a_watch_that_is_closed_goes_on_from_where_it_was(cluster: Cluster, api: ApiPeer) -> None:
    async def first(response: web.StreamResponse) -> None:
        await response.write(line("ADDED", pod("p", "1", 101)))
        await response.write(line("BOOKMARK", {"metadata": {"resourceVersion": "150"}}))

    async def second(response: web.StreamResponse) -> None:
        await response.write(line("MODIFIED", pod("p", "1", 151, "Running")))
        await asyncio.sleep(30)

    api.watches = [first, second]
    assert _wait(cluster) == "1"
    watches = [each for each in api.requests if "watch=true" in each and "/pods" in each]
    assert "resourceVersion=100&" in watches[0]
    assert "resourceVersion=150&" in watches[1]
    assert api.lists_of_pods() == 1


def test_a_version_that_is_too_old_is_listed_again(cluster: Cluster, api: ApiPeer) -> None:
    async def too_old(response: web.StreamResponse) -> None:
        api.pods = [pod("p", "1", 200, "Running")]
        await response.write(line("ERROR", {"kind": "Status", "code": 410, "reason": "Expired"}))
        await asyncio.sleep(30)

    api.watches = [too_old]
    assert _wait(cluster) == "1"
    assert api.lists_of_pods() == 2


def test_a_deletion_that_a_closed_watch_hid_is_seen_by_listing(cluster: Cluster, api: ApiPeer) -> None:
    api.pods = [pod("p", "1", 5)]

    async def garbage(response: web.StreamResponse) -> None:
        api.pods = []
        await response.write(b"this is no event\n")
        await asyncio.sleep(30)

    api.watches = [garbage]
    limit = Deadline(PATIENCE)
    gone = cluster.wait(
        "Pod", "p", "default", lambda now, _: True if now is None else None, "p to be gone", limit
    )
    assert gone


def test_a_silent_connection_is_noticed(
    cluster: Cluster, api: ApiPeer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "SILENCE", 0.3)

    async def silent(_: web.StreamResponse) -> None:
        api.pods = [pod("p", "1", 200, "Running")]
        await asyncio.sleep(30)

    api.watches = [silent]
    assert _wait(cluster) == "1"


def test_a_server_that_is_unwell_may_recover(cluster: Cluster, api: ApiPeer, record: MemoryRecord) -> None:
    api.pods = [pod("p", "1", 5, "Running")]
    api.lists = [lambda: refusal(500, "InternalError", "etcd leader changed")]
    assert _wait(cluster) == "1"
    assert any("etcd leader changed" in wait.last_seen for wait in record.waits)


def test_a_server_that_restarts_is_found_again(cluster: Cluster, api: ApiPeer) -> None:
    async def restart(_: web.StreamResponse) -> None:
        threading.Thread(target=api.restart, daemon=True).start()
        api.pods = [pod("p", "1", 200, "Running")]
        await asyncio.sleep(30)

    api.watches = [restart]
    assert _wait(cluster) == "1"


def test_a_refused_watch_ends_the_wait(cluster: Cluster, api: ApiPeer) -> None:
    api.lists = [lambda: refusal(403, "Forbidden", "no watching")]
    with pytest.raises(ApiRefused, match="no watching"):
        _wait(cluster)


def test_a_deadline_names_what_was_seen_last(cluster: Cluster, api: ApiPeer, record: MemoryRecord) -> None:
    api.pods = [pod("p", "1", 5)]
    api.events = [event("e", "1", 7, "Failed", "a\x1b\n  long story"), event("f", "other", 8, "X", "x", 9)]
    with pytest.raises(DeadlineExceeded) as late:
        _wait(cluster, UntilSeen(PATIENCE, record=record))
    assert str(late.value).startswith("waited 60 s for pod p to run; last seen: Pending; Failed: a")


def test_an_api_that_is_gone_at_the_end_is_told(cluster: Cluster, api: ApiPeer) -> None:
    api.pods = [pod("p", "1", 5)]

    async def stop(_: web.StreamResponse) -> None:
        threading.Thread(target=api.stop, daemon=True).start()
        await asyncio.sleep(30)

    api.watches = [stop]
    with pytest.raises(Unreachable, match=r"does not answer: .*while waiting for pod p to run"):
        _wait(cluster, Deadline(1.5))


def test_a_wait_leaves_no_thread(cluster: Cluster, api: ApiPeer) -> None:
    # A server that an earlier test ended may keep a thread of that test waiting for an answer.
    others = set(threading.enumerate())
    api.pods = [pod("p", "1", 5, "Running")]
    for _ in range(3):
        _wait(cluster)
    deadline = Deadline(PATIENCE)
    while any(each.name.startswith("watch ") for each in set(threading.enumerate()) - others):
        assert not deadline.expired, threading.enumerate()
        threading.Event().wait(0.02)


def _refused(cluster: Cluster) -> str:
    with pytest.raises(Unreachable) as refused:
        cluster.server_version()
    assert refused.value.service == "cluster"
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_a_login_that_is_not_accepted_is_told(api: ApiPeer, cluster_of: Callable[..., Cluster]) -> None:
    message = _refused(cluster_of(api.write_kubeconfig(user={"token": "another"})))
    assert "does not accept the kubeconfig's login" in message
    assert "another" not in message


def test_another_authority_is_refused(
    api: ApiPeer, cluster_of: Callable[..., Cluster], tmp_path: Path
) -> None:
    other = str(Authority(tmp_path / "other").certificate)
    message = _refused(cluster_of(api.write_kubeconfig(cluster={"certificate-authority": other})))
    assert "TLS fails: " in message
    assert "CERTIFICATE_VERIFY_FAILED" in message


def test_a_handshake_that_breaks_is_tried_once_more(
    api: ApiPeer, cluster_of: Callable[..., Cluster], record: MemoryRecord
) -> None:
    with Door(api.port, refuses=1) as door:
        cluster = cluster_of(api.write_kubeconfig(cluster={"server": f"https://127.0.0.1:{door.port}"}))
        assert cluster.server_version() == "v1.24.17"
        cluster.close()
    assert [name for name, _ in record.evidences] == ["GET /version sent again", "GET /version"]
    with Door(api.port, refuses=2) as door:
        cluster = cluster_of(api.write_kubeconfig(cluster={"server": f"https://127.0.0.1:{door.port}"}))
        assert "cluster: " in _refused(cluster)


def test_an_api_that_listens_nowhere_is_told(api: ApiPeer, cluster_of: Callable[..., Cluster]) -> None:
    cluster = cluster_of(api.write_kubeconfig())
    api.stop()
    assert "refused" in _refused(cluster)


def test_an_api_that_says_nothing_is_told(
    api: ApiPeer, cluster_of: Callable[..., Cluster], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kube_api, "TIMEOUT", (0.5, 0.5))
    with socket.create_server(("127.0.0.1", 0)) as mute:
        server = f"https://127.0.0.1:{mute.getsockname()[1]}"
        started = time.monotonic()
        assert "timed out" in _refused(cluster_of(api.write_kubeconfig(cluster={"server": server})))
        assert time.monotonic() - started < 3


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"user": {"exec": {"command": "touch"}}}, "logs in by 'exec'"),
        ({"cluster": {"server": "http://x:1"}}, "'http://x:1', which is not https"),
        ({"current-context": "none"}, "has no complete current context"),
        ({"contexts": None}, "has no complete current context"),
        ({"cluster": {"certificate-authority-data": "%%"}}, "certificate-authority-data is not base64"),
    ],
)
def test_a_kubeconfig_that_does_not_do_is_told(
    api: ApiPeer, cluster_of: Callable[..., Cluster], changes: dict[str, Any], said: str
) -> None:
    assert said in _refused(cluster_of(api.write_kubeconfig(**changes)))


def test_the_kubeconfig_and_the_way_can_be_the_host_s(
    tmp_path: Path,
    ssh_peer: SshPeer,
    host_of: Callable[..., Host],
    lab_of: Callable[..., LabFile],
    record: MemoryRecord,
) -> None:
    """The server's certificate names the address in the kubeconfig, not the local end of the forward."""
    (tmp_path / "api").mkdir()
    api = ApiPeer(tmp_path / "api", name="localhost")
    kubeconfig = tmp_path / "admin.conf"
    server = f"https://localhost:{api.port}"
    kubeconfig.write_text(yaml.safe_dump(api.kubeconfig(cluster={"server": server})))
    lab = lab_of(ssh_peer.login(), cluster={"kubeconfig": str(kubeconfig)})
    redactor = Redactor()
    host = Host(lab, record, redactor)
    cluster = Cluster(lab, host, record, redactor)
    try:
        assert cluster.server_version() == "v1.24.17"
        assert redactor(TOKEN) != TOKEN
        assert str(record.evidences).count(TOKEN) == 0
        ssh_peer.drop_connections()
        assert cluster.server_version() == "v1.24.17"
        api.stop()
        assert "the host cannot reach localhost:" in _refused(cluster)
        kubeconfig.unlink()
        cluster.close()
        assert "no kubeconfig: " in _refused(cluster)
    finally:
        cluster.close()
        host.close()
        api.close()


def test_a_wait_over_a_host_that_reboots_unasked_tells_that(
    tmp_path: Path, ssh_peer: SshPeer, lab_of: Callable[..., LabFile], record: MemoryRecord
) -> None:
    (tmp_path / "api").mkdir()
    api = ApiPeer(tmp_path / "api", name="localhost")
    kubeconfig = tmp_path / "admin.conf"
    kubeconfig.write_text(yaml.safe_dump(api.kubeconfig(cluster={"server": f"https://localhost:{api.port}"})))
    redactor = Redactor()
    lab = lab_of(ssh_peer.login(), cluster={"kubeconfig": str(kubeconfig)})
    host = Host(lab, record, redactor)
    cluster = Cluster(lab, host, record, redactor)
    told: list[str] = []
    host.when_rebooted(lambda: told.append("rebooted"))
    api.pods = [pod("p", "1", 5)]

    def settled(current: dict[str, Any] | None, _: object) -> None:
        if current and not told:
            ssh_peer.boot_id = "66666666-7777-8888-9999-000000000000"
            ssh_peer.drop_connections()

    try:
        with pytest.raises(HostRebooted, match="rebooted by itself"):
            cluster.wait("Pod", "p", "default", settled, "pod p to run", Deadline(PATIENCE))
        assert told == ["rebooted"]
        assert host.run("echo heard once").stdout == "heard once\n"
    finally:
        cluster.close()
        host.close()
        api.close()


def test_a_host_that_is_lost_under_the_api_is_what_is_told(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(*_: object, **__: object) -> None:
        raise Unreachable("cluster", "the Kubernetes API does not answer: host: gone")

    monkeypatch.setattr(cluster, "_connected", lambda: SimpleNamespace(json=ask))
    with pytest.raises(Unreachable) as lost:
        cluster.get("Pod", "p", "default")
    assert lost.value.service == "cluster"
    monkeypatch.setattr(cluster, "_forward", SimpleNamespace(failure=Unreachable("host", "gone"), close=bool))
    with pytest.raises(Unreachable) as lost:
        cluster.get("Pod", "p", "default")
    assert (lost.value.service, lost.value.cause) == (
        "host",
        "the Kubernetes API does not answer: host: gone",
    )


def test_credentials_never_touch_the_runner_s_disk(
    api: ApiPeer, cluster_of: Callable[..., Cluster], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    pki = {"client-certificate": str(api.authority.certificate), "client-key": str(api.authority.key)}
    cluster = cluster_of(api.write_kubeconfig(user=pki))
    cluster.server_version()
    assert not list(scratch.iterdir())
    opened = len(list(Path("/proc/self/fd").iterdir()))
    cluster.close()
    assert len(list(Path("/proc/self/fd").iterdir())) <= opened - 3


def test_requests_and_watches_are_told_for_a_transcript(
    cluster: Cluster, api: ApiPeer, record: MemoryRecord
) -> None:
    async def start(response: web.StreamResponse) -> None:
        await response.write(line("ADDED", pod("p", "1", 101, "Running")))
        await asyncio.sleep(30)

    api.watches = [start]
    _wait(cluster)
    asked = [each.asked for each in record.exchanges if each.protocol == "kubernetes"]
    assert {"method": "GET", "path": "/api/v1", "query": {}} in asked
    watched = [each for each in record.exchanges if each.protocol == "watch"]
    assert watched[0].asked["path"] == "/api/v1/namespaces/default/pods"
    assert watched[0].answered["body"]["status"]["phase"] == "Running"
