from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from lab.errors import NotProven
from lab.sev_node import require_ready, require_same_machine, sev_node
from tests.lab.said import SayingHost

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.labfile import LabFile


class Nodes:
    """A cluster of worker nodes."""

    def __init__(self, *names: str) -> None:
        self.nodes: list[dict[str, Any]] = [{"metadata": {"name": name}} for name in names]

    def get(self, kind: str, name: str) -> dict[str, Any] | None:
        return next((node for node in self.nodes if node["metadata"]["name"] == name), None)

    def list(self, kind: str, label_selector: str) -> list[dict[str, Any]]:
        assert (kind, label_selector) == ("Node", "node.example.org/worker=")
        return self.nodes


@pytest.mark.parametrize(
    ("named", "workers", "found"),
    [(None, ["sev-1"], "sev-1"), ("sev-2", ["sev-1", "sev-2"], "sev-2")],
)
def test_the_node_is_named_or_the_only_worker(
    lab_of: Callable[..., LabFile], named: str | None, workers: list[str], found: str
) -> None:
    lab = lab_of({"host": "h", "known_hosts": "k"}, cluster={"node": named})
    assert sev_node(lab, Nodes(*workers), "node.example.org/worker") == found  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("named", "workers", "said"),
    [
        (None, [], r"no node has the label .* \(C-5\.2\)"),
        (None, ["sev-1", "plain"], r"worker nodes sev-1, plain: name .* cluster\.node"),
        ("sev-3", ["sev-1"], "the cluster has no node sev-3"),
    ],
)
def test_an_unclear_node_is_a_precondition(
    lab_of: Callable[..., LabFile], named: str | None, workers: list[str], said: str
) -> None:
    lab = lab_of({"host": "h", "known_hosts": "k"}, cluster={"node": named})
    with pytest.raises(NotProven, match=said):
        sev_node(lab, Nodes(*workers), "node.example.org/worker")  # type: ignore[arg-type]


def ready(status: str, message: str = "") -> dict[str, Any]:
    return {"status": {"conditions": [{"type": "Ready", "status": status, "message": message}]}}


@pytest.mark.parametrize(
    ("node", "said"),
    [
        ({"spec": {"unschedulable": True}, **ready("True")}, r"sev-1 is cordoned \(C-5\.1\)"),
        (ready("Unknown", "Kubelet stopped posting node status."), "is not Ready: Kubelet stopped posting"),
        ({}, "it has no condition Ready"),
        (
            {
                "spec": {"taints": [{"key": "x/control-plane", "effect": "NoSchedule"}]},
                **ready("True"),
            },
            "the taint x/control-plane:NoSchedule.*kubectl taint nodes sev-1 x/control-plane:",
        ),
    ],
)
def test_a_node_that_takes_no_pods_is_a_precondition(node: dict[str, Any], said: str) -> None:
    cluster = Nodes("sev-1")
    cluster.nodes[0].update(node)
    with pytest.raises(NotProven, match=said):
        require_ready(cluster, "sev-1")  # type: ignore[arg-type]
    wish = {"key": "k", "effect": "PreferNoSchedule"}
    cluster.nodes[0].update({"spec": {"taints": [wish]}}, **ready("True"))
    require_ready(cluster, "sev-1")  # type: ignore[arg-type]


def test_a_node_that_is_another_machine_is_a_precondition() -> None:
    cluster, host = Nodes("sev-1"), SayingHost({"cat /etc/machine-id": "0b1\n"}).as_host
    require_same_machine(cluster, "sev-1", host)  # type: ignore[arg-type]
    for told in ("0b1", ""):
        cluster.nodes[0]["status"] = {"nodeInfo": {"machineID": told}}
        require_same_machine(cluster, "sev-1", host)  # type: ignore[arg-type]
    cluster.nodes[0]["status"] = {"nodeInfo": {"machineID": "0b2"}}
    with pytest.raises(NotProven, match=r"sev-1 is not the host .*machine-id 0b2, and 0b1.*\(C-5\.1\)"):
        require_same_machine(cluster, "sev-1", host)  # type: ignore[arg-type]
    require_same_machine(cluster, "sev-1", SayingHost().as_host)  # type: ignore[arg-type]
