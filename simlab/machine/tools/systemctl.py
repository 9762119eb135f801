"""systemctl: units' files on the host, and what the lab's supervisor runs behind them (systemd 239)."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from simlab.machine.system import units
from simlab.machine.tools import control, shutdown, text

# systemctl(1), EXIT STATUS.
_NOT_ACTIVE: Final = 3
_NO_SUCH_UNIT: Final = 4
_NOT_LOADED: Final = 5

_ROOT: Final = Path("/")
_POWER: Final = {"reboot": "reboot", "poweroff": "poweroff", "halt": "poweroff"}


def main() -> int:  # noqa: PLR0911 -- one verb, one status
    """Carry out one command; returns the exit status."""
    options = _parse()
    names = [units.full_name(name) for name in options.units]
    try:
        if options.verb in _POWER:
            return shutdown.act(_POWER[options.verb])
        if options.verb in ("daemon-reload", "reset-failed"):
            return 0
        if options.verb == "is-system-running":
            sys.stdout.write("running\n")
            return 0
        if options.verb not in _VERBS:
            sys.stderr.write(f"Unknown operation {options.verb}.\n")
            return 1
        if not names:
            sys.stderr.write("Too few arguments.\n")
            return 1
        return max(_VERBS[options.verb](name, options) for name in names)
    except control.RefusedError as error:
        sys.stderr.write(f"Failed to connect to bus: {error}\n")
        return 1


def _is_active(name: str, options: argparse.Namespace) -> int:
    found = _state(name)
    if not options.quiet:
        sys.stdout.write("active\n" if found["active"] else "failed\n" if found["failed"] else "inactive\n")
    return 0 if found["active"] else _NOT_ACTIVE


def _is_enabled(name: str, options: argparse.Namespace) -> int:
    unit = units.find(_ROOT, name)
    if unit is None:
        sys.stderr.write(f"Failed to get unit file state for {name}: No such file or directory\n")
        return 1
    state = units.state(_ROOT, unit)
    if not options.quiet:
        sys.stdout.write(f"{state}\n")
    return 0 if state in ("enabled", "static") else 1


def _status(name: str, _options: argparse.Namespace) -> int:
    unit = units.find(_ROOT, name)
    if unit is None:
        sys.stderr.write(f"Unit {name} could not be found.\n")
        return _NO_SUCH_UNIT
    found = _state(name)
    preset = "enabled" if units.is_preset(name) else "disabled"
    sys.stdout.write(
        f"● {name} - {unit.description}\n"
        f"   Loaded: loaded ({unit.path}; {units.state(_ROOT, unit)}; vendor preset: {preset})\n"
        f"   Active: {_activity(found)}\n"
    )
    if unit.documentation:
        sys.stdout.write(f"     Docs: {unit.documentation[0]}\n")
    if found["active"] and found["pid"]:
        program = unit.command[0].rpartition("/")[2] if unit.command else name
        sys.stdout.write(f" Main PID: {found['pid']} ({program})\n")
    return 0 if found["active"] else _NOT_ACTIVE


def _activity(found: dict[str, Any]) -> str:
    if found["since"] is None:
        return "inactive (dead)"
    word = (
        "active (running)" if found["active"] else "failed (Result: exit-code)" if found["failed"] else None
    )
    since = datetime.fromisoformat(found["since"])
    ago = text.duration((datetime.now(UTC) - since).total_seconds())
    return f"{word or 'inactive (dead)'} since {since:%a %Y-%m-%d %H:%M:%S} UTC; {ago} ago"


def _show(name: str, options: argparse.Namespace) -> int:
    unit, found = units.find(_ROOT, name), _state(name)
    since = (
        datetime.fromisoformat(found["since"]).strftime("%a %Y-%m-%d %H:%M:%S UTC") if found["since"] else ""
    )
    properties = {
        "Id": name,
        "LoadState": "masked" if unit and unit.masked else "loaded" if unit else "not-found",
        "ActiveState": "active" if found["active"] else "failed" if found["failed"] else "inactive",
        "SubState": "running" if found["active"] else "failed" if found["failed"] else "dead",
        "UnitFileState": units.state(_ROOT, unit) if unit else "",
        "FragmentPath": unit.path if unit else "",
        "MainPID": str(found["pid"] or 0),
        "ActiveEnterTimestamp": since if found["active"] else "",
        "Description": unit.description if unit else name,
    }
    wanted = [key for text in options.property for key in text.split(",")]
    for key, value in properties.items():
        if not wanted or key in wanted:
            sys.stdout.write(f"{value}\n" if options.value else f"{key}={value}\n")
    return 0


def _change(name: str, options: argparse.Namespace) -> int:
    verb = {"reload": "restart", "reload-or-restart": "restart", "try-restart": "restart"}.get(
        options.verb, options.verb
    )
    unit = units.find(_ROOT, name)
    if unit is None:
        sys.stderr.write(f"Failed to {options.verb} {name}: Unit {name} not found.\n")
        return _NOT_LOADED
    if options.verb == "try-restart" and not _state(name)["active"]:
        return 0
    try:
        control.ask(f"unit-{verb}", unit=name)
    except control.RefusedError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _enable(name: str, options: argparse.Namespace) -> int:
    unit = units.find(_ROOT, name)
    if unit is None:
        sys.stderr.write(f"Failed to {options.verb} unit: Unit file {name} does not exist.\n")
        return 1
    if unit.masked:
        sys.stderr.write(
            f"Failed to {options.verb} unit: Unit file /{units.ADMINISTRATOR}/{name} is masked.\n"
        )
        return 1
    act = units.enable if options.verb == "enable" else units.disable
    sys.stderr.writelines(f"{line}\n" for line in act(_ROOT, unit))
    if options.now:
        options.verb = "start" if options.verb == "enable" else "stop"
        return _change(name, options)
    return 0


def _mask(name: str, options: argparse.Namespace) -> int:
    link = _ROOT / units.ADMINISTRATOR / name
    if options.verb == "mask":
        if link.exists() and not link.is_symlink():
            sys.stderr.write(f"Failed to mask unit: File /{units.ADMINISTRATOR}/{name} already exists.\n")
            return 1
        link.unlink(missing_ok=True)
        link.symlink_to("/dev/null")
        sys.stderr.write(f"Created symlink {link} → /dev/null.\n")
    elif link.is_symlink() and str(link.readlink()) == "/dev/null":
        link.unlink()
        sys.stderr.write(f"Removed {link}.\n")
    return 0


def _cat(name: str, _options: argparse.Namespace) -> int:
    unit = units.find(_ROOT, name)
    if unit is None:
        sys.stderr.write(f"No files found for {name}.\n")
        return 1
    drop_ins = sorted((_ROOT / units.ADMINISTRATOR / f"{name}.d").glob("*.conf"))
    sys.stdout.write("\n".join(f"# {path}\n{path.read_text()}" for path in (Path(unit.path), *drop_ins)))
    return 0


def _state(name: str) -> dict[str, Any]:
    found: dict[str, Any] = control.ask("unit", unit=name)
    return found


_VERBS: Final = {
    "is-active": _is_active,
    "is-enabled": _is_enabled,
    "status": _status,
    "show": _show,
    "cat": _cat,
    "enable": _enable,
    "disable": _enable,
    "mask": _mask,
    "unmask": _mask,
    **dict.fromkeys(
        ("start", "stop", "restart", "reload", "reload-or-restart", "try-restart"),
        _change,
    ),
}


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="systemctl")
    parser.add_argument("--quiet", "-q", action="store_true")
    parser.add_argument("--now", action="store_true")
    parser.add_argument("--value", action="store_true")
    parser.add_argument("--property", "-p", action="append", default=[])
    for ignored in (
        "--no-pager",
        "--full",
        "-l",
        "--no-block",
        "--no-reload",
        "--force",
        "-f",
        "--no-wall",
        "--system",
    ):
        parser.add_argument(ignored, action="store_true")
    parser.add_argument("--lines", "-n")
    parser.add_argument("verb")
    parser.add_argument("units", nargs="*", metavar="UNIT")
    return parser.parse_intermixed_args()


if __name__ == "__main__":
    sys.exit(main())
