"""systemctl: asking for the state of the units that the simulated host has.

kubelet and containerd are one service of the lab, so they live and die together; no unit can be changed.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from typing import Final

from simlab.machine.tools import control

# systemctl(1), EXIT STATUS.
_NOT_ACTIVE: Final = 3
_NO_SUCH_UNIT: Final = 4


@dataclass(frozen=True)
class Unit:
    """A unit; `service` is the lab's service behind it: None if it never runs, "" if it always does."""

    description: str
    service: str | None
    enabled: bool


_UNITS: Final = {
    "containerd": Unit("containerd container runtime", "node", enabled=True),
    "kubelet": Unit("kubelet: The Kubernetes Node Agent", "node", enabled=True),
    "docker": Unit("Docker Application Container Engine", "", enabled=False),
    "sshd": Unit("OpenSSH server daemon", "sshd", enabled=True),
    # The guide stops it, and nothing starts it.
    "firewalld": Unit("firewalld - dynamic firewall daemon", None, enabled=False),
}


def main() -> int:
    """Carry out one command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="systemctl")
    parser.add_argument("--quiet", "-q", action="store_true")
    parser.add_argument("--no-pager", action="store_true")
    parser.add_argument("verb")
    parser.add_argument("units", nargs="+", metavar="UNIT")
    options = parser.parse_args()
    names = [name.removesuffix(".service") for name in options.units]
    verbs = {"is-active": _is_active, "is-enabled": _is_enabled, "status": _status}
    try:
        if options.verb in verbs:
            return max(verbs[options.verb](name, options.quiet) for name in names)
        return max(_change(options.verb, name) for name in names)
    except control.RefusedError as error:
        sys.stderr.write(f"Failed to connect to bus: {error}\n")
        return 1


def _is_active(name: str, quiet: bool) -> int:
    active = name in _UNITS and _runs(_UNITS[name])
    if not quiet:
        sys.stdout.write("active\n" if active else "inactive\n")
    return 0 if active else _NOT_ACTIVE


def _is_enabled(name: str, quiet: bool) -> int:
    if name not in _UNITS:
        sys.stderr.write(f"Failed to get unit file state for {name}.service: No such file or directory\n")
        return 1
    if not quiet:
        sys.stdout.write("enabled\n" if _UNITS[name].enabled else "disabled\n")
    return 0 if _UNITS[name].enabled else 1


def _status(name: str, _quiet: bool) -> int:
    if name not in _UNITS:
        sys.stderr.write(f"Unit {name}.service could not be found.\n")
        return _NO_SUCH_UNIT
    unit = _UNITS[name]
    active = _runs(unit)
    preset = "enabled" if unit.enabled else "disabled"
    sys.stdout.write(
        f"● {name}.service - {unit.description}\n"
        f"   Loaded: loaded (/usr/lib/systemd/system/{name}.service; {preset}; vendor preset: disabled)\n"
        f"   Active: {'active (running)' if active else 'inactive (dead)'}\n"
    )
    return 0 if active else _NOT_ACTIVE


def _change(verb: str, name: str) -> int:
    if name not in _UNITS:
        sys.stderr.write(f"Failed to {verb} {name}.service: Unit {name}.service not found.\n")
        return 5
    if (verb, _runs(_UNITS[name])) in (("start", True), ("stop", False)):
        return 0
    sys.stderr.write(f"Failed to {verb} {name}.service: the simulated host cannot do that.\n")
    return 1


def _runs(unit: Unit) -> bool:
    return unit.service is not None and (not unit.service or control.is_running(unit.service))


if __name__ == "__main__":
    sys.exit(main())
