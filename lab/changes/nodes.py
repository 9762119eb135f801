"""Labels of the cluster's nodes (guide: 部署单节点的Kubernetes cluster)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.changes.described import Described
from lab.deadline import Deadline
from lab.errors import LabError
from lab.provisioning import Sight

if TYPE_CHECKING:
    from lab.cluster import Cluster
    from lab.operator import Operator
    from lab.worker_nodes import WorkerNodes


class WorkerLabel(Described):
    """A node carries the worker label with an empty value (guide: kubectl label node …)."""

    name = "label the SEV host's node as a worker"
    permission = "operator"
    clause = "C-5.2"

    def __init__(self, cluster: Cluster, nodes: WorkerNodes, operator: Operator, *, seconds: float) -> None:
        """`seconds` is how long an operator that is there may take to install on the node."""
        self.looks_at = f"the nodes' label {nodes.label}"
        self.undone_by = f"kubectl label node NODE {nodes.label}-"
        self._cluster = cluster
        self._nodes = nodes
        self._operator = operator
        self._seconds = seconds

    def look(self) -> Sight:
        """The workers; another value than the empty one is none that the operator selects."""
        try:
            workers = [node.name for node in self._nodes.workers()]
        except LabError as error:
            return Sight(holds=False, found=str(error))
        return Sight(bool(workers), ", ".join(workers) or "no node has it with an empty value")

    def apply(self) -> None:
        """Label the node that is the SEV host; an operator with a runtime installs on it then."""
        node = self._nodes.sev_host()
        self._cluster.patch("Node", node.name, {"metadata": {"labels": {self._nodes.label: ""}}})
        if self._operator.runtimes():
            self._operator.wait_for_first_installer(node.name, Deadline(self._seconds))
