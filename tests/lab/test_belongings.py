"""What of a host and its cluster is the operator's, what is others', and pictures of both."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lab import picture
from lab.belongings import Belongings, lost_settings, users_of_runtime_classes
from lab.containerd import ContainerdConfiguration
from lab.deadline import Deadline
from lab.debris import FOLDER
from lab.errors import LabError
from lab.loading import load_profile
from lab.operator import CONTROLLER, DAEMONS, NAMESPACE
from lab.picture import Picture
from tests.lab.objects_cluster import ObjectsCluster, node, pod

if TYPE_CHECKING:
    from lab.host import Host

PROFILES = Path(__file__).parents[2] / "profiles"
SHARE = "/opt/confidential-containers/share/kata-containers/kata-containers-initrd-sev.img"
SHIM = "/usr/local/bin/containerd-shim-kata-qemu-v2"


@pytest.fixture
def belongings() -> Belongings:
    return Belongings(load_profile(PROFILES / "anolis-8.6-coco-0.3.0.toml"))


def item(name: str, *, namespace: str | None = None, owner: str | None = None, **rest: Any) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name, "uid": f"uid-{name}"}
    if namespace:
        metadata["namespace"] = namespace
    if owner:
        metadata["ownerReferences"] = [{"kind": owner, "name": "ccruntime-sample"}]
    return {"metadata": metadata, **rest}


def test_the_operators_objects_are_told_from_those_of_others(belongings: Belongings) -> None:
    cluster = ObjectsCluster(
        {
            "Namespace": [item(NAMESPACE), item("default")],
            "ClusterRole": [item("cc-operator-manager-role"), item("admin")],
            "RuntimeClass": [item("kata", owner="CcRuntime"), item("kata-qemu")],
            "Service": [item("metrics", namespace=NAMESPACE), item("kubernetes", namespace="default")],
            "CustomResourceDefinition": [item("ccruntimes.confidentialcontainers.org"), item("others.io")],
        }
    )
    assert belongings.objects(cluster.as_cluster) == [
        "ClusterRole cc-operator-manager-role",
        "CustomResourceDefinition ccruntimes.confidentialcontainers.org",
        f"Namespace {NAMESPACE}",
        "RuntimeClass kata",
        f"Service {NAMESPACE}/metrics",
    ]


def test_pods_that_an_uninstallation_would_harm_are_named(belongings: Belongings) -> None:
    own = [pod(f"{CONTROLLER}-x", 0, ready=2, of=2), *(pod(name, 0, ready=1, of=1) for name in DAEMONS)]
    theirs = item("theirs", namespace="shop", spec={"runtimeClassName": "kata"}, status={"phase": "Running"})
    ended = item("ended", namespace="shop", spec={"runtimeClassName": "kata"}, status={"phase": "Succeeded"})
    ours = item("ours", namespace="default", spec={"runtimeClassName": "kata"})
    ours["metadata"]["labels"] = {"sev-conformance/run": "1"}
    other = item("other", namespace="shop", spec={"runtimeClassName": "gvisor"})
    classes = [item("kata", owner="CcRuntime"), item("gvisor")]
    cluster = ObjectsCluster({"Pod": [*own, theirs, ended, ours, other], "RuntimeClass": classes})
    assert users_of_runtime_classes(cluster.as_cluster) == ["Pod shop/theirs"]
    # The cluster of these tests does not know of namespaces: all its pods lie in the operator's.
    assert [name.rpartition("/")[2] for name in belongings.strangers(cluster.as_cluster)] == [
        "theirs",
        "ended",
        "ours",
        "other",
    ]


def test_files_that_must_go_are_told_from_those_that_may_stay(belongings: Belongings) -> None:
    folder = "/opt/confidential-containers"
    theirs = "/etc/systemd/system/containerd.service.d/http-proxy.conf"
    found = belongings.still_there({SHARE: "f", SHIM: "l", folder: "d", theirs: "f"})
    assert (found.kept, found.left) == ([SHARE], [SHIM, folder])


def test_what_others_lose_is_told_and_nothing_else(belongings: Belongings) -> None:
    before = Picture(
        files={
            SHARE: "f 1",
            "/etc/containerd/config.toml": "f 1",
            "/opt/sev/x": "f 1",
            f"{FOLDER}/1": "d 755",
        },
        objects={
            "Namespace default": "uid 1",
            "Deployment shop/a": "uid 2, generation 1",
            "CcRuntime x": "uid 3",
        },
        labels={"label cc-preinstall/done of Node sev-1": "true", "label zone of Node sev-1": "a"},
    )
    mine = ["CcRuntime x"]
    untouched = Picture(
        files={"/etc/containerd/config.toml": "f 2", "/opt/sev/x": "f 1", "/opt/sev/new": "f 1"},
        objects={"Namespace default": "uid 1", "Deployment shop/a": "uid 2, generation 1"},
        labels={"label zone of Node sev-1": "a"},
    )
    assert belongings.harmed(before, untouched, mine) == []
    harmed = Picture({}, {"Namespace default": "uid 9"}, {"label zone of Node sev-1": "b"})
    assert belongings.harmed(before, harmed, mine) == [
        "/opt/sev/x is gone",
        "Deployment shop/a is gone",
        "Namespace default was uid 1 and is uid 9",
        "label zone of Node sev-1 was a and is b",
    ]


def test_edits_of_containerds_configuration_that_are_lost_are_told(belongings: Belongings) -> None:
    def configuration(pause: str, *runtimes: str) -> ContainerdConfiguration:
        plugin = '[plugins."io.containerd.grpc.v1.cri"'
        tables = "".join(f'{plugin}.containerd.runtimes.{name}]\ntype = "x"\n' for name in runtimes)
        return ContainerdConfiguration(f'version = 2\n{plugin}]\nsandbox_image = "{pause}"\n{tables}')

    before = configuration("mirror", "runc", "kata", "kata-qemu-sev", "gvisor")
    assert before.runtimes == ["runc", "kata", "kata-qemu-sev", "gvisor"]
    assert lost_settings(before, configuration("mirror", "runc", "gvisor"), belongings) == []
    assert lost_settings(before, configuration("stock", "runc"), belongings) == [
        "plugins.io.containerd.grpc.v1.cri.sandbox_image was 'mirror' and is 'stock'",
        "plugins.io.containerd.grpc.v1.cri.containerd.runtimes.gvisor.type = 'x'",
    ]
    assert lost_settings(None, before, belongings) == []


def test_a_picture_shows_files_objects_and_labels(host: Host, tmp_path: Path) -> None:
    folder = tmp_path / "a folder"
    folder.mkdir()
    (folder / "file").write_text("content")
    (folder / "link").symlink_to("nowhere")
    ends = {"metadata": {"name": "j", "namespace": "d", "ownerReferences": [{"kind": "Job", "name": "j"}]}}
    cluster = ObjectsCluster({"Node": [node(zone="a")], "Pod": [ends]})
    cluster.objects["Node"][0]["metadata"] |= {"uid": "7", "generation": 2}
    taken = picture.take(host, cluster.as_cluster, [str(folder), str(tmp_path / "missing")], Deadline(9))
    checksum = hashlib.sha256(b"content").hexdigest()
    assert taken.objects == {"Node sev-1": "uid 7, generation 2"}
    assert taken.labels == {"label zone of Node sev-1": "a"}
    assert taken.files.keys() == {str(folder), f"{folder}/file", f"{folder}/link"}
    assert taken.files[f"{folder}/file"].endswith(f"SHA-256 {checksum}")
    assert taken.files[f"{folder}/link"].endswith("nowhere")
    assert taken.files[f"{folder}/file"].startswith(f"f {(folder / 'file').stat().st_mode & 0o777:o} ")
    (folder / "file").chmod(0o600)
    again = picture.take(host, cluster.as_cluster, [str(folder)], Deadline(9))
    assert len(picture.differences(taken.files, again.files)) == 1
    with pytest.raises(LabError, match="the host tells of no file"):
        picture.take(host, cluster.as_cluster, [str(tmp_path / "missing")], Deadline(9))
