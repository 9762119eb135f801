"""One run at a time on a host: a lock that lives as long as the connection that took it.

It is the host's kernel that gives it and takes it back, so two runs never have it at once and no clocks are
compared. A runner that falls silent is not broken into: the host ends its process (see `lab.held`).
"""

from __future__ import annotations

import functools
import getpass
import socket
from typing import TYPE_CHECKING

from lab.deadline import Deadline
from lab.errors import NotProven
from lab.held import SILENCE
from lab.journal import STATE

if TYPE_CHECKING:
    from lab.held import Held
    from lab.host import Host

# Whoever ends the process, or the connection that holds it, frees it. Who lost a connection unnoticed by the
# host finds the lock in its own name, and waits for the host to notice.
COMMAND = (
    "mkdir --parents --mode=700 %s && exec 9>>%s && me=%s holder=%s && "
    'if flock --nonblock 9 || { [ "$(cat "$holder")" = "$me" ] && flock --timeout %s 9; }; '
    'then echo "$me" > "$holder"; echo locked; exec sleep infinity; '
    'else echo busy; cat "$holder"; fi'
)


# Opens a lock that is there for reading only, and leaves it free.
FREE = "[ ! -e %s ] || flock --nonblock --shared %s true || cat %s"


class HostLock:
    """The lock of one run, taken when this is made. A reboot of the host, or a lost connection, frees it."""

    def __init__(self, host: Host, run: str, *, seconds: float) -> None:
        """Take the lock. Raises NotProven where another run has it."""
        who = f"{getpass.getuser()} on {socket.gethostname()}"
        self._take = functools.partial(take, host, run, who=who, seconds=seconds)
        self._held = self._take()

    def renew(self) -> None:
        """Take it anew. Raises NotProven where another run was quicker."""
        self._held.close()
        self._held = self._take(patience=SILENCE + 30)

    def keep(self) -> None:
        """Make sure that it is still held, before anything is touched; see `renew`."""
        if not self._held.alive:
            self.renew()

    def close(self) -> None:
        """Free it."""
        self._held.close()


def require_free(host: Host) -> None:
    """Raise NotProven where another run has the lock; it is not taken, and nothing is made for it."""
    lock, holder = f"{STATE}/lock", f"{STATE}/lock.holder"
    if other := host.run(FREE, lock, lock, holder, reads=True).stdout.strip():
        raise NotProven(f"another run works on this host: {other}; wait for its end")


def take(host: Host, run: str, *, who: str, seconds: float, patience: int = 0) -> Held:
    """Take the lock for a run; closing what is returned frees it.

    The run's own earlier process is waited for, at most `patience` seconds. Raises NotProven where another
    run has it.
    """
    lock, holder = f"{STATE}/lock", f"{STATE}/lock.holder"
    held = host.hold(COMMAND, STATE, lock, f"{run} by {who}", holder, patience)
    deadline = Deadline(seconds + patience)
    first = held.read_line(deadline)
    if first == "locked":
        return held
    other = held.read_line(deadline) if first == "busy" else None
    held.close()
    if first != "busy":
        raise NotProven(f"the host's lock {lock} cannot be taken: {first or 'the command said nothing'}")
    raise NotProven(f"another run works on this host: {other or 'unknown'}; wait for its end")
