"""Faults of docker, containerd and the node (C-3, C-4, C-5, O-1)."""

from __future__ import annotations

from simlab.faults.acts import on_host
from simlab.faults.catalogue.host import FIRST_PODS
from simlab.faults.fault import Fault, Kind

_CONFIGURATION = "/etc/containerd/config.toml"
_NODE = "node/anolis-sev-1"

FAULTS = (
    Fault(
        name="docker-stopped",
        kind=Kind.LOST_SERVICE,
        breaks="docker's daemon was stopped, and its containers with it",
        clauses=("C-3.1",),
        cause="docker is inactive",
        features=FIRST_PODS,
        acts=(on_host("systemctl stop docker"),),
    ),
    Fault(
        name="containerd-unconfigured",
        kind=Kind.MISSING_PRECONDITION,
        breaks="containerd has no configuration file",
        clauses=("C-4.1",),
        cause="/etc/containerd/config.toml",
        features=FIRST_PODS,
        acts=(on_host(f"rm {_CONFIGURATION}"),),
    ),
    Fault(
        name="containerd-without-cri",
        kind=Kind.WRONG_STATE,
        breaks="containerd's configuration turns off the plugin that serves Kubernetes, as a package's does",
        clauses=("C-4.1",),
        cause="cri",
        features=FIRST_PODS,
        acts=(on_host(f"sed -i 's/^disabled_plugins = .*/disabled_plugins = [\"cri\"]/' {_CONFIGURATION}"),),
    ),
    Fault(
        name="containerd-configuration-torn",
        kind=Kind.HOSTILE_ANSWER,
        breaks="half of containerd's configuration file is there, cut in the middle of a string",
        clauses=("C-4.1",),
        cause="is not TOML",
        # The real one reads it at its start only: what becomes of pods here says nothing.
        features=("1",),
        acts=(
            on_host(
                f"line=$(grep -n sandbox_image {_CONFIGURATION} | cut -d: -f1);"
                f' head -n "$line" {_CONFIGURATION} | head -c -3 >/tmp/torn; cat /tmp/torn >{_CONFIGURATION}'
            ),
        ),
    ),
    Fault(
        name="other-pause-image",
        kind=Kind.WRONG_STATE,
        breaks="containerd's sandbox image is upstream's again, which the guide's network cannot reach",
        clauses=("C-4.2",),
        cause="names registry.k8s.io/pause:3.6, and not",
        features=FIRST_PODS,
        acts=(
            on_host(
                "sed -i 's#sandbox_image = .*#sandbox_image = \"registry.k8s.io/pause:3.6\"#'"
                f" {_CONFIGURATION}"
            ),
        ),
    ),
    Fault(
        name="containerd-stopped",
        kind=Kind.LOST_SERVICE,
        breaks="containerd was stopped",
        clauses=("C-4.3",),
        cause="containerd is inactive",
        features=FIRST_PODS,
        acts=(on_host("systemctl stop containerd"),),
    ),
    Fault(
        name="node-cordoned",
        kind=Kind.WRONG_STATE,
        breaks="somebody cordoned the node",
        clauses=("C-5.1",),
        cause="cordoned",
        features=FIRST_PODS,
        acts=(on_host("kubectl cordon anolis-sev-1"),),
    ),
    Fault(
        name="kubelet-stopped",
        kind=Kind.LOST_SERVICE,
        breaks="the kubelet was stopped, and the node is not Ready any more",
        clauses=("C-5.1",),
        cause="anolis-sev-1: ",
        features=FIRST_PODS,
        acts=(
            on_host(
                f"systemctl stop kubelet; kubectl wait --for=condition=Ready=Unknown {_NODE} --timeout=55s"
            ),
        ),
    ),
    Fault(
        name="old-kubernetes",
        kind=Kind.WRONG_STATE,
        breaks="the cluster is of Kubernetes 1.23",
        clauses=("C-5.1",),
        cause="Kubernetes is v1.23.17, older than",
        features=FIRST_PODS,
        stand_ins={"apiserver": "simlab.faults.stand_ins.apiserver:old"},
    ),
    Fault(
        name="no-worker-label",
        kind=Kind.MISSING_PRECONDITION,
        breaks="no node carries the worker label",
        clauses=("C-5.2",),
        cause="no node is a worker",
        features=FIRST_PODS,
        acts=(on_host(f"kubectl label {_NODE} node-role.kubernetes.io/worker-"),),
    ),
    Fault(
        name="worker-label-with-value",
        kind=Kind.WRONG_STATE,
        breaks="the worker label has the value true, which the operator does not select",
        clauses=("C-5.2",),
        cause="no node is a worker",
        features=FIRST_PODS,
        acts=(on_host(f"kubectl label --overwrite {_NODE} node-role.kubernetes.io/worker=true"),),
    ),
    Fault(
        name="small-node",
        kind=Kind.WRONG_STATE,
        breaks="the node has 2 vCPUs",
        clauses=("O-1.1",),
        cause="has 2 vCPUs, and needs 4",
        features=FIRST_PODS,
        stand_ins={"apiserver": "simlab.faults.stand_ins.apiserver:small_node"},
    ),
    Fault(
        name="node-runs-cri-o",
        kind=Kind.WRONG_STATE,
        breaks="the node's container runtime is CRI-O",
        clauses=("O-1.2",),
        cause="runs cri-o://1.24.2",
        features=FIRST_PODS,
        stand_ins={"apiserver": "simlab.faults.stand_ins.apiserver:cri_o"},
    ),
)
