"""One run at a time on a host: a lock that lives as long as the connection that took it."""

from __future__ import annotations

import functools
import getpass
import socket
from typing import TYPE_CHECKING

from lab.deadline import Deadline
from lab.errors import NotProven
from lab.journal import STATE

if TYPE_CHECKING:
    from lab.held import Held
    from lab.host import Host

# The lock is the kernel's: whoever ends the process, or the connection that holds it, frees it.
COMMAND = (
    "mkdir --parents --mode=700 %s && exec 9>>%s && "
    "if flock --nonblock 9; then echo %s > %s; echo locked; exec sleep infinity; "
    "else echo busy; cat %s; fi"
)


class HostLock:
    """The lock of one run, taken when this is made. A reboot of the host frees it: then it is renewed."""

    def __init__(self, host: Host, run: str, *, seconds: float) -> None:
        """Take the lock. Raises NotProven where another run has it."""
        who = f"{getpass.getuser()} on {socket.gethostname()}"
        self._take = functools.partial(take, host, run, who=who, seconds=seconds)
        self._held = self._take()

    def renew(self) -> None:
        """Take it anew. Raises NotProven where another run was quicker."""
        self._held.close()
        self._held = self._take()

    def close(self) -> None:
        """Free it."""
        self._held.close()


def take(host: Host, run: str, *, who: str, seconds: float) -> Held:
    """Take the lock for a run; closing what is returned frees it. Raises NotProven where another has it."""
    lock, holder = f"{STATE}/lock", f"{STATE}/lock.holder"
    held = host.hold(COMMAND, STATE, lock, f"{run} by {who}", holder, holder)
    deadline = Deadline(seconds)
    first = held.read_line(deadline)
    if first == "locked":
        return held
    other = held.read_line(deadline) if first == "busy" else None
    held.close()
    if first != "busy":
        raise NotProven(f"the host's lock {lock} cannot be taken: {first or 'the command said nothing'}")
    raise NotProven(f"another run works on this host: {other or 'unknown'}; wait for its end")
