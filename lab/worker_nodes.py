"""The cluster's nodes: which one is the SEV host, and what it offers (guide: 步骤一, 步骤二 前提条件)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from lab.errors import LabError, NotProven

if TYPE_CHECKING:
    from lab.cluster import Cluster
    from lab.labfile import LabFile

_QUANTITY = re.compile(r"([0-9.]+)([a-zA-Z]*)")
_UNITS = {
    "": Fraction(1),
    "m": Fraction(1, 1000),
    **{unit: Fraction(1000**power) for power, unit in enumerate(("k", "M", "G", "T", "P"), start=1)},
    **{unit: Fraction(1024**power) for power, unit in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi"), start=1)},
}


def quantity(text: str) -> Fraction:
    """A Kubernetes quantity as a number (apimachinery, pkg/api/resource). Raises LabError for what is none.

    >>> quantity("32Gi") == 32 * 1024**3
    True
    """
    found = _QUANTITY.fullmatch(text)
    try:
        return Fraction(found[1]) * _UNITS[found[2]]  # type: ignore[index]
    except (TypeError, KeyError, ValueError):
        raise LabError(f"{text!r} is no quantity of Kubernetes") from None


def server_release(version: str) -> tuple[int, int]:
    """Major and minor of a version such as `v1.24.8` or `v1.27.3+k3s1`. Raises LabError for what is none."""
    found = re.match(r"v?(\d+)\.(\d+)", version)
    if not found:
        raise LabError(f"{version!r} is no version of Kubernetes")
    return int(found[1]), int(found[2])


@dataclass(frozen=True)
class WorkerNode:
    """A node, as the API shows it."""

    object: dict[str, Any]

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.object["metadata"]["name"])

    def is_worker(self, label: str) -> bool:
        """Whether it has this label with an empty value, which is what the operator selects by."""
        labels: dict[str, str] = self.object["metadata"].get("labels", {})
        return labels.get(label) == ""

    @property
    def not_ready(self) -> str | None:
        """Why it is not Ready; None where it is."""
        for condition in self.object["status"].get("conditions", []):
            if condition["type"] == "Ready":
                told = f"Ready is {condition['status']}: {condition.get('message', '')}"
                return None if condition["status"] == "True" else told
        return "it has no condition Ready"

    @property
    def cordoned(self) -> bool:
        """Whether no new pod is scheduled to it."""
        return bool(self.object.get("spec", {}).get("unschedulable"))

    @property
    def heartbeat(self) -> str:
        """When the kubelet last told its state."""
        times = [each.get("lastHeartbeatTime", "") for each in self.object["status"].get("conditions", [])]
        return max(times, default="")

    @property
    def memory(self) -> int:
        """Bytes of memory."""
        return int(quantity(self.object["status"]["capacity"]["memory"]))

    @property
    def cpus(self) -> Fraction:
        """Processors."""
        return quantity(self.object["status"]["capacity"]["cpu"])

    @property
    def runtime(self) -> str:
        """The container runtime, such as `containerd://1.6.6`."""
        return str(self.object["status"]["nodeInfo"]["containerRuntimeVersion"])


class WorkerNodes:
    """The nodes of a cluster. Every question looks again."""

    def __init__(self, lab: LabFile, cluster: Cluster, label: str) -> None:
        """`label` is the one that makes a worker of a node (profile: `cluster.worker_label`)."""
        self.label = label
        self._lab = lab
        self._cluster = cluster

    def all(self) -> list[WorkerNode]:
        """Every node."""
        return [WorkerNode(item) for item in self._cluster.list("Node", as_evidence=True)]

    def workers(self) -> list[WorkerNode]:
        """The nodes that the operator installs on."""
        return [node for node in self.all() if node.is_worker(self.label)]

    def labels_told(self) -> str:
        """What each node has of the worker label."""
        told = {node.name: node.object["metadata"].get("labels", {}).get(self.label) for node in self.all()}
        values = (
            f"{name} {'lacks it' if value is None else f'has it as {value!r}'}"
            for name, value in told.items()
        )
        return f"{self.label} must have an empty value; {', '.join(values) or 'there is no node'}"

    def sev_host(self) -> WorkerNode:
        """The node that is the SEV host: the lab file's, else the only worker, else the only node.

        Raises NotProven where that names none, or more than one.
        """
        nodes = self.all()
        if self._lab.cluster.node:
            chosen = [node for node in nodes if node.name == self._lab.cluster.node]
        else:
            chosen = [node for node in nodes if node.is_worker(self.label)] or nodes
        if len(chosen) != 1:
            names = ", ".join(node.name for node in nodes) or "none"
            raise NotProven(
                f"which node is the SEV host is not clear: set cluster.node in the lab file (nodes: {names})",
                owner="C-5.1",
            )
        return chosen[0]
