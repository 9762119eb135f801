"""Whatever is wrong with an object, the cluster refuses it in the API's words and stays readable."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import pytest

from simlab.kube import bootstrap, gnostic, tables, views
from simlab.kube.cluster import APPLY_PATCH, MERGE_PATCH, STRATEGIC_PATCH, Cluster, Write
from simlab.kube.definitions import V2_REFERENCE, definitions
from simlab.kube.deleting import Deletion
from simlab.kube.errors import ApiError
from simlab.kube.objects import copied
from simlab.kube.resources import Registry
from simlab.kube.store import Store
from tests.simlab.kube.world import node, pod

if TYPE_CHECKING:
    from collections.abc import Iterator

    from simlab.kube.resources import Resource

ROUNDS = 1500
JUNK: list[Any] = [None, 1, -5, "", "x", True, [], {}, [None], [1, "a", {}], {"a": None}, 10**30, 1.5, "1Ki"]

POD = pod("a", nodeSelector={"a": "b"}, volumes=[{"name": "v", "emptyDir": {}}], tolerations=[{"key": "k"}])
POD["metadata"] |= {"labels": {"x": "y"}, "finalizers": ["a/b"]}
POD["spec"]["containers"][0] |= {
    "env": [{"name": "A", "value": "1"}],
    "ports": [{"containerPort": 80}],
    "volumeMounts": [{"name": "v", "mountPath": "/v"}],
    "resources": {"limits": {"cpu": "1"}},
}
POD["status"] = {
    "phase": "Running",
    "conditions": [{"type": "Ready", "status": "True"}],
    "containerStatuses": [{"name": "main", "ready": True, "restartCount": 3, "state": {"running": {}}}],
}
SELECTOR = {
    "matchLabels": {"a": "b"},
    "matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}],
}
TEMPLATE = {"metadata": {"labels": {"a": "b"}}, "spec": POD["spec"]}
SPEC = {
    "type": "object",
    "additionalProperties": {"type": "array", "items": {"type": "string", "maxLength": 3, "pattern": "a"}},
}
VERSION = {
    "name": "v1",
    "served": True,
    "storage": True,
    "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": SPEC}}},
    "additionalPrinterColumns": [{"name": "S", "type": "date", "jsonPath": '.spec.x[?(@.a=="b")].c'}],
}
SEEDS: list[tuple[str, str, Any]] = [
    ("", "pods", POD),
    ("", "nodes", node("n")),
    ("", "namespaces", {"metadata": {"name": "n"}, "spec": {"finalizers": ["kubernetes"]}}),
    ("", "services", {"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]}}),
    ("", "secrets", {"metadata": {"name": "s"}, "data": {"a": "Yg=="}, "stringData": {"b": "c"}}),
    ("", "events", {"metadata": {"name": "e"}, "involvedObject": {"namespace": "default"}, "message": "m"}),
    (
        "apps",
        "deployments",
        {"metadata": {"name": "d"}, "spec": {"selector": SELECTOR, "template": TEMPLATE}},
    ),
    ("apps", "daemonsets", {"metadata": {"name": "d"}, "spec": {"selector": SELECTOR, "template": TEMPLATE}}),
    ("node.k8s.io", "runtimeclasses", {"metadata": {"name": "r"}, "handler": "r", "scheduling": {}}),
    (
        "apiextensions.k8s.io",
        "customresourcedefinitions",
        {
            "metadata": {"name": "things.e.com"},
            "spec": {
                "group": "e.com",
                "scope": "Cluster",
                "names": {"plural": "things", "kind": "Thing"},
                "versions": [VERSION],
            },
        },
    ),
]


def paths_in(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield from paths_in(item, (*path, key))


def spoilt(chance: random.Random, seed: Any) -> Any:
    """A copy in which up to three values are gone or junk."""
    result = copied(seed)
    for _ in range(chance.choice([0, 1, 1, 2, 3])):
        *parents, key = chance.choice(list(paths_in(result)))
        place = result
        for each in parents:
            place = place[each]
        if isinstance(place, dict) and chance.random() < 0.2:
            del place[key]
        else:
            place[key] = copied(chance.choice(JUNK))
        if not result:
            break
    return result


def act(chance: random.Random, cluster: Cluster, resource: Resource, name: str, body: Any) -> None:
    place = (resource, "default" if resource.namespaced else "", name)
    part = chance.choice(["", "status"])
    match chance.choice(["create", "create", "update", "merge", "strategic", "apply", "delete"]):
        case "create":
            write = Write(validation=chance.choice(["Strict", "Warn", "Ignore"]))
            cluster.create(*place[:2], body, write)
        case "update":
            cluster.update(*place, body, Write(), part)
        case "merge":
            cluster.patch(*place, MERGE_PATCH, body, Write(), part)
        case "strategic":
            cluster.patch(*place, STRATEGIC_PATCH, body, Write(), part)
        case "apply":
            cluster.patch(*place, APPLY_PATCH, body, Write(force=chance.random() < 0.5), part)
        case "delete":
            propagation = chance.choice([None, "Orphan", "Foreground"])
            cluster.delete(*place, Deletion(grace=chance.choice([None, 0, 5]), propagation=propagation))


@pytest.mark.parametrize("start", [1, 2])
def test_spoilt_objects_are_refused_or_stored_readably(start: int) -> None:
    chance = random.Random(start)  # noqa: S311 - repeatable, not secret
    cluster = Cluster(Store(), Registry())
    bootstrap.fill(cluster, "192.0.2.1", 6443)
    accounts = cluster.registry.find("", "v1", "serviceaccounts")
    assert accounts is not None
    cluster.create(accounts, "default", {"metadata": {"name": "default"}}, Write())
    refused = 0
    for _ in range(ROUNDS):
        group, plural, seed = chance.choice(SEEDS)
        resource = cluster.registry.find(group, "v1", plural)
        assert resource is not None
        try:
            act(chance, cluster, resource, seed["metadata"]["name"], spoilt(chance, seed))
        except ApiError as error:
            refused += 1
            json.dumps(error.status())
        for entry in cluster.store.entries(resource.store):
            obj = views.shown(resource, entry.obj)
            assert len(tables.cells(resource, obj)) == len(tables.columns(resource))
        custom = [row for row in cluster.registry.all() if row.custom]
        assert gnostic.encode({"definitions": definitions(custom, V2_REFERENCE)})
    assert 0 < refused < ROUNDS
