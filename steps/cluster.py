"""The cluster and its nodes."""

from __future__ import annotations

from pytest_bdd import then

from lab.cluster import Cluster
from lab.profile import Profile
from lab.worker_nodes import WorkerNodes, server_release


@then("the cluster's Kubernetes is at least the profile's")
def be_recent(cluster: Cluster, profile: Profile) -> None:
    """Clause C-5.1."""
    found, oldest = cluster.server_version(), profile.cluster.kubernetes
    assert server_release(found) >= server_release(oldest), f"Kubernetes is {found}, older than {oldest}"


@then("the SEV host's node is Ready")
def be_ready(worker_nodes: WorkerNodes) -> None:
    """Clause C-5.1."""
    node = worker_nodes.sev_host()
    assert node.not_ready is None, f"{node.name}: {node.not_ready}"


@then("at least one node carries the worker label with an empty value")
def label_worker(worker_nodes: WorkerNodes) -> None:
    """Clause C-5.2: the operator selects by the empty value."""
    assert worker_nodes.workers(), f"no worker among {[node.name for node in worker_nodes.all()]}"


@then("the SEV host's node has at least the profile's memory and vCPUs")
def have_capacity(worker_nodes: WorkerNodes, profile: Profile) -> None:
    """Clause O-1.1."""
    node = worker_nodes.sev_host()
    assert node.memory >= profile.cluster.memory * 10**9, f"{node.name} has {node.memory} bytes of memory"
    assert node.cpus >= profile.cluster.cpus, f"{node.name} has {node.cpus} vCPUs"


@then("the SEV host's node runs the profile's container runtime")
def run_on_containerd(worker_nodes: WorkerNodes, profile: Profile) -> None:
    """Clause O-1.2."""
    node = worker_nodes.sev_host()
    assert node.runtime.startswith(f"{profile.cluster.runtime}://"), f"{node.name} runs {node.runtime}"
