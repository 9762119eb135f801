"""Faults of the operator and of what it installs (O-2, O-3, O-4)."""

from __future__ import annotations

from simlab.faults.acts import on_host
from simlab.faults.catalogue.host import FIRST_PODS
from simlab.faults.fault import Fault, Kind

_NAMESPACE = "confidential-containers-system"
_CONTROLLER = "deployment/cc-operator-controller-manager"
_KUBECTL = f"kubectl --namespace {_NAMESPACE}"
_NO_CONTROLLER = (
    f"{_KUBECTL} scale {_CONTROLLER} --replicas=0;"
    f" {_KUBECTL} wait --for=delete pod -l control-plane=controller-manager --timeout=50s;"
)
# kubectl deletes and makes anew: a RuntimeClass' handler cannot be changed.
_OTHER_HANDLER = """
kubectl get runtimeclass kata-qemu-sev -o json |
  jq '{apiVersion, kind, metadata: {name: .metadata.name}, handler: "kata-qemu"}' >/tmp/class
kubectl delete runtimeclass kata-qemu-sev
kubectl create -f /tmp/class
"""

FAULTS = (
    Fault(
        name="no-operator",
        kind=Kind.MISSING_PRECONDITION,
        breaks="the operator's controller is not deployed",
        clauses=("O-2.1",),
        cause="the manager is not deployed",
        features=FIRST_PODS,
        acts=(on_host(f"{_KUBECTL} delete {_CONTROLLER} --wait=true"),),
    ),
    Fault(
        name="manager-of-other-release",
        kind=Kind.WRONG_STATE,
        breaks="the controller is that of v0.1.0",
        clauses=("O-2.1",),
        cause="the manager is .*v0.1.0, not",
        features=FIRST_PODS,
        acts=(
            on_host(
                f"{_KUBECTL} set image {_CONTROLLER} manager=quay.io/confidential-containers/operator:v0.1.0"
            ),
        ),
    ),
    Fault(
        name="proxy-image-of-gcr",
        kind=Kind.WRONG_STATE,
        breaks="the controller's proxy is the image at gcr.io, which the guide's network cannot reach",
        clauses=("O-2.2",),
        cause="the proxy is gcr.io/kubebuilder/kube-rbac-proxy:v0.13.0, not",
        features=FIRST_PODS,
        acts=(
            on_host(
                f"{_KUBECTL} set image {_CONTROLLER}"
                " kube-rbac-proxy=gcr.io/kubebuilder/kube-rbac-proxy:v0.13.0"
            ),
        ),
    ),
    Fault(
        name="no-controller-pod",
        kind=Kind.LOST_SERVICE,
        breaks="the controller is scaled to no pod",
        clauses=("O-2.3",),
        cause="cc-operator-controller-manager",
        features=FIRST_PODS,
        acts=(on_host(_NO_CONTROLLER),),
    ),
    Fault(
        name="no-install-label",
        kind=Kind.WRONG_STATE,
        breaks="the node lost the label that says that kata is installed on it",
        clauses=("O-3.1",),
        cause="not installed any more on anolis-sev-1",
        features=FIRST_PODS,
        acts=(on_host("kubectl label node/anolis-sev-1 katacontainers.io/kata-runtime-"),),
    ),
    Fault(
        name="runtime-missing-in-containerd",
        kind=Kind.WRONG_STATE,
        breaks="containerd's configuration lost one of kata's runtimes, though the CcRuntime says installed",
        clauses=("O-3.1",),
        cause="has no runtime kata-clh",
        features=FIRST_PODS,
        acts=(on_host("sed -i 's/runtimes.kata-clh\\b/runtimes.kata-other/' /etc/containerd/config.toml"),),
    ),
    Fault(
        name="runtimes-without-cri-handler",
        kind=Kind.WRONG_STATE,
        breaks="containerd's runtimes lost the handler by which a guest pulls its image itself",
        clauses=("O-3.1",),
        cause="has cri_handler None",
        features=FIRST_PODS,
        acts=(on_host("sed -i '/cri_handler/d' /etc/containerd/config.toml; systemctl restart containerd"),),
    ),
    Fault(
        name="no-runtime-class",
        kind=Kind.MISSING_PRECONDITION,
        breaks="the RuntimeClass kata-clh was deleted, and the controller that would make it again is down",
        clauses=("O-3.2",),
        cause="kata-clh does not exist",
        also=("O-2.3",),
        features=FIRST_PODS,
        acts=(on_host(f"{_NO_CONTROLLER} kubectl delete runtimeclass kata-clh"),),
    ),
    Fault(
        name="runtime-class-with-other-handler",
        kind=Kind.WRONG_STATE,
        breaks="the RuntimeClass kata-qemu-sev has the handler kata-qemu, which starts VMs without SEV",
        clauses=("O-3.2",),
        cause="kata-qemu-sev has the handler kata-qemu",
        features=FIRST_PODS,
        acts=(on_host(_OTHER_HANDLER),),
    ),
    Fault(
        name="runtime-classes-outlive-uninstallation",
        kind=Kind.LYING_COMPONENT,
        breaks="the API says that RuntimeClasses are deleted, and keeps them",
        clauses=("O-4.1",),
        cause="still there: .*RuntimeClass",
        provision="apply",
        features=("2",),
        stand_ins={"apiserver": "simlab.faults.stand_ins.apiserver:keeps_runtime_classes"},
    ),
    Fault(
        name="second-installation-never-ends",
        kind=Kind.LYING_COMPONENT,
        breaks="after an uninstallation the CcRuntime never tells again that it is installed",
        clauses=("O-4.2",),
        cause="installed on 0 of 1 nodes|CcRuntime",
        provision="apply",
        features=("2",),
        stand_ins={"apiserver": "simlab.faults.stand_ins.apiserver:installs_once"},
    ),
    Fault(
        name="api-answers-html",
        kind=Kind.HOSTILE_ANSWER,
        breaks="the API answers for RuntimeClasses with a login page",
        clauses=("O-3.2",),
        cause="is answered, but not with JSON",
        broken=True,
        features=("2",),
        stand_ins={"apiserver": "simlab.faults.stand_ins.apiserver:answers_html"},
    ),
    Fault(
        name="api-answers-half",
        kind=Kind.HOSTILE_ANSWER,
        breaks="the API answers for RuntimeClasses with half a JSON document",
        clauses=("O-3.2",),
        cause="is answered, but not with JSON",
        broken=True,
        features=("2",),
        stand_ins={"apiserver": "simlab.faults.stand_ins.apiserver:answers_half"},
    ),
    Fault(
        name="api-answers-nonsense",
        kind=Kind.HOSTILE_ANSWER,
        breaks="the API answers for RuntimeClasses with JSON that lists no objects",
        clauses=("O-3.2",),
        cause="is answered, but with no object and no list of objects",
        broken=True,
        features=("2",),
        stand_ins={"apiserver": "simlab.faults.stand_ins.apiserver:answers_nonsense"},
    ),
)
