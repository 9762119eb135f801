"""The state of an object in a few words, for whoever waits for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lab.printable import shortened

if TYPE_CHECKING:
    from collections.abc import Iterable


def in_order(events: Iterable[dict[str, Any]], about: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """Events by the time of their last occurrence; with `about`, only those of that very object."""
    uid = about["metadata"]["uid"] if about else None
    ours = [event for event in events if uid is None or event.get("involvedObject", {}).get("uid") == uid]
    return sorted(ours, key=_moment)


def _moment(event: dict[str, Any]) -> tuple[str, int]:
    series = event.get("series") or {}
    metadata = event.get("metadata", {})
    when = (
        series.get("lastObservedTime")
        or event.get("lastTimestamp")
        or event.get("eventTime")
        or metadata.get("creationTimestamp")
        or ""
    )
    version = str(metadata.get("resourceVersion", ""))
    # Only to the second: an event has its time in seconds or in microseconds.
    return when[:19], int(version) if version.isdigit() else 0


def last_seen(current: dict[str, Any] | None, events: list[dict[str, Any]]) -> str:
    """Phase, what a container waits for, and the newest event, on one line."""
    if current is None:
        return "no such object"
    status = current.get("status") or {}
    parts = [str(status.get("phase") or current.get("kind") or "object")]
    for container in status.get("containerStatuses") or []:
        for state, detail in (container.get("state") or {}).items():
            if state != "running":
                parts.append(f"{container.get('name')} {state}: {detail.get('reason')}")
    if events:
        parts.append(f"{events[-1].get('reason')}: {events[-1].get('message')}")
    return shortened("; ".join(parts), 400)
