"""The subresources that are objects of another kind: scale and eviction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simlab.kube.deleting import Deletion
from simlab.kube.errors import bad_request
from simlab.kube.objects import Obj, dig, mapping, meta
from simlab.kube.tables.columns import selector_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from simlab.kube.cluster import Cluster
    from simlab.kube.resources import Resource


def scale_of(obj: Obj) -> Obj:
    """Return the `autoscaling/v1` Scale of a workload."""
    metadata = meta(obj)
    keys = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {key: metadata[key] for key in keys if key in metadata},
        "spec": {"replicas": dig(obj, "spec", "replicas") or 0},
        "status": {
            "replicas": dig(obj, "status", "replicas") or 0,
            "selector": selector_text(mapping(obj, "spec", "selector")),
        },
    }


def scaler(body: Any) -> Callable[[Obj], None]:
    """Return the change that a Scale (or a merge patch of one) asks for; raises 400 if it names no number."""
    replicas = dig(body, "spec", "replicas")
    if not isinstance(replicas, int) or isinstance(replicas, bool):
        raise bad_request("spec.replicas: Required value")

    def edit(obj: Obj) -> None:
        obj.setdefault("spec", {})["replicas"] = replicas

    return edit


def evict(cluster: Cluster, pods: Resource, namespace: str, name: str, body: Any) -> None:
    """Delete a pod as an Eviction asks; disruption budgets are not looked at."""
    options = mapping(body, "deleteOptions")
    grace = options.get("gracePeriodSeconds")
    preconditions = mapping(options, "preconditions")
    deletion = Deletion(
        grace=grace if isinstance(grace, int) else None,
        uid=preconditions.get("uid"),
        version=preconditions.get("resourceVersion"),
        dry_run=bool(options.get("dryRun")),
    )
    cluster.delete(pods, namespace, name, deletion)
