"""reboot, poweroff, halt and shutdown: systemd's four names for one program, and `systemctl reboot`."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from simlab.machine.tools import control

_SCHEDULED: Final = Path("/run/systemd/shutdown/scheduled")
_MINUTE: Final = 60


def main() -> int:
    """Be the program that the first argument names; returns the exit status."""
    program, *arguments = sys.argv[1:]
    try:
        if program == "shutdown":
            return _shutdown(arguments)
        return act("reboot" if program == "reboot" else "poweroff")
    except control.RefusedError as error:
        sys.stderr.write(f"Failed to connect to bus: {error}\n")
        return 1


def act(verb: str) -> int:
    """Have the machine do it at once; returns the exit status. Raises RefusedError."""
    control.ask(verb)
    return 0


def _shutdown(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="shutdown", add_help=False)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("-r", "--reboot", dest="verb", action="store_const", const="reboot")
    what.add_argument("-H", "--halt", dest="verb", action="store_const", const="poweroff")
    what.add_argument("-P", "-h", "--poweroff", dest="verb", action="store_const", const="poweroff")
    what.add_argument("-c", dest="verb", action="store_const", const="cancel")
    parser.add_argument("--no-wall", action="store_true")
    parser.add_argument("time", nargs="?", default="+1")
    parser.add_argument("wall", nargs="*")
    options = parser.parse_intermixed_args(arguments)
    verb = options.verb or "poweroff"
    if verb == "cancel":
        return _cancel()
    if options.time in ("now", "+0", "0"):
        return act(verb)
    if not options.time.startswith("+") or not options.time[1:].isdigit():
        sys.stderr.write(f"Failed to parse time specification: {options.time}\n")
        return 1
    return _schedule(verb, int(options.time[1:]) * _MINUTE)


def _schedule(verb: str, seconds: int) -> int:
    """Leave a process behind that does it later, as systemd-logind does."""
    script = f"sleep {seconds} && exec {verb}"
    waiting = subprocess.Popen(
        ["/bin/sh", "-c", script],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    _SCHEDULED.parent.mkdir(parents=True, exist_ok=True)
    _SCHEDULED.write_text(f"{waiting.pid}\n")
    sys.stderr.write(f"Shutdown scheduled in {seconds // _MINUTE} min, use 'shutdown -c' to cancel.\n")
    return 0


def _cancel() -> int:
    try:
        os.killpg(int(_SCHEDULED.read_text()), 15)
    except (OSError, ValueError):
        return 0
    _SCHEDULED.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
