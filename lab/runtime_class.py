"""RuntimeClasses, as the operator makes them (guide: 创建custom resource)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.errors import NotProven

if TYPE_CHECKING:
    from lab.cluster import Cluster


def handlers_of(cluster: Cluster) -> dict[str, str]:
    """The handler of each RuntimeClass."""
    return {item["metadata"]["name"]: item["handler"] for item in cluster.list("RuntimeClass")}


def wrong_runtime_classes(cluster: Cluster, names: list[str]) -> list[str]:
    """What is wrong with the RuntimeClasses of these names: missing, or with a handler of another name."""
    handlers = handlers_of(cluster)
    missing = [f"{name} does not exist" for name in names if name not in handlers]
    other = [
        f"{name} has the handler {handlers[name]}"
        for name in names
        if name in handlers and handlers[name] != name
    ]
    return [*missing, *other]


def require_runtime_class(cluster: Cluster, name: str) -> None:
    """Raise NotProven where the RuntimeClass is not as the operator makes it: clause O-3.2's business."""
    if wrong := wrong_runtime_classes(cluster, [name]):
        raise NotProven(f"RuntimeClass {wrong[0]}", owner="O-3.2")
