"""The guide's step two on a lab: the three pods, the uninstallation, and the installation again."""

from __future__ import annotations

import hashlib
import json
import os
import time
from typing import TYPE_CHECKING

import pytest

from simlab import artifacts
from simlab.operator import names, seed
from simlab.release import versions
from tests.simlab.keeper import Keeper

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAMESPACE = f"-n {names.NAMESPACE}"
INITRD = "/opt/confidential-containers/share/kata-containers/kata-containers-initrd-sev.img"
HANDLERS = "kata kata-clh kata-clh-tdx kata-qemu kata-qemu-sev kata-qemu-tdx"
SECONDS = 40.0


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Keeper]:
    """A lab of the test's own, for what other tests could not bear."""
    with Keeper(tmp_path / f"own-{os.getpid()}") as keeper:
        yield keeper


def until(lab: Keeper, command: str, wanted: str) -> None:
    """Wait until a command prints what is wanted."""
    deadline = time.monotonic() + SECONDS
    while (seen := str(lab.run(command).stdout)).strip() != wanted:
        assert time.monotonic() < deadline, (command, seen, lab.output(f"kubectl get events {NAMESPACE}"))
        time.sleep(0.2)


def pods(lab: Keeper) -> dict[str, tuple[str, str]]:
    lines = lab.output(f"kubectl get pods {NAMESPACE} --no-headers").splitlines()
    return {line.split()[0].rpartition("-")[0]: (line.split()[1], line.split()[2]) for line in lines}


def manager_log(lab: Keeper) -> str:
    return lab.output(f"kubectl logs {NAMESPACE} deploy/cc-operator-controller-manager manager")


def test_the_three_pods_of_the_guide_run(lab: Keeper) -> None:
    found = pods(lab)
    manager = next(name for name in found if name.startswith("cc-operator-controller-manager-"))
    assert found == {
        manager: ("2/2", "Running"),
        "cc-operator-daemon-install": ("1/1", "Running"),
        "cc-operator-pre-install-daemon": ("1/1", "Running"),
    }


def test_the_runtime_tells_that_it_is_installed_everywhere(lab: Keeper) -> None:
    runtime = json.loads(lab.output("kubectl get ccruntime ccruntime-sample -o json"))
    status = runtime["status"]
    assert status["totalNodesCount"] == status["installationStatus"]["completed"]["completedNodesCount"] == 1
    assert runtime["metadata"]["finalizers"] == [names.FINALIZER]
    owners = lab.output("kubectl get runtimeclass -o jsonpath='{.items[*].metadata.ownerReferences[*].uid}'")
    assert set(owners.split()) == {runtime["metadata"]["uid"]}


def test_each_start_of_the_install_pod_brings_the_stock_initrd_back(lab: Keeper) -> None:
    stock = artifacts.Artifacts(lab.layout.world / "artifacts").initrd_sev.read_bytes()
    lab.output(f"printf x >> {INITRD}")
    lab.output(f"kubectl delete pod {NAMESPACE} -l name=cc-operator-daemon-install")
    until(lab, f"sha256sum < {INITRD}", f"{hashlib.sha256(stock).hexdigest()}  -")


def test_uninstalling_and_installing_again(own: Keeper) -> None:
    lab = own
    sample, release = (
        f"github.com/confidential-containers/operator/config/{folder}?ref=v0.3.0"
        for folder in ("samples/ccruntime/default", "release")
    )
    lab.output(f"kubectl delete -k {sample} --timeout=30s")
    until(lab, "kubectl get runtimeclass -o name", "")
    until(lab, f"kubectl get ds,pods {NAMESPACE} -o name | grep -c -v controller-manager", "0")
    until(lab, "ls -A /opt/confidential-containers", "")
    labels = json.loads(lab.output("kubectl get nodes -o json"))["items"][0]["metadata"]["labels"]
    assert not {"cc-preinstall/done", "cc-postuninstall/done", names.KATA_RUNTIME_LABEL} & labels.keys()
    assert "kata" not in lab.output("cat /etc/containerd/config.toml")
    # The namespace's deletion may be quicker than kubectl with what is in it.
    lab.output(f"kubectl delete -k {release} --ignore-not-found --timeout=30s")
    assert names.NAMESPACE not in lab.output("kubectl get namespaces")
    assert lab.run("kubectl get ccruntimes").exit_status == 1

    lab.output("kubectl label node --all node-role.kubernetes.io/worker-")
    lab.output(f"kubectl apply -k {release}")
    events = f"kubectl get events {NAMESPACE} -o jsonpath='{{.items[*].message}}'"
    deadline = time.monotonic() + SECONDS
    while "lookup gcr.io: no such host" not in lab.output(events):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    deployment = f"{NAMESPACE} deploy/cc-operator-controller-manager"
    lab.output(f"kubectl set image {deployment} kube-rbac-proxy={seed.reachable_proxy(versions.DEFAULT)}")
    lab.output(f"kubectl rollout status {deployment} --timeout=30s")
    lab.output(f"kubectl apply -k {sample}")
    deadline = time.monotonic() + SECONDS
    while "no suitable worker nodes found for runtime installation" not in manager_log(lab):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    lab.output("kubectl label node --all node-role.kubernetes.io/worker=")
    done = "{.items[*].status.installationStatus.completed.completedNodesCount}"
    until(lab, f"kubectl get ccruntime -o jsonpath='{done}'", "1")
    until(lab, "kubectl get runtimeclass -o jsonpath='{.items[*].handler}'", HANDLERS)
    test_the_three_pods_of_the_guide_run(lab)
