"""A cluster that is a dictionary of objects, and objects for it."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lab.errors import DeadlineExceeded, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lab.cluster import Cluster

LABEL = "node.example.org/worker"


@dataclass
class ObjectsCluster:
    objects: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    patches: list[Any] = field(default_factory=list)
    gone: bool = False
    # Whether the kubelet renews its lease while somebody waits.
    beats: bool = False
    logs: Iterator[str] = field(default_factory=lambda: itertools.repeat(""))

    def list(
        self,
        kind: str,
        namespace: str | None = None,
        *,
        api_version: str | None = None,
        as_evidence: bool = False,
    ) -> list[dict[str, Any]]:
        if self.gone:
            raise Unreachable("cluster", "connection refused")
        return self.objects.get(kind, [])

    def get(
        self, kind: str, name: str, namespace: str | None = None, *, as_evidence: bool = False
    ) -> dict[str, Any] | None:
        return next((each for each in self.list(kind) if each["metadata"]["name"] == name), None)

    def pod_log(self, namespace: str, name: str) -> str:
        return next(self.logs)

    def patch(self, kind: str, name: str, changes: dict[str, Any], namespace: str | None = None) -> None:
        self.patches.append(changes)
        found = self.get(kind, name)
        assert found is not None
        if kind == "Node":
            found["metadata"].setdefault("labels", {}).update(changes["metadata"]["labels"])
        else:
            found["spec"]["template"]["spec"]["containers"] = changes["spec"]["template"]["spec"][
                "containers"
            ]

    def wait(
        self,
        kind: str,
        name: str,
        namespace: str | None,
        settled: Callable[..., Any],
        what: str,
        deadline: Any,
    ) -> Any:
        for number in range(3):
            if (result := settled(self.get(kind, name), [])) is not None:
                return result
            if kind == "Lease" and self.beats:
                self.objects[kind] = [lease(f"2026-11-23T15:00:1{number}.000000Z")]
        raise DeadlineExceeded(what)

    @property
    def as_cluster(self) -> Cluster:
        return self  # type: ignore[return-value]


def node(name: str = "sev-1", **labels: str) -> dict[str, Any]:
    status = {"conditions": [{"type": "Ready", "status": "True"}]}
    return {"metadata": {"name": name, "labels": labels}, "status": status}


def lease(time: str) -> dict[str, Any]:
    return {"metadata": {"name": "sev-1"}, "spec": {"renewTime": time}}


def runtime(completed: int, total: int) -> dict[str, Any]:
    names = [f"sev-{number}" for number in range(1, completed + 1)]
    status = {
        "totalNodesCount": total,
        "runtimeClass": "kata,kata-qemu",
        "installationStatus": {"completed": {"completedNodesCount": completed, "completedNodesList": names}},
    }
    return {"metadata": {"name": "ccruntime-sample"}, "status": status}


def pod(
    owner: str, number: int, *, ready: int, of: int, phase: str = "Running", where: str = "sev-1"
) -> dict[str, Any]:
    states = [{"ready": i < ready, "state": {}} for i in range(of)]
    return {
        "metadata": {
            "name": f"{owner}-{number}",
            "uid": f"uid-{number}",
            "ownerReferences": [{"name": owner}],
        },
        "spec": {"nodeName": where},
        "status": {"phase": phase, "containerStatuses": states},
    }
