"""What the host says when a run asks for its lock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from lab import lock
from lab.errors import NotProven
from tests.lab.said import SayingHost

if TYPE_CHECKING:
    from lab.host import Host


class Asked:
    """A host on which the lock's command says these lines."""

    def __init__(self, *lines: str) -> None:
        self._lines = list(lines)
        self.closed = False
        self.alive = True

    def hold(self, *_: Any) -> Asked:
        return self

    def read_line(self, _: Any) -> str | None:
        return self._lines.pop(0) if self._lines else None

    def close(self) -> None:
        self.closed = True


def take(*lines: str) -> Asked:
    return cast("Asked", lock.take(cast("Host", Asked(*lines)), "run-1", who="me", seconds=1))


def test_the_lock_is_held() -> None:
    assert not take("locked").closed


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (("busy", "run-0 by somebody"), "another run works on this host: run-0 by somebody; wait"),
        (("mkdir: cannot create directory",), "cannot be taken: mkdir: cannot create directory"),
        ((), "cannot be taken: the command said nothing"),
    ],
)
def test_who_has_it_and_why_not_are_told_apart(lines: tuple[str, ...], said: str) -> None:
    with pytest.raises(NotProven, match=said):
        take(*lines)


def test_who_changes_nothing_finds_the_lock_free_or_another_in_it() -> None:
    host = SayingHost({"[ ! -e /var/lib/sev-conformance/lock ]": ""})
    lock.require_free(host.as_host)
    host.says = {"[ ! -e": "run-0 by somebody\n"}
    with pytest.raises(NotProven, match="another run works on this host: run-0 by somebody"):
        lock.require_free(host.as_host)


def test_the_lock_is_renewed_after_a_reboot() -> None:
    host = Asked("locked", "locked", "busy", "run-2 by another")
    held = lock.HostLock(cast("Host", host), "run-1", seconds=1)
    held.renew()
    assert host.closed
    with pytest.raises(NotProven, match="run-2 by another"):
        held.renew()


def test_a_lock_that_was_lost_is_taken_again_before_anything_is_touched() -> None:
    host = Asked("locked", "locked", "busy", "run-2 by another")
    held = lock.HostLock(cast("Host", host), "run-1", seconds=1)
    held.keep()
    assert not host.closed
    host.alive = False
    held.keep()
    assert host.closed
    with pytest.raises(NotProven, match="run-2 by another"):
        held.keep()
