"""The scheduler and the controllers, against the server."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest

from simlab.kube.client import Api
from simlab.kube.controllers.controller import Cluster, Controller
from simlab.kube.controllers.evictions import Evictions
from simlab.kube.controllers.nodes import NodeLifecycle
from tests.simlab.kube.world import START_SECONDS, Kube, Obj, node, pod

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"


def until(find: Callable[[], Any], seconds: float = START_SECONDS) -> Any:
    """What `find` returns once it is true; fails at the deadline with what it returned last."""
    deadline = time.monotonic() + seconds
    while not (found := find()):
        assert time.monotonic() < deadline, f"still {found!r}"
        time.sleep(0.05)
    return found


@pytest.fixture
def worker(kube: Kube, namespace: str) -> Iterator[str]:
    """A ready node with a label of its own."""
    name = f"{namespace}-worker"
    kube.create("/api/v1/nodes", node(name, labels={"for": namespace}))
    yield name
    kube.request("DELETE", f"/api/v1/nodes/{name}")


def pending(name: str, **spec: Any) -> Obj:
    return pod(name, schedulerName="default-scheduler", **spec)


def event_notes(kube: Kube, namespace: str, reason: str) -> list[str]:
    found = kube.get(f"/api/v1/namespaces/{namespace}/events?fieldSelector=reason%3D{reason}")
    return [item["message"] for item in found["items"]]


def test_pod_goes_to_the_node_that_fits(kube: Kube, namespace: str, pods: str, worker: str) -> None:
    kube.create(pods, pending("a", nodeSelector={"for": namespace}))
    until(lambda: kube.get(f"{pods}/a")["spec"].get("nodeName") == worker)
    conditions = kube.get(f"{pods}/a")["status"]["conditions"]
    assert [(each["type"], each["status"]) for each in conditions] == [("PodScheduled", "True")]
    note = f"Successfully assigned {namespace}/a to {worker}"
    until(lambda: event_notes(kube, namespace, "Scheduled") == [note])


def test_pod_that_fits_nowhere_waits_with_the_reason(
    kube: Kube, namespace: str, pods: str, worker: str
) -> None:
    kube.create(pods, pending("a", nodeSelector={"for": namespace, "katacontainers.io/kata-runtime": "true"}))
    condition = until(lambda: kube.get(f"{pods}/a")["status"].get("conditions"))[0]
    assert (condition["type"], condition["status"], condition["reason"]) == (
        "PodScheduled",
        "False",
        "Unschedulable",
    )
    assert "node(s) didn't match Pod's node affinity/selector" in condition["message"]
    assert condition["message"].startswith("0/")
    labels = {"metadata": {"labels": {"katacontainers.io/kata-runtime": "true"}}}
    kube.request("PATCH", f"/api/v1/nodes/{worker}", labels, kind=MERGE)
    until(lambda: kube.get(f"{pods}/a")["spec"].get("nodeName") == worker)


def test_pod_that_asks_too_much_waits(kube: Kube, namespace: str, pods: str, worker: str) -> None:
    manifest = pending("a", nodeSelector={"for": namespace})
    manifest["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "3"}}
    kube.create(pods, manifest)
    until(lambda: kube.get(f"{pods}/a")["spec"].get("nodeName"))
    manifest["metadata"]["name"] = "b"
    kube.create(pods, manifest)
    until(
        lambda: any("Insufficient cpu" in note for note in event_notes(kube, namespace, "FailedScheduling"))
    )
    kube.request("DELETE", f"{pods}/a", {"gracePeriodSeconds": 0})
    until(lambda: kube.get(f"{pods}/b")["spec"].get("nodeName") == worker)


def test_pod_that_does_not_tolerate_a_taint_waits(kube: Kube, namespace: str, pods: str, worker: str) -> None:
    taint = {"spec": {"taints": [{"key": "maintenance", "value": "yes", "effect": "NoSchedule"}]}}
    kube.request("PATCH", f"/api/v1/nodes/{worker}", taint, kind=MERGE)
    tolerant = {"tolerations": [{"key": "maintenance", "operator": "Exists"}]}
    kube.create(pods, pending("tolerant", nodeSelector={"for": namespace}, **tolerant))
    kube.create(pods, pending("other", nodeSelector={"for": namespace}))
    until(lambda: kube.get(f"{pods}/tolerant")["spec"].get("nodeName") == worker)
    notes = until(lambda: event_notes(kube, namespace, "FailedScheduling"))
    assert "node(s) had untolerated taint {maintenance: yes}" in notes[0]
    assert "nodeName" not in kube.get(f"{pods}/other")["spec"]
    kube.request("PATCH", f"/api/v1/nodes/{worker}", {"spec": {"taints": None}}, kind=MERGE)
    until(lambda: kube.get(f"{pods}/other")["spec"].get("nodeName") == worker)


def test_node_that_is_not_ready_is_tainted_until_it_is(kube: Kube, namespace: str) -> None:
    name = f"{namespace}-sick"
    path = f"/api/v1/nodes/{name}"
    kube.create("/api/v1/nodes", node(name, ready="False"))
    taints = until(lambda: kube.get(path)["spec"].get("taints"))
    assert {(taint["key"], taint["effect"]) for taint in taints} == {
        ("node.kubernetes.io/not-ready", "NoSchedule"),
        ("node.kubernetes.io/not-ready", "NoExecute"),
    }
    ready = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    kube.request("PATCH", f"{path}/status", ready, kind=STRATEGIC)
    until(lambda: not kube.get(path)["spec"].get("taints"))
    kube.request("DELETE", path)


def run_here(kube: Kube, build: Callable[[Cluster], Controller], done: Callable[[], bool]) -> None:
    """Run one controller in this process until the cluster is as wanted."""

    async def work() -> None:
        api = Api.from_kubeconfig(kube.kubeconfig)
        cluster = Cluster(api)
        task = asyncio.create_task(build(cluster).run())
        try:
            await asyncio.to_thread(until, done)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await cluster.stop()
            await api.close()

    asyncio.run(work())


def test_silent_node_becomes_unknown_with_its_pods(tmp_path_factory: pytest.TempPathFactory) -> None:
    kube = Kube.start(tmp_path_factory.mktemp("silent"))
    try:
        kube.create("/api/v1/namespaces/default/serviceaccounts", {"metadata": {"name": "default"}})
        kube.create("/api/v1/nodes", node("silent"))
        pods = "/api/v1/namespaces/default/pods"
        kube.create(pods, pod("a", nodeName="silent"))
        ready = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
        kube.request("PATCH", f"{pods}/a/status", ready, kind=STRATEGIC)

        def gone_silent() -> bool:
            found = {c["type"]: c for c in kube.get("/api/v1/nodes/silent")["status"]["conditions"]}
            pod_ready = kube.get(f"{pods}/a")["status"]["conditions"][0]["status"]
            return bool(found["Ready"]["status"] == "Unknown" and pod_ready == "False")

        def quickly(cluster: Cluster) -> NodeLifecycle:
            lifecycle = NodeLifecycle(cluster, grace=0.3)
            lifecycle.period = 0.1
            return lifecycle

        run_here(kube, quickly, gone_silent)
        found = kube.get("/api/v1/nodes/silent")
        condition = next(c for c in found["status"]["conditions"] if c["type"] == "Ready")
        assert condition["reason"] == "NodeStatusUnknown"
        assert condition["message"] == "Kubelet stopped posting node status."
        assert found["spec"]["taints"][0]["key"] == "node.kubernetes.io/unreachable"
        assert set(event_notes(kube, "default", "NodeNotReady")) == {
            "Node silent status is now: NodeNotReady",
            "Node is not ready",
        }

        kube.request("DELETE", "/api/v1/nodes/silent")

        def orphans(cluster: Cluster) -> Evictions:
            evictions = Evictions(cluster, quarantine=0.2)
            evictions.period = 0.1
            return evictions

        run_here(kube, orphans, lambda: kube.request("GET", f"{pods}/a").code == 404)
    finally:
        kube.stop()


def test_namespace_has_the_clusters_authority(kube: Kube, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps/kube-root-ca.crt"
    until(lambda: kube.request("GET", path).code == 200)
    authority = (kube.root / "world" / "pki" / "ca.crt").read_text()
    assert kube.get(path)["data"]["ca.crt"].strip() == authority.strip()
    kube.request("DELETE", path)
    until(lambda: kube.request("GET", path).code == 200)


def workload(name: str, image: str, **spec: Any) -> Obj:
    container = {"name": "main", "image": image}
    template = {
        "metadata": {"labels": {"app": name}},
        "spec": {"containers": [container], "schedulerName": "nobody"},
    }
    selector = {"matchLabels": {"app": name}}
    return {"metadata": {"name": name}, "spec": {"selector": selector, "template": template, **spec}}


def make_ready(kube: Kube, pods: str, names: set[str]) -> None:
    """What a kubelet would say of pods that run."""
    for name in names:
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        condition = {"type": "Ready", "status": "True", "lastTransitionTime": now}
        status = {"status": {"phase": "Running", "conditions": [condition]}}
        kube.request("PATCH", f"{pods}/{name}/status", status, kind=STRATEGIC)


def living(kube: Kube, pods: str, image: str) -> set[str]:
    return {
        item["metadata"]["name"]
        for item in kube.get(pods)["items"]
        if item["spec"]["containers"][0]["image"] == image and "deletionTimestamp" not in item["metadata"]
    }


def test_deployment_rolls_over_and_takes_its_pods_along(kube: Kube, namespace: str, pods: str) -> None:
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    kube.create(path, workload("web", "one", replicas=2))
    make_ready(kube, pods, until(lambda: len(found := living(kube, pods, "one")) == 2 and found))
    until(lambda: kube.get(f"{path}/web")["status"].get("availableReplicas") == 2)
    assert "deployment.kubernetes.io/revision" in kube.get(f"{path}/web")["metadata"]["annotations"]
    image = {"spec": {"template": {"spec": {"containers": [{"name": "main", "image": "two"}]}}}}
    kube.request("PATCH", f"{path}/web", image, kind=STRATEGIC)
    first = until(lambda: living(kube, pods, "two"))
    assert len(first) == 1
    assert len(living(kube, pods, "one")) == 2, "25 % of two pods may be missing: none"
    make_ready(kube, pods, first)
    until(lambda: len(living(kube, pods, "one")) == 1)
    make_ready(kube, pods, until(lambda: len(found := living(kube, pods, "two")) == 2 and found))
    until(lambda: not living(kube, pods, "one"))
    said = kube.kubectl("rollout", "status", "-n", namespace, "deployment/web", "--timeout=20s")
    assert "successfully rolled out" in said
    kube.kubectl("delete", "-n", namespace, "deployment/web")
    until(lambda: not kube.get(pods)["items"])
    assert not kube.get(f"/apis/apps/v1/namespaces/{namespace}/replicasets")["items"]


def test_daemon_set_has_one_pod_on_each_fitting_node(
    kube: Kube, namespace: str, pods: str, worker: str
) -> None:
    path = f"/apis/apps/v1/namespaces/{namespace}/daemonsets"
    body = workload("agent", "one")
    body["spec"]["template"]["spec"] |= {
        "nodeSelector": {"for": namespace},
        "schedulerName": "default-scheduler",
    }
    kube.create(path, body)
    (made,) = until(lambda: living(kube, pods, "one"))
    until(lambda: kube.get(f"{pods}/{made}")["spec"].get("nodeName") == worker)
    make_ready(kube, pods, {made})
    until(lambda: kube.get(f"{path}/agent")["status"].get("numberAvailable") == 1)
    status = kube.get(f"{path}/agent")["status"]
    assert (status["desiredNumberScheduled"], status["currentNumberScheduled"]) == (1, 1)
    label = {"metadata": {"labels": {"for": "others"}}}
    kube.request("PATCH", f"/api/v1/nodes/{worker}", label, kind=MERGE)
    until(lambda: not living(kube, pods, "one"))
    until(lambda: kube.get(f"{path}/agent")["status"]["desiredNumberScheduled"] == 0)


def test_owned_objects_go_with_their_owner_or_are_set_free(kube: Kube, namespace: str) -> None:
    maps = f"/api/v1/namespaces/{namespace}/configmaps"

    def family(name: str) -> None:
        owner = kube.create(maps, {"metadata": {"name": name}})
        reference = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "name": name,
            "uid": owner["metadata"]["uid"],
            "blockOwnerDeletion": True,
        }
        kube.create(maps, {"metadata": {"name": f"{name}-child", "ownerReferences": [reference]}})

    family("plain")
    kube.request("DELETE", f"{maps}/plain")
    until(lambda: kube.request("GET", f"{maps}/plain-child").code == 404)
    family("foreground")
    marked = kube.request("DELETE", f"{maps}/foreground", {"propagationPolicy": "Foreground"}).body
    assert marked["metadata"]["finalizers"] == ["foregroundDeletion"]
    until(lambda: kube.request("GET", f"{maps}/foreground").code == 404)
    assert kube.request("GET", f"{maps}/foreground-child").code == 404
    family("orphan")
    kube.request("DELETE", f"{maps}/orphan", {"propagationPolicy": "Orphan"})
    until(lambda: kube.request("GET", f"{maps}/orphan").code == 404)
    assert "ownerReferences" not in kube.get(f"{maps}/orphan-child")["metadata"]
