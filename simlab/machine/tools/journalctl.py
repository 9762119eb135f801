"""journalctl: the kernel's log of each boot, and logs of services with the time stamps that they have."""

from __future__ import annotations

import argparse
import re
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

_JOURNAL: Final = Path("/var/log/journal")
_LOGS: Final = Path("/run/simlab/log")
# kubelet and containerd are one program of the lab.
_SERVICE_LOGS: Final = {
    "containerd": "node",
    "kubelet": "node",
    "docker": "supervisor",
    "sshd": "sshd",
}
# The parts of the node that log under an identifier of their own, by their name in its log.
_IDENTIFIERS: Final = {"kata": ("node", "simlab.node.kata")}
_SPAN: Final = {"s": "seconds", "sec": "seconds", "m": "minutes", "min": "minutes", "h": "hours"}


def main() -> int:
    """Carry out one command; returns the exit status."""
    options = _parse()
    boots = sorted(_JOURNAL.glob("*/*.kernel"))
    if options.list_boots:
        last = len(boots) - 1
        for number, path in enumerate(boots):
            sys.stdout.write(f"{number - last:2} {path.stem.partition('-')[2]}\n")
        return 0
    if options.identifier:
        log, part = _IDENTIFIERS.get(options.identifier, ("", ""))
        lines = [line for line in _lines(_LOGS / f"{log}.log") if part in line]
    elif options.unit:
        names = [unit.removesuffix(".service") for unit in options.unit]
        logs = dict.fromkeys(_SERVICE_LOGS.get(name, name) for name in names)
        lines = [line for log in logs for line in _lines(_LOGS / f"{log}.log")]
    else:
        chosen = _choose(boots, options.boot)
        if chosen is None:
            sys.stderr.write(f"Data from the specified boot ({options.boot}) is not available.\n")
            return 1
        lines = _lines(chosen)
    if options.since and (options.identifier or options.unit):
        start = _moment(options.since)
        if start is None:
            sys.stderr.write(f"Failed to parse timestamp: {options.since}\n")
            return 1
        lines = _since(lines, start)
    if options.grep:
        lines = [line for line in lines if options.grep.lower() in line.lower()]
    if options.lines:
        lines = lines[-int(options.lines) :]
    sys.stdout.write("".join(f"{line}\n" for line in lines) or "-- No entries --\n")
    return 0


def _choose(boots: list[Path], wanted: str) -> Path | None:
    """Return a boot's log by its distance from this boot (0, -1, …) or its id."""
    if wanted.lstrip("-").isdigit() and len(wanted) < 6:
        number = int(wanted)
        place = len(boots) - 1 + number if number <= 0 else number - 1
        return boots[place] if 0 <= place < len(boots) else None
    return next((path for path in boots if path.stem.endswith(wanted.replace("-", ""))), None)


def _lines(path: Path) -> list[str]:
    return path.read_text(errors="replace").splitlines() if path.is_file() else []


def _moment(since: str) -> datetime | None:
    """Read a time as systemd.time(7) has it: a span back from now such as -90s, or a date and time."""
    if span := re.fullmatch(r"-(\d+) ?(s|sec|m|min|h)", since):
        return datetime.now().astimezone() - timedelta(**{_SPAN[span[2]]: int(span[1])})
    try:
        return datetime.fromisoformat(since).astimezone()
    except ValueError:
        return None


def _since(lines: list[str], start: datetime) -> list[str]:
    """Drop the lines of before; one without a time belongs to the line above it."""
    for place, line in enumerate(lines):
        try:
            written = datetime.fromisoformat(line[:19]).astimezone()
        except ValueError:
            continue
        if written >= start.replace(microsecond=0):
            return lines[place:]
    return []


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="journalctl")
    parser.add_argument("--unit", "-u", action="append")
    parser.add_argument("--identifier", "-t")
    parser.add_argument("--dmesg", "-k", action="store_true")
    parser.add_argument("--boot", "-b", nargs="?", const="0", default="0")
    parser.add_argument("--lines", "-n")
    parser.add_argument("--grep", "-g")
    parser.add_argument("--output", "-o")
    parser.add_argument("--since")
    parser.add_argument("--list-boots", action="store_true")
    parser.add_argument("--no-pager", action="store_true")
    parser.add_argument("--quiet", "-q", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
