from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any, cast

import pytest

from lab.errors import DeadlineExceeded, HostFileError, NotProven
from lab.execution import Result
from lab.labfile import Timeouts
from lab.platform import Platform
from lab.record import MemoryRecord
from tests.lab.certificates.chains import Keys, chain, parts

PARTS = parts(Keys())


class SevctlHost:
    """A host whose `sevctl` does what it is told; counts how often it is asked."""

    def __init__(self, outcome: int | DeadlineExceeded, exported: bytes | HostFileError = b"") -> None:
        self.outcome = outcome
        self.exported = exported
        self.asked = 0

    def run(self, command: str, *args: str, **_: Any) -> Result:
        self.asked += 1
        if isinstance(self.outcome, DeadlineExceeded):
            raise self.outcome
        return Result(command, self.outcome, chain(PARTS), b"said on stderr", 0.1)

    def read_file(self, _: str) -> bytes:
        if isinstance(self.exported, HostFileError):
            raise self.exported
        return self.exported


def platform(host: SevctlHost) -> Platform:
    return Platform(
        lab=cast("Any", SimpleNamespace(platform=SimpleNamespace(root="amd"), timeouts=Timeouts())),
        profile=cast("Any", SimpleNamespace(certificate_chain="/opt/sev/cert_chain.cert")),
        host=cast("Any", host),
        record=MemoryRecord(),
    )


def test_the_platform_is_asked_for_its_pdh_once_in_a_run() -> None:
    host = SevctlHost(0)
    asked = platform(host)
    assert asked.reported_pdh() == asked.reported_pdh() == PARTS["PDH"]
    assert host.asked == 1


@pytest.mark.parametrize(
    ("outcome", "cause", "owner"),
    [
        (127, "said on stderr", "W-2.1"),
        (1, "said on stderr", None),
        (DeadlineExceeded("no end within 60 s"), "no end within 60 s", None),
    ],
)
def test_a_platform_that_gives_none_is_not_asked_again(
    outcome: int | DeadlineExceeded, cause: str, owner: str | None
) -> None:
    host = SevctlHost(outcome)
    asked = platform(host)
    for _ in range(2):
        with pytest.raises(NotProven, match=cause) as reason:
            asked.reported_pdh()
        assert reason.value.owner == owner
    assert host.asked == 1


def test_a_chain_that_cannot_be_read_is_no_good_chain() -> None:
    broken = platform(SevctlHost(0, HostFileError("/opt/sev/cert_chain.cert", "it is a folder")))
    assert broken.broken_links() == ["/opt/sev/cert_chain.cert on the host: it is a folder"]


def test_the_pdh_of_another_platform_is_told_by_both_fingerprints() -> None:
    assert platform(SevctlHost(0, chain(PARTS))).foreign_pdh() is None
    said = platform(SevctlHost(0, chain(parts(Keys())))).foreign_pdh()
    assert said is not None
    assert len(set(re.findall(r"\b[0-9a-f]{64}\b", said))) == 2
