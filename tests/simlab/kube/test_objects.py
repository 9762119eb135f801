"""Objects: what the server completes, refuses, keeps and removes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.simlab.kube.world import pod

if TYPE_CHECKING:
    from tests.simlab.kube.world import Kube

CLASSES = "/apis/node.k8s.io/v1/runtimeclasses"


def test_pod_is_completed_as_a_real_server_does(kube: Kube, pods: str) -> None:
    manifest = pod("a")
    manifest["spec"]["containers"].append(
        {"name": "second", "image": "docker.io/library/nginx", "resources": {"limits": {"cpu": 1}}}
    )
    made = kube.create(pods, manifest)
    spec = made["spec"]
    assert spec["restartPolicy"] == "Always"
    assert spec["dnsPolicy"] == "ClusterFirst"
    assert spec["terminationGracePeriodSeconds"] == 30
    assert spec["serviceAccountName"] == spec["serviceAccount"] == "default"
    assert [container["imagePullPolicy"] for container in spec["containers"]] == ["IfNotPresent", "Always"]
    assert spec["containers"][1]["resources"] == {"limits": {"cpu": "1"}, "requests": {"cpu": "1"}}
    assert {toleration["key"] for toleration in spec["tolerations"]} == {
        "node.kubernetes.io/not-ready",
        "node.kubernetes.io/unreachable",
    }
    assert spec["volumes"][0]["name"].startswith("kube-api-access-")
    assert made["status"] == {"phase": "Pending", "qosClass": "Burstable"}
    assert made["metadata"]["uid"]
    assert made["metadata"]["creationTimestamp"].endswith("Z")


def test_generated_names_differ(kube: Kube, pods: str) -> None:
    manifest = pod("unused")
    manifest["metadata"] = {"generateName": "web-"}
    names = {kube.create(pods, manifest)["metadata"]["name"] for _ in range(5)}
    assert len(names) == 5
    assert all(name.startswith("web-") and len(name) == 9 for name in names)


def test_name_taken(kube: Kube, pods: str) -> None:
    kube.create(pods, pod("a"))
    status = kube.create(pods, pod("a"), code=409)
    assert status["reason"] == "AlreadyExists"
    assert status["message"] == 'pods "a" already exists'
    assert status["details"] == {"name": "a", "kind": "pods"}


def test_missing_object(kube: Kube, namespace: str) -> None:
    answer = kube.request("GET", f"/apis/apps/v1/namespaces/{namespace}/deployments/x")
    assert answer.code == 404
    assert answer.body["message"] == 'deployments.apps "x" not found'
    assert answer.body["details"] == {"name": "x", "group": "apps", "kind": "deployments"}


def test_missing_namespace(kube: Kube) -> None:
    status = kube.create("/api/v1/namespaces/nowhere/pods", pod("a"), code=404)
    assert status["message"] == 'namespaces "nowhere" not found'


def test_invalid_pod_names_every_cause(kube: Kube, pods: str) -> None:
    manifest = pod("Not_A_Name", restartPolicy="Sometimes")
    manifest["spec"]["containers"] = [{"name": "a", "volumeMounts": [{"name": "v", "mountPath": "/v"}]}]
    status = kube.create(pods, manifest, code=422)
    assert status["reason"] == "Invalid"
    assert status["message"].startswith(
        'Pod "Not_A_Name" is invalid: [metadata.name: Invalid value: "Not_A_Name": '
    )
    causes = {cause["field"]: cause["reason"] for cause in status["details"]["causes"]}
    assert causes == {
        "metadata.name": "FieldValueInvalid",
        "spec.containers[0].image": "FieldValueRequired",
        "spec.containers[0].volumeMounts[0].name": "FieldValueNotFound",
        "spec.restartPolicy": "FieldValueNotSupported",
    }


def test_stale_update_conflicts(kube: Kube, pods: str) -> None:
    made = kube.create(pods, pod("a"))
    made["metadata"]["labels"] = {"step": "1"}
    assert kube.request("PUT", f"{pods}/a", made).code == 200
    answer = kube.request("PUT", f"{pods}/a", made)
    assert answer.code == 409
    assert answer.body["message"] == (
        'Operation cannot be fulfilled on pods "a": the object has been modified; '
        "please apply your changes to the latest version and try again"
    )


def test_update_that_changes_nothing_keeps_the_version(kube: Kube, pods: str) -> None:
    made = kube.create(pods, pod("a"))
    again = kube.request("PUT", f"{pods}/a", made).body
    assert again["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


def test_pod_spec_is_immutable_but_for_images(kube: Kube, pods: str) -> None:
    made = kube.create(pods, pod("a"))
    made["spec"]["containers"][0]["image"] = "busybox:2"
    made = kube.request("PUT", f"{pods}/a", made).body
    assert made["spec"]["containers"][0]["image"] == "busybox:2"
    made["spec"]["containers"][0]["command"] = ["true"]
    answer = kube.request("PUT", f"{pods}/a", made)
    assert answer.code == 422
    assert "spec: Forbidden: pod updates may not change fields other than" in answer.body["message"]


def test_status_and_spec_are_written_apart(kube: Kube, pods: str) -> None:
    made = kube.create(pods, pod("a"))
    made["status"] = {"phase": "Running"}
    assert kube.request("PUT", f"{pods}/a", made).body["status"]["phase"] == "Pending"
    made["spec"]["containers"][0]["image"] = "other"
    changed = kube.request("PUT", f"{pods}/a/status", made).body
    assert changed["status"]["phase"] == "Running"
    assert changed["spec"]["containers"][0]["image"] == "busybox:1.36"


def test_runtime_class_that_is_missing_refuses_the_pod(kube: Kube, pods: str) -> None:
    status = kube.create(pods, pod("busybox", runtimeClassName="kata-qemu-sev"), code=403)
    assert status["reason"] == "Forbidden"
    assert status["message"] == (
        'pods "busybox" is forbidden: pod rejected: RuntimeClass "kata-qemu-sev" not found'
    )
    assert status["details"] == {"name": "busybox", "kind": "pods"}


def test_runtime_class_adds_its_scheduling_and_overhead(kube: Kube, pods: str) -> None:
    toleration = {"key": "confidential", "operator": "Exists"}
    scheduling = {"nodeSelector": {"zone": "sev"}, "tolerations": [toleration]}
    overhead = {"podFixed": {"memory": "160Mi"}}
    body = {"metadata": {"name": "heavy"}, "handler": "heavy", "overhead": overhead, "scheduling": scheduling}
    kube.create(CLASSES, body)
    made = kube.create(pods, pod("a", runtimeClassName="heavy", nodeSelector={"disk": "ssd"}))
    assert made["spec"]["nodeSelector"] == {"disk": "ssd", "zone": "sev"}
    assert toleration in made["spec"]["tolerations"]
    assert made["spec"]["overhead"] == {"memory": "160Mi"}
    status = kube.create(pods, pod("b", runtimeClassName="heavy", nodeSelector={"zone": "other"}), code=403)
    assert status["message"].endswith(
        "conflict: runtimeClass.scheduling.nodeSelector[zone] = sev; pod.spec.nodeSelector[zone] = other"
    )


def test_runtime_class_handler_is_immutable(kube: Kube) -> None:
    kube.create(CLASSES, {"metadata": {"name": "fixed"}, "handler": "fixed"})
    patch = {"handler": "other"}
    answer = kube.request("PATCH", f"{CLASSES}/fixed", patch, kind="application/merge-patch+json")
    assert answer.code == 422
    assert answer.body["message"] == (
        'RuntimeClass.node.k8s.io "fixed" is invalid: handler: Invalid value: "other": field is immutable'
    )


def test_unbound_pod_is_deleted_at_once_and_bound_one_waits(kube: Kube, pods: str) -> None:
    kube.create(pods, pod("unbound"))
    kube.request("DELETE", f"{pods}/unbound")
    assert kube.request("GET", f"{pods}/unbound").code == 404
    kube.create(pods, pod("bound", nodeName="somewhere"))
    marked = kube.request("DELETE", f"{pods}/bound", {"gracePeriodSeconds": 20}).body
    assert marked["metadata"]["deletionGracePeriodSeconds"] == 20
    longer = kube.request("DELETE", f"{pods}/bound", {"gracePeriodSeconds": 25}).body
    assert longer["metadata"]["deletionGracePeriodSeconds"] == 20
    kube.request("DELETE", f"{pods}/bound", {"gracePeriodSeconds": 0})
    assert kube.request("GET", f"{pods}/bound").code == 404


def test_delete_with_a_precondition_that_does_not_hold(kube: Kube, pods: str) -> None:
    kube.create(pods, pod("a"))
    answer = kube.request("DELETE", f"{pods}/a", {"preconditions": {"uid": "another"}})
    assert answer.code == 409
    assert "the UID in the precondition (another) does not match the UID in record" in answer.body["message"]
    assert kube.request("GET", f"{pods}/a").code == 200


def test_finalizer_holds_an_object_until_it_is_removed(kube: Kube, namespace: str) -> None:
    maps = f"/api/v1/namespaces/{namespace}/configmaps"
    kube.create(maps, {"metadata": {"name": "held", "finalizers": ["example.com/hold"]}})
    marked = kube.request("DELETE", f"{maps}/held").body
    assert marked["metadata"]["deletionTimestamp"]
    kind = "application/json-patch+json"
    added = [{"op": "add", "path": "/metadata/finalizers/-", "value": "example.com/more"}]
    assert kube.request("PATCH", f"{maps}/held", added, kind=kind).code == 422
    removed = [{"op": "remove", "path": "/metadata/finalizers"}]
    assert kube.request("PATCH", f"{maps}/held", removed, kind=kind).code == 200
    assert kube.request("GET", f"{maps}/held").code == 404


def test_dry_run_changes_nothing(kube: Kube, pods: str) -> None:
    answer = kube.request("POST", f"{pods}?dryRun=All", pod("a"))
    assert answer.code == 201
    assert answer.body["spec"]["restartPolicy"] == "Always"
    assert kube.request("GET", f"{pods}/a").code == 404
    assert kube.request("POST", f"{pods}?dryRun=Some", pod("a")).code == 422


def test_unknown_fields_are_refused_warned_of_or_dropped(kube: Kube, pods: str) -> None:
    manifest = pod("a", runtimeClass="kata")
    manifest["spec"]["containers"][0]["imagee"] = "x"
    strict = kube.request("POST", f"{pods}?fieldValidation=Strict", manifest)
    assert strict.code == 400
    assert strict.body["message"] == (
        'Pod in version "v1" cannot be handled as a Pod: strict decoding error: '
        'unknown field "spec.containers[0].imagee", unknown field "spec.runtimeClass"'
    )
    warned = kube.request("POST", f"{pods}?fieldValidation=Warn", manifest)
    assert warned.code == 201
    assert "unknown field" in warned.headers["Warning"]
    assert "runtimeClass" not in warned.body["spec"]


def test_wrong_type_is_told_with_its_field(kube: Kube, pods: str) -> None:
    manifest = pod("a", terminationGracePeriodSeconds="30")
    status = kube.create(pods, manifest, code=400)
    assert status["message"] == (
        'Pod in version "v1" cannot be handled as a Pod: json: cannot unmarshal string into '
        "Go struct field PodSpec.spec.terminationGracePeriodSeconds of type int64"
    )


@pytest.mark.parametrize(
    ("patch", "kind"),
    [
        ({"metadata": {"labels": {"a": None, "b": "2"}}}, "application/merge-patch+json"),
        ({"metadata": {"labels": {"a": None, "b": "2"}}}, "application/strategic-merge-patch+json"),
        (
            [
                {"op": "test", "path": "/metadata/labels/a", "value": "1"},
                {"op": "remove", "path": "/metadata/labels/a"},
                {"op": "add", "path": "/metadata/labels/b", "value": "2"},
            ],
            "application/json-patch+json",
        ),
    ],
)
def test_each_patch_changes_labels(kube: Kube, pods: str, patch: object, kind: str) -> None:
    manifest = pod("a")
    manifest["metadata"]["labels"] = {"a": "1"}
    kube.create(pods, manifest)
    assert kube.request("PATCH", f"{pods}/a", patch, kind=kind).body["metadata"]["labels"] == {"b": "2"}


def test_strategic_patch_merges_containers_by_name_and_merge_patch_replaces_them(
    kube: Kube, pods: str
) -> None:
    manifest = pod("a")
    manifest["spec"]["containers"].append({"name": "second", "image": "b"})
    kube.create(pods, manifest)
    patch = {"spec": {"containers": [{"name": "second", "image": "c"}]}}
    changed = kube.request("PATCH", f"{pods}/a", patch, kind="application/strategic-merge-patch+json").body
    assert [item["image"] for item in changed["spec"]["containers"]] == ["busybox:1.36", "c"]
    assert kube.request("PATCH", f"{pods}/a", patch, kind="application/merge-patch+json").code == 422


def test_events_are_the_same_in_both_versions(kube: Kube, namespace: str) -> None:
    event = {
        "metadata": {"name": "e"},
        "involvedObject": {"kind": "Pod", "name": "a", "namespace": namespace},
        "reason": "Pulled",
        "message": "done",
        "type": "Normal",
        "source": {"component": "kubelet"},
    }
    kube.create(f"/api/v1/namespaces/{namespace}/events", event)
    seen = kube.get(f"/apis/events.k8s.io/v1/namespaces/{namespace}/events/e")
    assert seen["apiVersion"] == "events.k8s.io/v1"
    assert seen["note"] == "done"
    assert seen["regarding"]["name"] == "a"
    assert "message" not in seen
    selector = "involvedObject.kind=Pod,involvedObject.name=a,reason=Pulled,type=Normal"
    found = kube.get(f"/api/v1/namespaces/{namespace}/events?fieldSelector={selector}")
    assert [item["metadata"]["name"] for item in found["items"]] == ["e"]


def test_deleted_namespace_takes_its_content_along(kube: Kube) -> None:
    kube.create("/api/v1/namespaces", {"metadata": {"name": "doomed"}})
    kube.create("/api/v1/namespaces/doomed/configmaps", {"metadata": {"name": "inside"}})
    kube.kubectl("delete", "ns/doomed", "--timeout=20s")
    assert kube.request("GET", "/api/v1/namespaces/doomed/configmaps/inside").code == 404


def test_custom_resource_is_served_while_its_definition_exists(kube: Kube) -> None:
    schema = {
        "type": "object",
        "properties": {
            "spec": {"type": "object", "properties": {"size": {"type": "integer", "default": 3}}},
            "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        },
    }
    version = {
        "name": "v1beta1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
        "subresources": {"status": {}},
        "additionalPrinterColumns": [{"name": "Size", "type": "integer", "jsonPath": ".spec.size"}],
    }
    definition = {
        "metadata": {"name": "things.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Cluster",
            "names": {"plural": "things", "kind": "Thing"},
            "versions": [version],
        },
    }
    path = "/apis/example.com/v1beta1/things"
    assert kube.request("GET", path).code == 404
    kube.create("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition)
    made = kube.create(path, {"metadata": {"name": "a"}, "spec": {"colour": "red"}, "status": {"x": 1}})
    assert made["spec"] == {"size": 3}
    assert "status" not in made
    made["status"] = {"x": 1}
    made["spec"]["size"] = 9
    changed = kube.request("PUT", f"{path}/a/status", made).body
    assert (changed["spec"]["size"], changed["status"]) == (3, {"x": 1})
    assert kube.kubectl("get", "things", "a").split() == ["NAME", "SIZE", "a", "3"]
    kube.request("DELETE", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/things.example.com")
    assert kube.request("GET", path).code == 404
