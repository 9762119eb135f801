"""Times as Kubernetes writes them."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> str:
    """Now, to the second (`metav1.Time`)."""
    return at(datetime.now(UTC).timestamp())


def now_micro() -> str:
    """Now, to the microsecond (`metav1.MicroTime`)."""
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"


def at(seconds: float) -> str:
    """Seconds since the epoch as a time of an API object."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"


def go_duration(seconds: float) -> str:
    """A duration as Go prints it: 1.25s, 350ms, 1m5.2s."""
    if seconds < 1:
        return f"{seconds * 1000:.6f}".rstrip("0").rstrip(".") + "ms"
    minutes, rest = divmod(seconds, 60)
    text = f"{rest:.9f}".rstrip("0").rstrip(".") + "s"
    return f"{int(minutes)}m{text}" if minutes else text
