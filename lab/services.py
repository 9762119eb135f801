"""systemd's units on the host, and SELinux: what of the system runs, and what enforces."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.errors import LabError, NotProven

if TYPE_CHECKING:
    from lab.host import Host

# What `systemctl is-active` prints for a unit that does something now (systemd, unit-name.c's active states).
RUNNING = {"active", "activating", "reloading", "deactivating"}

# Whether the kernel enforces; without SELinux there is no such file (Linux, security/selinux/selinuxfs.c).
ENFORCE = "/sys/fs/selinux/enforce"


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

    def require_running(self, unit: str, owner: str) -> None:
        """Raise NotProven where a unit is not active: `owner` is the clause that owns that."""
        state = self.state(unit)
        if state != "active":
            raise NotProven(f"{unit} is {state}", owner=owner)

    def selinux(self) -> str:
        """SELinux' mode: Enforcing, Permissive or Disabled.

        A system may lack getenforce, which asks no other than the kernel (libselinux, getenforce.c).
        """
        asked = self._host.run("getenforce", check=False, reads=True)
        if asked.succeeded:
            return asked.stdout.strip()
        told = self._host.run(f"cat {ENFORCE}", check=False, reads=True).stdout.strip()
        return {"1": "Enforcing", "0": "Permissive", "": "Disabled"}.get(told, told)
