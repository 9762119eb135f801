"""The node's own word that it came back: after a restart of containerd, or of the host."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lab.deadline import Deadline
from lab.errors import LabError, NotProven, Unreachable
from lab.worker_nodes import WorkerNode

if TYPE_CHECKING:
    from lab.cluster import Cluster
    from lab.host import Host
    from lab.worker_nodes import WorkerNodes

LEASES = "kube-node-lease"


def wait_for_heartbeat(cluster: Cluster, node: str, after_what: str, deadline: Deadline) -> None:
    """Wait until the kubelet of a node says anew that it lives. Raises DeadlineExceeded.

    The first time that the lease shows is taken for one of before, and no clocks are compared: a host's may
    be set right only after its boot.
    """
    first: list[str] = []

    def renewed(lease: dict[str, Any] | None, _: list[dict[str, Any]]) -> bool | None:
        time = ((lease or {}).get("spec") or {}).get("renewTime")
        if time and not first:
            first.append(time)
        return True if time and time != first[0] else None

    what = f"a heartbeat of {node} from after {after_what}"
    cluster.wait("Lease", node, LEASES, renewed, what, deadline)


def wait_until_ready(cluster: Cluster, node: str, deadline: Deadline) -> None:
    """Wait until a node is Ready. Raises DeadlineExceeded."""

    def ready(found: dict[str, Any] | None, _: list[dict[str, Any]]) -> bool | None:
        return True if found and WorkerNode(found).not_ready is None else None

    cluster.wait("Node", node, None, ready, f"{node} to be Ready", deadline)


class NodeService:
    """containerd under a kubelet."""

    def __init__(self, *, host: Host, cluster: Cluster, nodes: WorkerNodes, seconds: float) -> None:
        """`seconds` is how long the node may take to tell that it is back."""
        self._host = host
        self._cluster = cluster
        self._nodes = nodes
        self._seconds = seconds

    def restart(self) -> None:
        """Restart containerd; where a cluster is up, wait for the node's heartbeat from after the restart.

        The kubelet renews its lease every 10 s (Kubernetes, "Node heartbeats"). Raises DeadlineExceeded,
        and LabError where the node is not Ready afterwards.
        """
        node = self._node()
        self._host.run("systemctl restart containerd")
        if node is None:
            return

        deadline = Deadline(self._seconds)
        wait_for_heartbeat(self._cluster, node.name, "containerd's restart", deadline)
        wait_until_ready(self._cluster, node.name, deadline)

    def _node(self) -> WorkerNode | None:
        """The SEV host's node; None where there is no cluster yet that could tell."""
        try:
            return self._nodes.sev_host()
        except (Unreachable, NotProven):
            return None
        except LabError as error:
            raise LabError(
                f"containerd is not restarted, as its node's state is not known: {error}"
            ) from None
