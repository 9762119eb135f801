"""`docker logs`, from the file that the json-file logging driver writes."""

from __future__ import annotations

import json
import re
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from simlab.machine.tools import control, text

if TYPE_CHECKING:
    import argparse

_FOLLOW_SECONDS: Final = 0.2
_UNITS: Final = {"h": "hours", "m": "minutes", "s": "seconds"}


def add_command(holder: Any) -> None:
    """Add the command to docker's command line."""
    sub = holder.add_parser("logs")
    sub.add_argument("--follow", "-f", action="store_true")
    sub.add_argument("--since")
    sub.add_argument("--tail", "-n", default="all")
    sub.add_argument("--timestamps", "-t", action="store_true")
    sub.add_argument("container", metavar="CONTAINER")
    sub.set_defaults(run=print_logs)


def print_logs(options: argparse.Namespace) -> int:
    """Print a container's output; with --follow until it stops."""
    container = _find(options.container)
    path = Path(container["LogPath"])
    lines = _entries(path, 0)
    if options.since:
        start = _moment(options.since)
        lines = [entry for entry in lines if text.parse_time(entry["time"]) >= start]
    if options.tail != "all":
        lines = lines[-int(options.tail) :] if int(options.tail) > 0 else []
    offset = path.stat().st_size if path.exists() else 0
    _print(lines, options.timestamps)
    try:
        while options.follow:
            running = _find(options.container)["State"]["Running"]
            _print(_entries(path, offset), options.timestamps)
            offset = path.stat().st_size if path.exists() else 0
            if not running:
                break
            time.sleep(_FOLLOW_SECONDS)
    except KeyboardInterrupt:
        return 130
    return 0


def _find(name: str) -> dict[str, Any]:
    for container in control.ask("containers"):
        if container["Name"] == f"/{name.lstrip('/')}" or container["Id"].startswith(name):
            found: dict[str, Any] = container
            return found
    raise control.RefusedError(f"No such container: {name}")


def _entries(path: Path, offset: int) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with path.open() as log:
        log.seek(offset)
        return [json.loads(line) for line in log if line.endswith("\n")]


def _print(entries: list[dict[str, str]], timestamps: bool) -> None:
    for entry in entries:
        sys.stdout.write(f"{entry['time']} {entry['log']}" if timestamps else entry["log"])
    sys.stdout.flush()


def _moment(since: str) -> datetime:
    """Read docker's --since: an RFC 3339 time, seconds since 1970, or a time span such as 1h30m."""
    if re.fullmatch(r"(\d+[hms])+", since):
        spans = {_UNITS[unit]: int(count) for count, unit in re.findall(r"(\d+)([hms])", since)}
        return datetime.now(UTC) - timedelta(**spans)
    try:
        if re.fullmatch(r"\d+(\.\d+)?", since):
            return datetime.fromtimestamp(float(since), UTC)
        moment = text.parse_time(since)
    except ValueError:
        raise control.RefusedError(f'invalid value for "since": failed to parse {since}') from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
