"""The Kubernetes node that is the SEV host: the suite's pods run there, where it can look at their VMs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lab.errors import NotProven

if TYPE_CHECKING:
    from lab.cluster import Cluster
    from lab.host import Host
    from lab.labfile import LabFile

# Effects of a taint on pods that do not tolerate it; a third one is a wish only.
KEEPS_OFF = ("NoSchedule", "NoExecute")


def sev_node(lab: LabFile, cluster: Cluster, label: str) -> str:
    """The node that the lab file names, or else the only one with the worker's `label`. Raises NotProven."""
    named = lab.cluster.node
    if named is not None:
        if cluster.get("Node", named) is None:
            raise NotProven(f"the cluster has no node {named}: see cluster.node in the lab file")
        return named
    workers = [node["metadata"]["name"] for node in cluster.list("Node", label_selector=f"{label}=")]
    if not workers:
        raise NotProven(f"no node has the label {label}=", owner="C-5.2")
    if len(workers) > 1:
        raise NotProven(
            f"the cluster has the worker nodes {', '.join(workers)}: name the SEV host's in cluster.node of "
            "the lab file"
        )
    return str(workers[0])


def other_machine(node: dict[str, Any], host: Host) -> str | None:
    """How a node's machine is another than the host that [ssh] leads to; None where nothing tells that.

    The kubelet tells the machine's id (Kubernetes 1.24, pkg/kubelet/nodestatus/setters.go, MachineInfo), of
    which each installation of a system has its own (machine-id(5)).
    """
    told = node.get("status", {}).get("nodeInfo", {}).get("machineID")
    own = host.run("cat /etc/machine-id", check=False, reads=True, quiet=True).stdout.strip()
    if not told or not own or told == own:
        return None
    return (
        f"the node {node['metadata']['name']} is not the host that the lab file's [ssh] leads to (machine-id "
        f"{told}, and {own}): see cluster.node there"
    )


def require_same_machine(cluster: Cluster, name: str, host: Host) -> None:
    """Raise NotProven where a node is another machine than the host: clause C-5.1 owns that."""
    if other := other_machine(cluster.get("Node", name) or {}, host):
        raise NotProven(other, owner="C-5.1")


def require_ready(cluster: Cluster, name: str) -> None:
    """Raise NotProven where the node takes no pods: that it is Ready is clause C-5.1's business.

    kubeadm taints control planes, and a cluster of one node has no other (kubeadm init, mark-control-plane).
    """
    node = cluster.get("Node", name) or {}
    if node.get("spec", {}).get("unschedulable"):
        raise NotProven(f"the node {name} is cordoned", owner="C-5.1")
    conditions = {each["type"]: each for each in node.get("status", {}).get("conditions", [])}
    ready = conditions.get("Ready", {})
    if ready.get("status") != "True":
        why = ready.get("message") or "it has no condition Ready"
        raise NotProven(f"the node {name} is not Ready: {why}", owner="C-5.1")
    for taint in node.get("spec", {}).get("taints") or []:
        if taint["effect"] in KEEPS_OFF:
            raise NotProven(
                f"the node {name} has the taint {taint['key']}:{taint['effect']}, which keeps pods off: "
                f"kubectl taint nodes {name} {taint['key']}:{taint['effect']}-"
            )


def only_on(node: str) -> dict[str, Any]:
    """An affinity with which the scheduler takes this node or none (as the DaemonSet controller does)."""
    field = {"key": "metadata.name", "operator": "In", "values": [node]}
    required = {"nodeSelectorTerms": [{"matchFields": [field]}]}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}
