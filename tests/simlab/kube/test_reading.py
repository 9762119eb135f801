"""Lists, selectors, pages and watches."""

from __future__ import annotations

import http.client
import json
import urllib.parse
from typing import TYPE_CHECKING, Any

import pytest
from kubernetes import client, config, watch

from tests.simlab.kube.world import Kube, Obj, pod

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.simlab.kube.world import Answer


@pytest.fixture(scope="module")
def forgetful(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kube]:
    """A server that remembers five changes of a resource."""
    kube = Kube.start(tmp_path_factory.mktemp("forgetful"), history=5)
    yield kube
    kube.stop()


def events_of(kube: Kube, path: str, **query: Any) -> list[Obj]:
    """All events of a watch that ends by itself."""
    parameters = urllib.parse.urlencode({"watch": "true", **query})
    connection = http.client.HTTPSConnection("127.0.0.1", kube.port, context=kube.context(), timeout=20)
    connection.request("GET", f"{path}?{parameters}")
    lines = connection.getresponse().read().splitlines()
    connection.close()
    return [json.loads(line) for line in lines]


def names(listed: Obj | Answer) -> list[str]:
    items = (listed if isinstance(listed, dict) else listed.body)["items"]
    return [item["metadata"]["name"] for item in items]


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("app=web", ["a", "b"]),
        ("app==web,tier!=back", ["a"]),
        ("app in (web,db),tier in (back)", ["b", "c"]),
        ("app notin (web)", ["c", "d"]),
        ("!app", ["d"]),
        ("tier", ["a", "b", "c"]),
    ],
)
def test_label_selectors(kube: Kube, namespace: str, selector: str, expected: list[str]) -> None:
    maps = f"/api/v1/namespaces/{namespace}/configmaps"
    labels = {
        "a": {"app": "web", "tier": "front"},
        "b": {"app": "web", "tier": "back"},
        "c": {"app": "db", "tier": "back"},
        "d": {},
    }
    for name, each in labels.items():
        kube.create(maps, {"metadata": {"name": name, "labels": each}})
    query = urllib.parse.urlencode(
        {"labelSelector": selector, "fieldSelector": "metadata.name!=kube-root-ca.crt"}
    )
    assert names(kube.get(f"{maps}?{query}")) == expected


def test_field_selectors_of_pods(kube: Kube, pods: str) -> None:
    kube.create(pods, pod("a", nodeName="n1"))
    kube.create(pods, pod("b", nodeName="n2"))
    assert names(kube.get(f"{pods}?fieldSelector=spec.nodeName%3Dn1,status.phase%3DPending")) == ["a"]
    assert names(kube.get(f"{pods}?fieldSelector=metadata.name!%3Da")) == ["b"]
    refused = kube.request("GET", f"{pods}?fieldSelector=spec.hostNetwork%3Dtrue")
    assert refused.code == 400


def test_list_in_pages(kube: Kube, namespace: str) -> None:
    secrets = f"/api/v1/namespaces/{namespace}/secrets"
    for at in range(5):
        kube.create(secrets, {"metadata": {"name": f"s{at}"}})
    first = kube.get(f"{secrets}?limit=2")
    assert names(first) == ["s0", "s1"]
    assert first["metadata"]["remainingItemCount"] == 3
    second = kube.get(f"{secrets}?limit=2&continue={first['metadata']['continue']}")
    third = kube.get(f"{secrets}?limit=2&continue={second['metadata']['continue']}")
    assert names(second) + names(third) == ["s2", "s3", "s4"]
    assert "continue" not in third["metadata"]
    assert "kind" not in third["items"][0]


def test_watch_tells_changes_after_a_version(kube: Kube, namespace: str) -> None:
    maps = f"/api/v1/namespaces/{namespace}/configmaps"
    version = kube.get(maps)["metadata"]["resourceVersion"]
    kube.create(maps, {"metadata": {"name": "a"}})
    kube.request("PATCH", f"{maps}/a", {"data": {"k": "v"}}, kind="application/merge-patch+json")
    kube.request("DELETE", f"{maps}/a")
    seen = events_of(kube, maps, resourceVersion=version, timeoutSeconds=1)
    assert [event["type"] for event in seen] == ["ADDED", "MODIFIED", "DELETED"]
    versions = [int(event["object"]["metadata"]["resourceVersion"]) for event in seen]
    assert versions == sorted(set(versions))
    assert seen[2]["object"]["data"] == {"k": "v"}


def test_watch_by_selector_sees_objects_come_and_go(kube: Kube, namespace: str) -> None:
    maps = f"/api/v1/namespaces/{namespace}/configmaps"
    version = kube.get(maps)["metadata"]["resourceVersion"]
    kube.create(maps, {"metadata": {"name": "a", "labels": {"on": "no"}}})
    for value in ("yes", "no"):
        patch = {"metadata": {"labels": {"on": value}}}
        kube.request("PATCH", f"{maps}/a", patch, kind="application/merge-patch+json")
    seen = events_of(kube, maps, resourceVersion=version, labelSelector="on=yes", timeoutSeconds=1)
    assert [event["type"] for event in seen] == ["ADDED", "DELETED"]


def test_watch_without_a_version_begins_with_what_is_there(kube: Kube, namespace: str) -> None:
    secrets = f"/api/v1/namespaces/{namespace}/secrets"
    kube.create(secrets, {"metadata": {"name": "a"}})
    seen = events_of(kube, secrets, timeoutSeconds=1)
    assert [(event["type"], event["object"]["metadata"]["name"]) for event in seen] == [("ADDED", "a")]


def test_initial_events_end_with_a_bookmark(kube: Kube, namespace: str) -> None:
    secrets = f"/api/v1/namespaces/{namespace}/secrets"
    kube.create(secrets, {"metadata": {"name": "a"}})
    seen = events_of(
        kube,
        secrets,
        sendInitialEvents="true",
        allowWatchBookmarks="true",
        resourceVersionMatch="NotOlderThan",
        timeoutSeconds=1,
    )
    assert [event["type"] for event in seen] == ["ADDED", "BOOKMARK"]
    assert seen[1]["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


def test_watch_of_one_object_by_its_path(kube: Kube, namespace: str) -> None:
    secrets = f"/api/v1/namespaces/{namespace}/secrets"
    for name in ("a", "b"):
        kube.create(secrets, {"metadata": {"name": name}})
    seen = events_of(kube, f"{secrets}/b", timeoutSeconds=1)
    assert [event["object"]["metadata"]["name"] for event in seen] == ["b"]


def test_watch_from_a_forgotten_version_gets_410_and_a_new_list_goes_on(forgetful: Kube) -> None:
    maps = "/api/v1/namespaces/default/configmaps"
    old = forgetful.get(maps)["metadata"]["resourceVersion"]
    for at in range(8):
        forgetful.create(maps, {"metadata": {"name": f"m{at}"}})
    (event,) = events_of(forgetful, maps, resourceVersion=old, timeoutSeconds=5)
    assert event["type"] == "ERROR"
    assert (event["object"]["code"], event["object"]["reason"]) == (410, "Expired")
    assert event["object"]["message"].startswith(f"too old resource version: {old} (")
    version = forgetful.get(maps)["metadata"]["resourceVersion"]
    assert events_of(forgetful, maps, resourceVersion=version, timeoutSeconds=1) == []


def test_list_from_the_future(kube: Kube) -> None:
    answer = kube.request("GET", "/api/v1/pods?resourceVersion=99999999")
    assert answer.code == 504
    assert answer.body["message"].startswith("Too large resource version: 99999999, current: ")


def test_python_client_watches(kube: Kube, namespace: str) -> None:
    api: Any = client.CoreV1Api(config.new_client_from_config(str(kube.kubeconfig)))  # type: ignore[no-untyped-call]
    version = api.list_namespaced_pod(namespace).metadata.resource_version
    api.create_namespaced_pod(namespace, pod("a"))
    seen = []
    stream: Any = watch.Watch()  # type: ignore[no-untyped-call]
    for event in stream.stream(
        api.list_namespaced_pod, namespace, resource_version=version, timeout_seconds=10
    ):
        seen.append((event["type"], event["object"].status.phase))
        if event["type"] == "DELETED":
            stream.stop()
        elif len(seen) == 1:
            api.delete_namespaced_pod("a", namespace)
    assert seen[0] == ("ADDED", "Pending")
    assert seen[-1][0] == "DELETED"


def test_table_has_the_columns_that_kubectl_shows(kube: Kube, pods: str) -> None:
    kube.create(pods, pod("a"))
    accept = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"}
    table = kube.request("GET", pods, headers=accept).body
    assert [column["name"] for column in table["columnDefinitions"] if not column["priority"]] == [
        "Name",
        "Ready",
        "Status",
        "Restarts",
        "Age",
    ]
    assert table["rows"][0]["cells"][:4] == ["a", "0/1", "Pending", "0"]
    assert table["rows"][0]["object"]["kind"] == "PartialObjectMetadata"
