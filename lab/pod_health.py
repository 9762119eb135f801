"""Pods that should run, and how one tells that they do not, or not for long."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

# The kubelet forgets that a container crashed once it ran for this long (Kubernetes, "Pod Lifecycle").
STABLE_AFTER = timedelta(minutes=10)
# How a container ended that was not there any more when containerd came back, such as after a reboot
# (containerd 1.6, pkg/cri/server/restart.go).
UNSEEN = "Unknown"


def is_being_deleted(item: dict[str, Any] | None) -> bool:
    """Whether an object was deleted, and is not gone yet."""
    return item is not None and "deletionTimestamp" in item["metadata"]


def started_at(pod: dict[str, Any]) -> datetime | None:
    """When the pod's first container started last; None where it does not run."""
    for state in (pod.get("status") or {}).get("containerStatuses") or []:
        if time := ((state.get("state") or {}).get("running") or {}).get("startedAt"):
            return datetime.fromisoformat(time)
    return None


def owned_by(item: dict[str, Any], name: str) -> bool:
    """Whether a controller of this name, or a ReplicaSet of it, owns the object."""
    owners = item["metadata"].get("ownerReferences") or []
    return any(owner["name"] == name or owner["name"].rpartition("-")[0] == name for owner in owners)


def faults_of(what: str, pods: list[dict[str, Any]], containers: int, now: datetime | None) -> list[str]:
    """What keeps a pod from being the only one, and Running with this number of ready containers.

    `now` is the cluster's time, and None where nobody tells it.
    """
    alive = [pod for pod in pods if not is_being_deleted(pod)]
    if len(alive) != 1:
        states = (
            state for pod in alive for state in (pod.get("status") or {}).get("containerStatuses") or []
        )
        return [f"{what}: {len(alive)} pods instead of one{''.join(_waiting(states))}"]
    status = alive[0].get("status", {})
    states = status.get("containerStatuses", [])
    waiting = _waiting(states)
    if status.get("phase") != "Running":
        return [f"{what}: {status.get('phase', 'Unknown')}{''.join(waiting)}"]
    ready = sum(bool(state.get("ready")) for state in states)
    if ready != containers or len(states) != containers:
        return [f"{what}: {ready}/{containers} containers ready{''.join(waiting)}"]
    return [f"{what}: {told}" for state in states if (told := _restarted(state, now))]


def _waiting(states: Iterable[dict[str, Any]]) -> list[str]:
    return [
        f", {state['name']} waits: {reason}"
        for state in states
        if (reason := state.get("state", {}).get("waiting", {}).get("reason"))
    ]


def _restarted(state: dict[str, Any], now: datetime | None) -> str | None:
    """What tells that a container, though it runs, is one that keeps ending; None where nothing does."""
    ended = state.get("lastState", {}).get("terminated") or {}
    if now is None or not ended.get("finishedAt") or ended.get("reason") == UNSEEN:
        return None
    if now - datetime.fromisoformat(ended["finishedAt"]) > STABLE_AFTER:
        return None
    count, code = state.get("restartCount"), ended.get("exitCode")
    return f"{state['name']} was restarted {count} times, at {ended['finishedAt']} last (exit code {code})"
