"""The cluster and its nodes."""

from __future__ import annotations

from pytest_bdd import then

from fixtures.run import Run
from lab.cluster import Cluster
from lab.comparison import compare
from lab.host import Host
from lab.profile import Profile
from lab.services import Services
from lab.sev_node import other_machine
from lab.worker_nodes import WorkerNodes, server_release


@then("the cluster's Kubernetes is at least the profile's")
def be_recent(run: Run, cluster: Cluster, profile: Profile) -> None:
    """Clause C-5.1."""
    found, oldest = cluster.server_version(), profile.cluster.kubernetes
    compare(run.record, "Kubernetes", found, "is a release since", oldest)
    assert server_release(found) >= server_release(oldest), f"Kubernetes is {found}, older than {oldest}"


@then("the SEV host's node is Ready")
def be_ready(worker_nodes: WorkerNodes, host: Host, services: Services) -> None:
    """Clause C-5.1; that its container runtime is up is C-4.3's."""
    node = worker_nodes.sev_host()
    other = other_machine(node.object, host)
    assert other is None, other
    if node.not_ready:
        services.require_running("containerd", owner="C-4.3")
    assert node.not_ready is None, f"{node.name}: {node.not_ready}"
    assert not node.cordoned, f"{node.name} is Ready, but cordoned: kubectl uncordon {node.name}"


@then("at least one node carries the worker label with an empty value")
def label_worker(worker_nodes: WorkerNodes) -> None:
    """Clause C-5.2: the operator selects by the empty value."""
    assert worker_nodes.workers(), f"no node is a worker: {worker_nodes.labels_told()}"


@then("the SEV host's node has at least the profile's memory and vCPUs")
def have_capacity(run: Run, worker_nodes: WorkerNodes, profile: Profile) -> None:
    """Clause O-1.1."""
    node = worker_nodes.sev_host()
    memory, cpus = profile.cluster.memory, profile.cluster.cpus
    compare(run.record, "memory in bytes", int(node.memory), "is at least", memory * 10**9)
    compare(run.record, "vCPUs", float(node.cpus), "is at least", cpus)
    assert node.memory >= memory * 10**9, (
        f"{node.name} has {node.memory / 10**9:.1f} GB of memory, and needs {memory}"
    )
    assert node.cpus >= cpus, f"{node.name} has {node.cpus} vCPUs, and needs {cpus}"


@then("the SEV host's node runs the profile's container runtime")
def run_on_containerd(run: Run, worker_nodes: WorkerNodes, profile: Profile) -> None:
    """Clause O-1.2."""
    node = worker_nodes.sev_host()
    wanted = profile.cluster.runtime
    holds = compare(run.record, "container runtime", node.runtime, "begins with", f"{wanted}://")
    assert holds, f"{node.name} runs {node.runtime}, and not {wanted}"
