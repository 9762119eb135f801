from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from lab.errors import LabError, NotProven
from lab.worker_nodes import WorkerNode, WorkerNodes, quantity, server_release

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.labfile import LabFile

WORKER = "node.example.org/worker"
SSH = {"host": "h", "known_hosts": "/dev/null"}


def node(name: str, *, worker: str | None = None, ready: str = "True") -> dict[str, Any]:
    labels = {} if worker is None else {WORKER: worker}
    return {
        "metadata": {"name": name, "labels": labels},
        "status": {
            "capacity": {"memory": "32768Mi", "cpu": "4"},
            "nodeInfo": {"containerRuntimeVersion": "containerd://1.6.6"},
            "conditions": [{"type": "Ready", "status": ready, "message": "kubelet is late"}],
        },
    }


@dataclass
class NodesCluster:
    items: list[dict[str, Any]]

    def list(self, kind: str, *, as_evidence: bool) -> list[dict[str, Any]]:
        assert kind == "Node"
        return self.items


def nodes(lab: LabFile, *items: dict[str, Any]) -> WorkerNodes:
    return WorkerNodes(lab, NodesCluster(list(items)), WORKER)  # type: ignore[arg-type]


def test_only_the_empty_label_makes_a_worker(lab_of: Callable[..., LabFile]) -> None:
    found = nodes(lab_of(SSH), node("a"), node("b", worker="true"), node("c", worker=""))
    assert [each.name for each in found.workers()] == ["c"]
    assert found.sev_host().name == "c"


def test_the_lab_file_names_the_node_where_it_is_not_clear(lab_of: Callable[..., LabFile]) -> None:
    several = (node("a", worker=""), node("b", worker=""))
    with pytest.raises(NotProven, match=r"set cluster.node in the lab file \(nodes: a, b\)"):
        nodes(lab_of(SSH), *several).sev_host()
    assert nodes(lab_of(SSH, cluster={"node": "b"}), *several).sev_host().name == "b"
    assert nodes(lab_of(SSH), node("only")).sev_host().name == "only"


def test_a_node_that_is_not_ready_says_why() -> None:
    assert WorkerNode(node("a")).not_ready is None
    assert WorkerNode(node("a", ready="Unknown")).not_ready == "Ready is Unknown: kubelet is late"
    assert WorkerNode({"metadata": {"name": "a"}, "status": {}}).not_ready == "it has no condition Ready"


def test_capacity_is_read_as_quantities() -> None:
    found = WorkerNode(node("a"))
    assert found.memory == 32 * 1024**3
    assert found.cpus == 4
    assert quantity("7900m") * 10 == 79
    assert quantity("8G") == 8 * 10**9
    assert quantity("1.5Gi") == 3 * 2**29
    for text in ("", "8Q", "x", "1..2"):
        with pytest.raises(LabError, match="no quantity"):
            quantity(text)


def test_releases_are_compared_as_numbers() -> None:
    assert server_release("v1.24.8") == server_release("1.24") < server_release("v1.100.0+k3s1")
    assert server_release("v1.9.11") < server_release("1.24")
    with pytest.raises(LabError, match="no version of Kubernetes"):
        server_release("None")


def test_a_node_that_takes_no_pods_is_cordoned() -> None:
    assert not WorkerNode(node("a")).cordoned
    assert WorkerNode(node("a") | {"spec": {"unschedulable": True}}).cordoned


def test_what_each_node_has_of_the_label_is_told(lab_of: Callable[..., LabFile]) -> None:
    told = nodes(lab_of(SSH), node("a"), node("b", worker="true")).labels_told()
    assert told == f"{WORKER} must have an empty value; a lacks it, b has it as 'true'"
    assert nodes(lab_of(SSH)).labels_told().endswith("there is no node")
