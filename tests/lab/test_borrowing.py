"""Borrowing on a host that is a dictionary of files, a cluster of pods and a database of rows."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from lab.borrowing import Borrowing
from lab.errors import LabError, MalformedRow, NotPermitted, NotProven, Unreachable
from lab.giving_back import RUN_LABEL, GivingBack
from lab.journal import STATE, ClosedJournal, Journal
from lab.kbs.rows import Damage, Policy
from lab.labfile import Permissions
from lab.policy_fields import policy as policy_on
from lab.record import MemoryRecord
from lab.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Mapping

TOML = "/opt/configuration.toml"
POLICY = Policy(("digest",), (), 0, 0, ())


@dataclass
class Listing:
    lines: list[str]
    stdout: str = ""
    succeeded: bool = True


@dataclass
class FilesHost:
    files: dict[str, bytes] = field(default_factory=dict)
    # In containerd's store: a name of each id; and the ids that containers run.
    images: dict[str, str] = field(default_factory=dict)
    used: list[str] = field(default_factory=list)

    def run(self, command: str, *args: str, **_: Any) -> Listing:
        if "crictl" in command:
            if command.endswith("rmi %s"):
                del self.images[args[0]]
            found = {
                "images": [{"id": each, "repoTags": [name]} for each, name in self.images.items()],
                "containers": [{"imageRef": each, "image": {"image": each}} for each in self.used],
            }
            return Listing([], json.dumps(found))
        if command.startswith("find"):
            return Listing(sorted((p for p in self.files if p.startswith(args[0])), reverse=True))
        if command.startswith("cp"):
            self.files[args[3]] = self.files[args[0]]
            return Listing([])
        raise AssertionError(command)

    def remove_torn(self, path: str) -> None:
        folder, name = path.rsplit("/", 1)
        self.files = {
            each: data
            for each, data in self.files.items()
            if not (each.startswith(f"{folder}/.{name}.") and each.endswith(".new"))
        }

    def make_directory(self, path: str, mode: int = 0o755) -> None: ...

    def read_file(self, path: str) -> bytes:
        return self.files[path]

    def write_file(self, path: str, data: bytes, mode: int = 0o644) -> None:
        self.files[path] = data

    def remove_file(self, path: str) -> None:
        self.files.pop(path, None)

    def exists(self, path: str) -> bool:
        return path in self.files

    def sha256(self, path: str) -> str:
        return hashlib.sha256(self.files[path]).hexdigest()


@dataclass
class PodsCluster:
    pods: dict[str, dict[str, Any]] = field(default_factory=dict)

    def create(self, manifest: dict[str, Any]) -> dict[str, Any]:
        manifest["metadata"]["uid"] = "u"
        self.pods[manifest["metadata"]["name"]] = manifest
        return manifest

    def get(self, kind: str, name: str, namespace: str) -> dict[str, Any] | None:
        return self.pods.get(name)

    def delete(self, kind: str, name: str, namespace: str, uid: str, deadline: float) -> None:
        del self.pods[name]


@dataclass
class RowsDatabase:
    key_policy: int | None = None
    broken: bool = False
    killed: bool = False
    connections: list[str] = field(default_factory=list)
    secrets: set[str] = field(default_factory=set)
    # None is a row that nobody can read.
    policies: dict[int, Policy | None] = field(default_factory=dict)

    def make_secret(self, secret_id: str) -> None:
        self.secrets.add(secret_id)

    def delete_secret(self, secret_id: str) -> None:
        self.secrets.discard(secret_id)

    def damage_policy(self, number: int, damage: Damage) -> None:
        self.policies[number] = None

    def delete_connections(self, digest: str) -> int:
        if self.broken:
            raise LabError("the database is gone")
        self.connections = [recorded for recorded in self.connections if recorded != digest]
        return 0

    def policy_of_secret(self, secret_id: str) -> int | None:
        return self.key_policy

    def set_secret_policy(self, secret_id: str, policy: int | None) -> None:
        if self.broken:
            raise LabError("the database is gone")
        self.key_policy = policy

    def insert_secrets(self, values: Mapping[str, Secret]) -> None:
        self.secrets |= set(values)

    def last_policy_id(self) -> int:
        return max(self.policies, default=0)

    def policy_ids(self, above: int) -> list[int]:
        return [number for number in self.policies if number > above]

    def insert_policy(self, policy: Policy) -> int:
        number = self.last_policy_id() + 1
        self.policies[number] = policy
        if self.killed:
            raise KeyboardInterrupt
        return number

    def policy(self, number: int) -> Policy | None:
        if number in self.policies and self.policies[number] is None:
            raise MalformedRow(f"policy {number} is malformed")
        return self.policies.get(number)

    def delete_policy(self, number: int) -> None:
        del self.policies[number]


@dataclass
class Measured:
    digest: str


class EveryPodMeasured:
    def of(self, namespace: str, name: str, uid: str) -> Measured:
        return Measured(f"digest of {name}")


@dataclass
class Pushed:
    images: set[tuple[str, str]] = field(default_factory=set)

    def delete(self, repository: str, digest: str) -> str:
        self.images.discard((repository, digest))
        return "deleted"


@dataclass
class Bench:
    host: FilesHost = field(default_factory=FilesHost)
    cluster: PodsCluster = field(default_factory=PodsCluster)
    database: RowsDatabase = field(default_factory=RowsDatabase)
    guest_registry: Pushed = field(default_factory=Pushed)
    record: MemoryRecord = field(default_factory=MemoryRecord)

    def borrowing(self, run: str, kind: type[Journal] = Journal, **permissions: bool) -> Borrowing:
        journal = kind(self.host, run)  # type: ignore[arg-type]
        giving_back = GivingBack(
            host=self.host,  # type: ignore[arg-type]
            cluster=self.cluster,  # type: ignore[arg-type]
            database=lambda: self.database,  # type: ignore[arg-type, return-value]
            launches=EveryPodMeasured(),  # type: ignore[arg-type]
            guest_registry=self.guest_registry,  # type: ignore[arg-type]
            journal=journal,
            pod_seconds=120,
        )
        return Borrowing(
            host=self.host,  # type: ignore[arg-type]
            cluster=self.cluster,  # type: ignore[arg-type]
            database=lambda: self.database,  # type: ignore[arg-type, return-value]
            permissions=Permissions(**permissions),
            giving_back=giving_back,
            journal=journal,
            record=self.record,
        )


@pytest.fixture
def bench() -> Bench:
    return Bench(host=FilesHost({TOML: b"stock"}))


POD = {"metadata": {"namespace": "default", "name": "p"}}


def borrow_everything(bench: Bench, run: str) -> Borrowing:
    borrowing = bench.borrowing(run, node_configuration=True, kbs_policies=True)
    borrowing.node_file(TOML, b"edited")
    borrowing.new_file("/own/configuration.toml", b"own")
    borrowing.pod({"metadata": dict(POD["metadata"])})
    borrowing.policy_on_secret("key_id1", 11)
    borrowing.policy_on_secret("key_id1", 12)
    return borrowing


def test_everything_is_back_and_the_journal_is_empty(bench: Bench) -> None:
    borrowing = borrow_everything(bench, "run-1")
    assert bench.host.files[TOML] == b"edited"
    assert bench.database.key_policy == 12
    borrowing.give_back()
    assert bench.host.files == {TOML: b"stock"}
    assert bench.cluster.pods == {}
    assert bench.database.key_policy is None


def test_the_ledger_tells_what_was_there_before_and_how_it_is_known_to_be_back(bench: Bench) -> None:
    borrow_everything(bench, "run-1").give_back()
    told = [(each.name, each.before, each.after, each.verified_by) for each in bench.record.operations]
    assert told == [
        ("borrow policy of the key key_id1", "held to policy 11", "as found", "reading the row again"),
        ("borrow policy of the key key_id1", "held to no policy", "as found", "reading the row again"),
        ("borrow pod p", "there was none", "deleted", "watching the API until it was gone"),
        (
            "borrow file /own/configuration.toml", "there was none", "removed",
            "its removal, which ended without an error",
        ),
        (
            f"borrow file {TOML}", f"SHA-256 {hashlib.sha256(b'stock').hexdigest()}", "as found",
            "comparing its checksum",
        ),
    ]  # fmt: skip
    assert not any(each.changed or each.failed for each in bench.record.operations)


def test_a_later_run_gives_back_what_a_killed_one_borrowed(bench: Bench) -> None:
    borrow_everything(bench, "run-1")
    assert bench.borrowing("run-2").restore() == 5
    assert bench.host.files == {TOML: b"stock"}
    assert bench.cluster.pods == {}
    assert bench.database.key_policy is None


def test_what_cannot_be_given_back_stays_in_the_journal_and_hinders_nothing_else(bench: Bench) -> None:
    borrowing = borrow_everything(bench, "run-1")
    bench.database.broken = True
    with pytest.raises(LabError, match=r"secret-policy key_id1: the database is gone"):
        borrowing.give_back()
    assert bench.host.files[TOML] == b"stock"
    failed = [each for each in bench.record.operations if each.failed]
    assert [each.failed for each in failed] == ["the database is gone"] * 3
    assert failed[0].undone_by.startswith(f"the next run, or ./run --restore: {STATE}/journal/run-1-")
    bench.database.broken = False
    assert bench.borrowing("run-2").restore() == 3  # two policies, and the pod's rows
    assert bench.database.key_policy is None


def test_what_a_lost_host_keeps_from_being_given_back_is_charged_to_the_host(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    borrowing = borrow_everything(bench, "run-1")

    def lost(_: str) -> bool:
        raise Unreachable("host", "Connection refused")

    monkeypatch.setattr(bench.host, "exists", lost)
    with pytest.raises(
        Unreachable, match=r"^host: Connection refused; not given back, .*: file /opt"
    ) as error:
        borrowing.give_back()
    assert error.value.service == "host"


def test_a_policy_that_was_written_in_the_moment_of_death_goes_and_those_of_others_stay(bench: Bench) -> None:
    bench.database.killed = True
    with pytest.raises(KeyboardInterrupt):
        bench.borrowing("run-1", kbs_policies=True).policy(policy_on(allowed_build_ids=(7,)))
    bench.database.policies[2] = policy_on(allowed_build_ids=(8,))
    assert bench.borrowing("run-2").restore() == 1
    assert bench.database.policies == {2: policy_on(allowed_build_ids=(8,))}


def test_secrets_of_a_killed_run_go_and_their_values_were_in_no_journal(bench: Bench) -> None:
    own = {"own-1": Secret("the value"), "own-2": Secret("another")}
    bench.database.secrets = {"another's"}
    bench.borrowing("run-1", kbs_policies=True).secrets(own)
    assert not any(b"the value" in data for data in bench.host.files.values())
    assert bench.borrowing("run-2").restore() == 1
    assert bench.database.secrets == {"another's"}


def test_an_image_of_a_killed_run_is_deleted(bench: Bench) -> None:
    bench.borrowing("run-1").image("registry.example/own", "sha256:1")
    bench.guest_registry.images = {("registry.example/own", "sha256:1"), ("registry.example/own", "sha256:2")}
    assert bench.borrowing("run-2").restore() == 1
    assert bench.guest_registry.images == {("registry.example/own", "sha256:2")}


def test_an_image_that_came_to_the_host_is_removed_and_those_of_others_stay(bench: Bench) -> None:
    bench.host.images = {"sha256:old": "docker.io/bitnami/nginx:1.21"}
    bench.borrowing("run-1").host_image("docker.io/bitnami/nginx:1.22.0")
    bench.host.images |= {"sha256:new": "mirror.example/bitnami/nginx:1.22.0", "sha256:2": "docker.io/shop:1"}
    assert bench.borrowing("run-2").restore() == 1
    assert sorted(bench.host.images) == ["sha256:2", "sha256:old"]
    assert bench.record.operations[-1].after == "removed sha256:new"


def test_an_image_that_came_to_the_host_stays_where_a_container_runs_it(bench: Bench) -> None:
    bench.borrowing("run-1").host_image("docker.io/bitnami/nginx:1.22.0")
    bench.host.images = {"sha256:new": "docker.io/bitnami/nginx:1.22.0"}
    bench.host.used = ["sha256:new"]
    assert bench.borrowing("run-2").restore() == 1
    assert list(bench.host.images) == ["sha256:new"]
    assert bench.record.operations[-1].after == "as found"


def test_a_file_that_is_neither_as_found_nor_backed_up_is_told(bench: Bench) -> None:
    borrowing = bench.borrowing("run-1", node_configuration=True)
    borrowing.node_file(TOML, b"edited")
    backup = next(path for path in bench.host.files if "/backup/" in path)
    bench.host.files[backup] = b"torn"
    with pytest.raises(LabError, match=f"{TOML} on the host is not what it was"):
        borrowing.give_back()


def test_a_pod_of_somebody_else_under_the_same_name_is_left_alone(bench: Bench) -> None:
    borrowing = bench.borrowing("run-1")
    borrowing.pod({"metadata": dict(POD["metadata"])})
    bench.cluster.pods["p"] = {"metadata": {"namespace": "default", "name": "p", "uid": "x", "labels": {}}}
    with pytest.raises(LabError, match=RUN_LABEL):
        borrowing.give_back()
    assert "p" in bench.cluster.pods


def test_without_the_permission_nothing_is_touched(bench: Bench) -> None:
    borrowing = bench.borrowing("run-1")
    with pytest.raises(NotPermitted, match=r"permissions\.node_configuration"):
        borrowing.node_file(TOML, b"edited")
    with pytest.raises(NotPermitted, match=r"permissions\.kbs_policies"):
        borrowing.policy_on_secret("key_id1", 1)
    assert bench.host.files == {TOML: b"stock"}


def test_a_launch_leaves_no_row_though_its_pod_went_before(bench: Bench) -> None:
    borrowing = bench.borrowing("run-1")
    borrowing.pod({"metadata": dict(POD["metadata"])})
    bench.database.connections = ["digest of p", "digest of a bystander"]
    bench.database.broken = True
    with pytest.raises(LabError, match="the database is gone"):
        borrowing.give_back()
    assert bench.cluster.pods == {}
    bench.database.broken = False
    assert bench.borrowing("run-2").restore() == 1
    assert bench.database.connections == ["digest of a bystander"]


def test_what_a_killed_write_left_beside_the_file_is_removed(bench: Bench) -> None:
    borrowing = bench.borrowing("run-1", node_configuration=True)
    borrowing.node_file(TOML, b"edited")
    bench.host.files["/opt/.configuration.toml.0a1b2c.new"] = b"half"
    bench.host.files["/opt/.configuration.toml.bak"] = b"not ours"
    borrowing.give_back()
    assert set(bench.host.files) == {TOML, "/opt/.configuration.toml.bak"}


def test_a_torn_journal_entry_is_named(bench: Bench) -> None:
    bench.host.files["/var/lib/sev-conformance/journal/run-0-000001.json"] = b"{"
    with pytest.raises(LabError, match=r"run-0-000001\.json on the host is no journal entry"):
        bench.borrowing("run-1").restore()


def test_a_policy_that_the_suite_broke_goes_by_its_id_and_others_stay(bench: Bench) -> None:
    borrowing = bench.borrowing("run-1", kbs_policies=True)
    bench.database.policies = {7: None}  # somebody else's, malformed
    borrowing.secret("conformance-key")
    number = borrowing.policy(POLICY)
    borrowing.damage_policy(number, Damage.NULL)
    assert bench.database.policies == {7: None, number: None}
    assert bench.database.secrets == {"conformance-key"}
    assert bench.borrowing("run-2").restore() == 2
    assert bench.database.policies == {7: None}
    assert bench.database.secrets == set()


def test_a_malformed_policy_of_somebody_else_does_not_hinder_a_run_killed_while_it_inserted(
    bench: Bench,
) -> None:
    bench.database.killed = True
    with pytest.raises(KeyboardInterrupt):
        bench.borrowing("run-1", kbs_policies=True).policy(POLICY)
    bench.database.policies[9] = None
    assert bench.borrowing("run-2").restore() == 1
    assert bench.database.policies == {9: None}


def test_a_run_that_changes_nothing_tells_what_was_left_and_borrows_nothing(bench: Bench) -> None:
    bench.borrowing("killed", node_configuration=True).node_file(TOML, b"new")
    files = dict(bench.host.files)
    checking = bench.borrowing("check", ClosedJournal, node_configuration=True)
    checking.tell_leftovers()
    [entry] = bench.record.operations
    assert (entry.name, entry.changed, entry.applied) == (f"give back file {TOML}", True, False)
    for borrow in (
        lambda: checking.node_file(TOML, b"mine"),
        lambda: checking.new_file("/var/lib/x", b""),
        lambda: checking.pod(POD),
    ):
        with pytest.raises(NotProven, match="changes nothing on the lab"):
            borrow()
    assert bench.host.files == files
    assert not bench.cluster.pods
