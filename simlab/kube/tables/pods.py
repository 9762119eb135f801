"""The table of pods: READY, STATUS and RESTARTS as the API server computes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from simlab.kube.objects import Obj, dig, items
from simlab.kube.tables.columns import NONE, Column, age, age_of, name_cell, text

if TYPE_CHECKING:
    from collections.abc import Callable


def _restarts(statuses: list[Obj]) -> str:
    count = sum(int(status.get("restartCount") or 0) for status in statuses)
    ends = [end for status in statuses if (end := dig(status, "lastState", "terminated", "finishedAt"))]
    return f"{count} ({age(max(ends))} ago)" if count and ends else str(count)


def _ended(terminated: Obj, prefix: str = "") -> str:
    if terminated.get("reason"):
        return prefix + str(terminated["reason"])
    if terminated.get("signal"):
        return f"{prefix}Signal:{terminated['signal']}"
    return f"{prefix}ExitCode:{terminated.get('exitCode', 0)}"


def _initializing(pod: Obj) -> str | None:
    """Return the status of a pod whose init containers are not done."""
    statuses = items(pod, "status", "initContainerStatuses")
    for at, status in enumerate(statuses):
        state = status.get("state") or {}
        terminated = state.get("terminated")
        if terminated is not None and not terminated.get("exitCode"):
            continue
        if terminated is not None:
            return _ended(terminated, "Init:")
        waiting = (state.get("waiting") or {}).get("reason")
        if waiting and waiting != "PodInitializing":
            return f"Init:{waiting}"
        return f"Init:{at}/{len(items(pod, 'spec', 'initContainers'))}"
    return None


def status_of(pod: Obj) -> str:
    """Return what STATUS shows for a pod."""
    reason = str(dig(pod, "status", "reason") or dig(pod, "status", "phase") or "")
    initializing = _initializing(pod)
    if initializing is not None:
        reason = initializing
    else:
        running = False
        for status in reversed(items(pod, "status", "containerStatuses")):
            state = status.get("state") or {}
            waiting, terminated = state.get("waiting") or {}, state.get("terminated")
            if waiting.get("reason"):
                reason = str(waiting["reason"])
            elif terminated is not None:
                reason = _ended(terminated)
            elif status.get("ready") and "running" in state:
                running = True
        if reason == "Completed" and running:
            reason = "Running" if _is_ready(pod) else "NotReady"
    if dig(pod, "metadata", "deletionTimestamp"):
        return "Unknown" if dig(pod, "status", "reason") == "NodeLost" else "Terminating"
    return reason


def _is_ready(pod: Obj) -> bool:
    return any(
        condition.get("type") == "Ready" and condition.get("status") == "True"
        for condition in items(pod, "status", "conditions")
    )


def _row(pod: Obj) -> list[Any]:
    statuses = items(pod, "status", "containerStatuses")
    ready = sum(bool(status.get("ready")) and "running" in (status.get("state") or {}) for status in statuses)
    counted = items(pod, "status", "initContainerStatuses") if _initializing(pod) is not None else statuses
    gates = items(pod, "spec", "readinessGates")
    conditions = {item.get("type"): item.get("status") for item in items(pod, "status", "conditions")}
    met = sum(conditions.get(gate.get("conditionType")) == "True" for gate in gates)
    return [
        name_cell(pod),
        f"{ready}/{len(items(pod, 'spec', 'containers'))}",
        status_of(pod),
        _restarts(counted),
        age_of(pod),
        dig(pod, "status", "podIP") or NONE,
        dig(pod, "spec", "nodeName") or NONE,
        dig(pod, "status", "nominatedNodeName") or NONE,
        f"{met}/{len(gates)}" if gates else NONE,
    ]


_COLUMNS: Final = (
    text("Name", name=True),
    text("Ready"),
    text("Status"),
    text("Restarts"),
    text("Age"),
    text("IP", wide=True),
    text("Node", wide=True),
    text("Nominated Node", wide=True),
    text("Readiness Gates", wide=True),
)
PRINTERS: Final[dict[str, tuple[tuple[Column, ...], Callable[[Obj], list[Any]]]]] = {"Pod": (_COLUMNS, _row)}
