"""systemd's units on the host, and SELinux: what of the system runs, and what enforces."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.errors import LabError

if TYPE_CHECKING:
    from lab.host import Host

# What `systemctl is-active` prints for a unit that does something now (systemd, unit-name.c's active states).
RUNNING = {"active", "activating", "reloading", "deactivating"}


class Services:
    """Units of one host. Every question looks again."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def state(self, unit: str) -> str:
        """A unit's active state; a unit that is not installed is `inactive`, or `unknown` to old systemds.

        `is-active` ends with 3 for a unit that is not active, and with 4 for one that does not exist.
        """
        asked = self._host.run("systemctl is-active %s", unit, check=False, reads=True)
        state = asked.stdout.strip().splitlines()
        if not state or asked.exit_code not in {0, 3, 4}:
            raise LabError(
                f"systemctl does not tell the state of {unit}: {asked.stderr.strip() or 'no answer'}"
            )
        return state[0]

    def runs(self, unit: str) -> bool:
        """Whether a unit is active, or on its way to or from it."""
        return self.state(unit) in RUNNING

    def selinux(self) -> str:
        """SELinux' mode: Enforcing, Permissive or Disabled."""
        return self._host.run("getenforce", reads=True).stdout.strip()
