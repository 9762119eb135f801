"""The operator's uninstallation: who may do it, what it does in which order, and what is told of it."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lab.containerd import PATH
from lab.errors import NotPermitted, NotProven
from lab.kubectl import Kubectl
from lab.loading import load_profile
from lab.operator import CONTROLLER, DAEMONS, NAMESPACE, Operator
from lab.provisioning import Mode, Provisioning
from lab.uninstallation import PERMISSIONS, Uninstallation
from lab.worker_nodes import WorkerNodes
from tests.lab.objects_cluster import LABEL, ObjectsCluster, node, pod, runtime
from tests.lab.said import SayingHost

if TYPE_CHECKING:
    from lab.record import MemoryRecord

PROFILE = load_profile(Path(__file__).parents[2] / "profiles" / "anolis-8.6-coco-0.3.0.toml")
SHIM, INITRD = "/usr/local/bin/containerd-shim-kata-v2", "/opt/confidential-containers/share/initrd.img"
RUNTIME, RELEASE = PROFILE.operator.ccruntime, PROFILE.operator.release


class Installed:
    """A lab on which the operator is installed, and whose kubectl deletes what a kustomization names."""

    def __init__(self, lab_of: Any, record: MemoryRecord, mode: Mode, *permissions: str) -> None:
        lab = lab_of(
            {"host": "h", "known_hosts": "/dev/null"},
            permissions=dict.fromkeys(permissions, True),
            timeouts={"runtime_installed": 1.0, "pod_deleted": 1.0},
        )
        pods = [pod(f"{CONTROLLER}-x", 0, ready=2, of=2), *(pod(name, 0, ready=1, of=1) for name in DAEMONS)]
        sample = runtime(1, 1)
        sample["metadata"]["uid"] = "7"
        worker = node(**{LABEL: "", "cc-preinstall/done": "true"})
        worker["metadata"]["uid"] = "1"
        for each in pods:
            each["metadata"] |= {"uid": each["metadata"]["name"], "namespace": NAMESPACE}
        self.cluster = ObjectsCluster({"Node": [worker], "Pod": pods, "CcRuntime": [sample]})
        self.host = SayingHost({"sha256sum": "", "kubectl": ""})
        self.host.files[PATH] = b"version = 2\n"
        self.files = {SHIM: "l 777 root:root x", INITRD: "f 644 root:root", "/opt/sev/x": "f 644 root:root"}
        self.show()
        self.host.does["kubectl --kubeconfig /etc/kubernetes/admin.conf delete"] = self.delete
        self.looked = 0
        nodes = WorkerNodes(lab, self.cluster.as_cluster, LABEL)
        self.whole = Uninstallation(
            lab=lab,
            profile=PROFILE,
            host=self.host.as_host,
            cluster=self.cluster.as_cluster,
            nodes=nodes,
            operator=Operator(self.cluster.as_cluster, nodes),
            kubectl=Kubectl(lab, self.host.as_host),
            provisioning=Provisioning(mode=mode, permissions=lab.permissions, record=record),
            look=lambda: None,
            record=record,
        )

    def show(self) -> None:
        listing = "".join(f"{path}\t{what}\0" for path, what in self.files.items())
        # Both commands begin with find: the checksums' comes out empty of paths that are known.
        self.host.says["find"] = listing

    def delete(self) -> None:
        if RUNTIME in self.host.commands[-1]:
            self.cluster.objects["CcRuntime"] = []
            self.cluster.objects["Pod"] = self.cluster.objects["Pod"][:1]
            del self.cluster.objects["Node"][0]["metadata"]["labels"]["cc-preinstall/done"]
            self.files.pop(INITRD, None)
            self.show()
        else:
            self.cluster.objects["Pod"] = []

    @property
    def deleted(self) -> list[str]:
        sources = (shlex.split(command)[-1] for command in self.host.commands if "delete" in command)
        return [source.removesuffix("&timeout=900s") for source in sources]


@pytest.fixture
def allowed(lab_of: Any, record: MemoryRecord) -> Installed:
    return Installed(lab_of, record, Mode.APPLY, *PERMISSIONS)


def test_the_custom_resource_goes_before_its_operator(allowed: Installed, record: MemoryRecord) -> None:
    outcome = allowed.whole.perform()
    assert allowed.deleted == [RUNTIME, RELEASE]
    assert (outcome.stuck, outcome.kept, outcome.harmed, outcome.lost) == ([], [], [], [])
    assert outcome.left == [SHIM]
    allowed.whole.tell_left_behind()
    assert [(finding.detail, finding.clause) for finding in record.findings] == [(SHIM, "O-4.1")]
    assert [(each.name, each.kind) for each in record.operations] == [("uninstall the operator", "borrowed")]


def test_it_lasts_until_the_operator_is_installed_again(allowed: Installed) -> None:
    assert not allowed.whole.lasts
    with pytest.raises(NotProven, match="not uninstalled in this run"):
        allowed.whole.require_performed()
    allowed.whole.perform()
    assert allowed.whole.lasts
    allowed.cluster.objects["CcRuntime"] = [runtime(1, 1)]
    assert not allowed.whole.lasts


def test_one_that_did_not_end_is_not_begun_again(allowed: Installed) -> None:
    del allowed.host.does["kubectl --kubeconfig /etc/kubernetes/admin.conf delete"]
    allowed.whole.perform()
    assert allowed.whole.lasts


def test_what_stays_and_should_not_is_named(allowed: Installed) -> None:
    remove = allowed.delete

    def remove_some() -> None:
        remove()
        allowed.files |= {INITRD: "f 644 root:root"}
        allowed.files.pop("/opt/sev/x", None)
        allowed.show()
        allowed.host.files[PATH] = b'[plugins.cri.containerd.runtimes.kata]\nruntime_type = "x"\n'

    allowed.host.does["kubectl --kubeconfig /etc/kubernetes/admin.conf delete"] = remove_some
    outcome = allowed.whole.perform()
    assert outcome.kept == ["the runtime kata in containerd's configuration", INITRD]
    assert outcome.harmed == ["/opt/sev/x is gone"]
    assert outcome.lost == ["version = 2"]


def test_a_custom_resource_that_does_not_go_leaves_its_operator_there(allowed: Installed) -> None:
    del allowed.host.does["kubectl --kubeconfig /etc/kubernetes/admin.conf delete"]
    outcome = allowed.whole.perform()
    assert allowed.deleted == [RUNTIME]
    assert outcome.stuck == [f"CcRuntime ccruntime-sample to be gone; there is no {CONTROLLER}"]
    with pytest.raises(NotProven, match="the uninstallation did not end"):
        allowed.whole.require_performed()


@pytest.mark.parametrize("mode", [Mode.CHECK, Mode.OFF])
def test_without_apply_nothing_is_uninstalled(lab_of: Any, record: MemoryRecord, mode: Mode) -> None:
    installed = Installed(lab_of, record, mode, *PERMISSIONS)
    with pytest.raises(NotProven, match=f"provisioning is {mode}"):
        installed.whole.perform()
    assert installed.host.commands == []


@pytest.mark.parametrize("missing", PERMISSIONS)
def test_every_permission_that_it_needs_is_asked_for(lab_of: Any, record: MemoryRecord, missing: str) -> None:
    installed = Installed(lab_of, record, Mode.APPLY, *(set(PERMISSIONS) - {missing}))
    with pytest.raises(NotPermitted, match=rf"permissions\.{missing} = true"):
        installed.whole.perform()
    assert installed.host.commands == []


def test_pods_of_others_are_not_harmed(allowed: Installed) -> None:
    theirs = {"metadata": {"name": "theirs", "namespace": "shop"}, "spec": {"runtimeClassName": "kata"}}
    kata = {"metadata": {"name": "kata", "ownerReferences": [{"kind": "CcRuntime"}]}}
    allowed.cluster.objects |= {"RuntimeClass": [kata]}
    allowed.cluster.objects["Pod"].append(theirs)
    with pytest.raises(NotProven, match="would take their runtime from pods of others: Pod shop/theirs"):
        allowed.whole.perform()
    del theirs["spec"]["runtimeClassName"]
    with pytest.raises(NotProven, match=f"deletes the namespace {NAMESPACE} with what others have in it"):
        allowed.whole.perform()
    assert allowed.host.commands == []


def test_an_operator_that_does_not_run_has_another_owner(allowed: Installed) -> None:
    allowed.cluster.objects["Pod"].pop()
    with pytest.raises(NotProven) as refused:
        allowed.whole.perform()
    assert refused.value.owner == "O-2.3"
    allowed.cluster.objects["CcRuntime"] = []
    with pytest.raises(NotProven) as refused:
        allowed.whole.perform()
    assert refused.value.owner == "O-3.1"
