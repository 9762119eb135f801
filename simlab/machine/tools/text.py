"""How docker and crictl, both written in Go, print tables, ages and sizes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

_MINUTE: Final = 60
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR

# docker/go-units, duration.go: below the first number of seconds, so many of the second's unit.
_UNITS: Final = (
    (_MINUTE, 1, "seconds"),
    (_HOUR, _MINUTE, "minutes"),
    (2 * _DAY, _HOUR, "hours"),
    (14 * _DAY, _DAY, "days"),
    (60 * _DAY, 7 * _DAY, "weeks"),
    (2 * 365 * _DAY, 30 * _DAY, "months"),
)


def table(rows: Sequence[Sequence[str]], minimum: int = 0, padding: int = 3) -> str:
    """Lay out rows as Go's tabwriter does: every column but the last padded to its widest cell."""
    widths = [max(minimum, *(len(cell) + padding for cell in column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        padded = [cell.ljust(width) for cell, width in zip(row[:-1], widths[:-1], strict=True)]
        lines.append("".join([*padded, row[-1]]).rstrip() + "\n")
    return "".join(lines)


def duration(seconds: float) -> str:
    """Tell a time span as docker/go-units' HumanDuration does."""
    whole = int(seconds)
    if whole < 1:
        return "Less than a second"
    if whole == 1:
        return "1 second"
    if _MINUTE <= whole < 2 * _MINUTE:
        return "About a minute"
    # HumanDuration rounds hours.
    if _HOUR <= whole < 1.5 * _HOUR:
        return "About an hour"
    for below, unit, name in _UNITS:
        if whole < below:
            return f"{round(whole / unit) if unit == _HOUR else whole // unit} {name}"
    return f"{whole // (365 * _DAY)} years"


def size(count: int) -> str:
    """Tell a size as docker/go-units' HumanSizeWithPrecision(…, 3) does."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.3g}{unit}"
        value /= 1000
    return f"{value:.3g}TB"


def age(moment: datetime) -> float:
    """Return how many seconds ago a moment was."""
    return (datetime.now(UTC) - moment).total_seconds()


def parse_time(text: str) -> datetime:
    """Read an RFC 3339 time stamp with up to nine decimals."""
    head, dot, rest = text.partition(".")
    if dot:
        digits = len(rest) - len(rest.lstrip("0123456789"))
        text = f"{head}.{rest[:digits][:6].ljust(6, '0')}{rest[digits:]}"
    return datetime.fromisoformat(text)
