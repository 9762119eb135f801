"""The tables of deployments, daemon sets, replica sets, stateful sets and jobs."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Final

from simlab.kube.objects import Obj, dig, items, mapping, parse_time
from simlab.kube.tables.columns import (
    NONE,
    Column,
    age_of,
    human_duration,
    labels,
    name_cell,
    number,
    selector_text,
    text,
)

if TYPE_CHECKING:
    from collections.abc import Callable

_WIDE: Final = (text("Containers", wide=True), text("Images", wide=True), text("Selector", wide=True))


def _wide(owner: Obj) -> list[Any]:
    containers = items(owner, "spec", "template", "spec", "containers")
    return [
        ",".join(str(container.get("name")) for container in containers),
        ",".join(str(container.get("image")) for container in containers),
        selector_text(mapping(owner, "spec", "selector")),
    ]


def _count(owner: Obj, *path: str) -> int:
    value = dig(owner, *path)
    return value if isinstance(value, int) else 0


def _deployment(owner: Obj) -> list[Any]:
    return [
        name_cell(owner),
        f"{_count(owner, 'status', 'readyReplicas')}/{_count(owner, 'spec', 'replicas')}",
        _count(owner, "status", "updatedReplicas"),
        _count(owner, "status", "availableReplicas"),
        age_of(owner),
        *_wide(owner),
    ]


def _daemon_set(owner: Obj) -> list[Any]:
    return [
        name_cell(owner),
        _count(owner, "status", "desiredNumberScheduled"),
        _count(owner, "status", "currentNumberScheduled"),
        _count(owner, "status", "numberReady"),
        _count(owner, "status", "updatedNumberScheduled"),
        _count(owner, "status", "numberAvailable"),
        labels(mapping(owner, "spec", "template", "spec", "nodeSelector")),
        age_of(owner),
        *_wide(owner),
    ]


def _replica_set(owner: Obj) -> list[Any]:
    return [
        name_cell(owner),
        _count(owner, "spec", "replicas"),
        _count(owner, "status", "replicas"),
        _count(owner, "status", "readyReplicas"),
        age_of(owner),
        *_wide(owner),
    ]


def _stateful_set(owner: Obj) -> list[Any]:
    ready = f"{_count(owner, 'status', 'readyReplicas')}/{_count(owner, 'spec', 'replicas')}"
    return [name_cell(owner), ready, age_of(owner), *_wide(owner)[:2]]


def _job(owner: Obj) -> list[Any]:
    completions = dig(owner, "spec", "completions")
    done = f"{_count(owner, 'status', 'succeeded')}/{completions if completions is not None else 1}"
    start, end = dig(owner, "status", "startTime"), dig(owner, "status", "completionTime")
    took = ""
    if start:
        until = parse_time(end) if end else dt.datetime.now(tz=dt.UTC)
        took = human_duration((until - parse_time(start)).total_seconds())
    return [name_cell(owner), done, took, age_of(owner), *_wide(owner)]


def _cron_job(owner: Obj) -> list[Any]:
    suspended = "True" if dig(owner, "spec", "suspend") else "False"
    active = len(items(owner, "status", "active"))
    return [name_cell(owner), dig(owner, "spec", "schedule"), suspended, active, NONE, age_of(owner)]


_NAME: Final = text("Name", name=True)
_AGE: Final = text("Age")
PRINTERS: Final[dict[str, tuple[tuple[Column, ...], Callable[[Obj], list[Any]]]]] = {
    "Deployment": (
        (_NAME, text("Ready"), number("Up-to-date"), number("Available"), _AGE, *_WIDE),
        _deployment,
    ),
    "DaemonSet": (
        (
            _NAME,
            number("Desired"),
            number("Current"),
            number("Ready"),
            number("Up-to-date"),
            number("Available"),
            text("Node Selector"),
            _AGE,
            *_WIDE,
        ),
        _daemon_set,
    ),
    "ReplicaSet": (
        (_NAME, number("Desired"), number("Current"), number("Ready"), _AGE, *_WIDE),
        _replica_set,
    ),
    "StatefulSet": ((_NAME, text("Ready"), _AGE, *_WIDE[:2]), _stateful_set),
    "Job": ((_NAME, text("Completions"), text("Duration"), _AGE, *_WIDE), _job),
    "CronJob": (
        (_NAME, text("Schedule"), text("Suspend"), number("Active"), text("Last Schedule"), _AGE),
        _cron_job,
    ),
}
