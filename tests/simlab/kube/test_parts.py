"""The parts that need no server: selectors, patches, field sets, pod states, ages."""

from __future__ import annotations

from typing import Any

import pytest

from simlab.kube.controllers.fit import amount, matches_node, tolerates
from simlab.kube.controllers.scheduler import unschedulable_text
from simlab.kube.errors import ApiError
from simlab.kube.fieldsets import from_fields, leaves, path_text, to_fields, without
from simlab.kube.patch import json_patch, merge_patch
from simlab.kube.selectors import matches_labels, parse_labels
from simlab.kube.strategic import strategic_merge
from simlab.kube.tables.columns import human_duration
from simlab.kube.tables.pods import status_of


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0s"),
        (119, "119s"),
        (120, "2m"),
        (125, "2m5s"),
        (3599, "59m"),
        (10799, "179m"),
        (10800, "3h"),
        (11000, "3h3m"),
        (100000, "27h"),
        (200000, "2d7h"),
        (1000000, "11d"),
        (63072000, "2y"),
    ],
)
def test_human_duration(seconds: int, shown: str) -> None:
    assert human_duration(seconds) == shown


def _pod(containers: list[Any], *, init: list[Any] | None = None, **more: Any) -> dict[str, Any]:
    status: dict[str, Any] = {"phase": more.pop("phase", "Pending"), **more}
    status["containerStatuses"] = [{"state": state, "ready": "running" in state} for state in containers]
    spec: dict[str, Any] = {"initContainers": [{}] * len(init or [])}
    if init:
        status["initContainerStatuses"] = [{"state": state} for state in init]
    return {"metadata": {}, "spec": spec, "status": status}


@pytest.mark.parametrize(
    ("pod", "shown"),
    [
        (_pod([]), "Pending"),
        (_pod([{"waiting": {"reason": "ContainerCreating"}}]), "ContainerCreating"),
        (_pod([{"running": {}}], phase="Running"), "Running"),
        (_pod([{"running": {}}, {"waiting": {"reason": "CrashLoopBackOff"}}]), "CrashLoopBackOff"),
        (_pod([{"terminated": {"reason": "Completed"}}], phase="Succeeded"), "Completed"),
        (_pod([{"terminated": {"exitCode": 3}}], phase="Failed"), "ExitCode:3"),
        (_pod([{"terminated": {"signal": 9, "exitCode": 137}}], phase="Failed"), "Signal:9"),
        (_pod([], init=[{"terminated": {"exitCode": 0}}, {"running": {}}]), "Init:1/2"),
        (_pod([], init=[{"waiting": {"reason": "ErrImagePull"}}]), "Init:ErrImagePull"),
        (_pod([], init=[{"terminated": {"exitCode": 1, "reason": "Error"}}]), "Init:Error"),
        (_pod([], phase="Failed", reason="Evicted"), "Evicted"),
    ],
)
def test_pod_states(pod: dict[str, Any], shown: str) -> None:
    assert status_of(pod) == shown


def test_selector_of_labels_with_missing_key() -> None:
    assert matches_labels(parse_labels("a!=1"), {"metadata": {}})
    assert not matches_labels(parse_labels("a notin (1),a"), {"metadata": {}})
    with pytest.raises(ApiError):
        parse_labels("a=1,,b=2")


def test_merge_patch_of_the_rfc() -> None:
    target = {"a": "b", "c": {"d": "e", "f": "g"}}
    assert merge_patch(target, {"a": "z", "c": {"f": None}}) == {"a": "z", "c": {"d": "e"}}
    assert merge_patch({"a": ["b"]}, {"a": {"b": None, "c": 1}}) == {"a": {"c": 1}}


@pytest.mark.parametrize(
    "steps",
    [
        [{"op": "test", "path": "/a", "value": 2}],
        [{"op": "remove", "path": "/missing"}],
        [{"op": "replace", "path": "/list/9", "value": 1}],
        [{"op": "add", "path": "no-slash", "value": 1}],
        [{"op": "bend", "path": "/a"}],
        [{"op": "add", "path": "/a/b/c", "value": 1}],
    ],
)
def test_json_patch_that_does_not_apply(steps: list[dict[str, Any]]) -> None:
    target = {"a": 1, "list": [1, 2]}
    with pytest.raises(ApiError) as caught:
        json_patch(target, steps)
    assert caught.value.code == 422
    assert target == {"a": 1, "list": [1, 2]}


def test_json_patch_moves_and_copies() -> None:
    steps = [
        {"op": "move", "from": "/a", "path": "/b"},
        {"op": "copy", "from": "/list/0", "path": "/list/-"},
        {"op": "add", "path": "/x~1y", "value": 3},
    ]
    assert json_patch({"a": 1, "list": [7]}, steps) == {"b": 1, "list": [7, 7], "x/y": 3}


def test_strategic_patch_directives() -> None:
    spec = {
        "containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "1"}],
        "tolerations": [{"key": "x"}],
        "volumes": [{"name": "v", "emptyDir": {}}],
    }
    patch = {
        "containers": [{"$patch": "delete", "name": "a"}, {"name": "c", "image": "2"}],
        "$setElementOrder/containers": [{"name": "c"}, {"name": "b"}],
        "tolerations": [{"key": "y"}],
        "volumes": [{"name": "v", "$retainKeys": ["name", "secret"], "secret": {"secretName": "s"}}],
    }
    assert strategic_merge(spec, patch, "V1PodSpec") == {
        "containers": [{"name": "c", "image": "2"}, {"name": "b", "image": "1"}],
        "tolerations": [{"key": "y"}],
        "volumes": [{"name": "v", "secret": {"secretName": "s"}}],
    }
    metadata = {"finalizers": ["a", "b"]}
    patch = {"$deleteFromPrimitiveList/finalizers": ["a"], "finalizers": ["c"]}
    assert strategic_merge(metadata, patch, "V1ObjectMeta") == {"finalizers": ["b", "c"]}
    assert strategic_merge(spec, {"containers": [{"$patch": "replace"}, {"name": "z"}]}, "V1PodSpec")[
        "containers"
    ] == [{"name": "z"}]


def test_field_sets_survive_their_written_form() -> None:
    pod = {
        "metadata": {"labels": {"a": "1"}, "finalizers": ["f"]},
        "spec": {
            "nodeSelector": {"x": "y"},
            "containers": [{"name": "c", "ports": [{"containerPort": 80}], "args": ["1"]}],
        },
    }
    found = leaves(pod, "V1Pod")
    assert from_fields(to_fields(frozenset(found))) == frozenset(found)
    texts = {path_text(path) for path in found}
    assert ".spec.nodeSelector" in texts
    assert '.spec.containers[name="c"].ports[containerPort=80,protocol="TCP"].containerPort' in texts
    assert '.metadata.finalizers[="f"]' in texts
    item = ("f:spec", "f:containers", 'k:{"name":"c"}')
    assert without(pod, item, "V1Pod")["spec"] == {"nodeSelector": {"x": "y"}}


def test_quantities() -> None:
    assert amount("1500m") == amount("1.5")
    assert amount("1Ki") == 1024
    assert amount("2e3") == amount("2k")
    with pytest.raises(ValueError, match="not a quantity"):
        amount("1Q")


def test_tolerations() -> None:
    taint = {"key": "k", "value": "v", "effect": "NoSchedule"}
    assert tolerates([{"operator": "Exists"}], taint)
    assert tolerates([{"key": "k", "value": "v"}], taint)
    assert not tolerates([{"key": "k", "operator": "Exists", "effect": "NoExecute"}], taint)
    assert not tolerates([{"key": "k", "value": "w"}], taint)


def test_node_affinity() -> None:
    node = {"metadata": {"name": "n1", "labels": {"zone": "a", "cpus": "8"}}}

    def affine(term: dict[str, Any]) -> dict[str, Any]:
        required = {"nodeSelectorTerms": [term]}
        return {"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}}

    assert matches_node({"nodeSelector": {"zone": "a"}}, node)
    assert not matches_node({"nodeSelector": {"zone": ""}}, node)
    by_name = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n1"]}]}
    assert matches_node(affine(by_name), node)
    more = {"matchExpressions": [{"key": "cpus", "operator": "Gt", "values": ["8"]}]}
    assert not matches_node(affine(more), node)


def test_words_of_the_scheduler() -> None:
    selector, taint = (
        "node(s) didn't match Pod's node affinity/selector",
        "node(s) had untolerated taint {a: b}",
    )
    assert unschedulable_text({}) == "no nodes available to schedule pods"
    assert unschedulable_text({"n1": [selector], "n2": [selector], "n3": [taint]}) == (
        f"0/3 nodes are available: 1 {taint}, 2 {selector}. "
        "preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling."
    )
    assert unschedulable_text({"n1": ["Insufficient cpu"]}) == (
        "0/1 nodes are available: 1 Insufficient cpu. "
        "preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod."
    )
