"""Restarting containerd, with the node's own word that it came back."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from lab.deadline import Deadline
from lab.errors import LabError, NotProven, Unreachable
from lab.worker_nodes import WorkerNode

if TYPE_CHECKING:
    from lab.cluster import Cluster
    from lab.host import Host
    from lab.worker_nodes import WorkerNodes

LEASES = "kube-node-lease"


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
        since = datetime.fromisoformat(
            self._host.run("date --utc +%Y-%m-%dT%H:%M:%S.%6N+00:00").stdout.strip()
        )
        if node is None:
            return

        def renewed(lease: dict[str, Any] | None, _: list[dict[str, Any]]) -> bool | None:
            time = ((lease or {}).get("spec") or {}).get("renewTime")
            return True if time and datetime.fromisoformat(time) > since else None

        self._cluster.wait(
            "Lease",
            node.name,
            LEASES,
            renewed,
            what=f"a heartbeat of {node.name} from after containerd's restart",
            deadline=Deadline(self._seconds),
        )
        self._cluster.wait(
            "Node",
            node.name,
            None,
            lambda found, _: True if found and WorkerNode(found).not_ready is None else None,
            what=f"{node.name} to be Ready",
            deadline=Deadline(self._seconds),
        )

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
