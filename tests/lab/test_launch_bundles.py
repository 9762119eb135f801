"""What counts as a refusal of a chain, and what as a KBS in trouble."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from lab.errors import NotProven
from lab.kbs.service import BundleAnswer
from lab.launch_bundles import LaunchBundles, Reception
from lab.record import MemoryRecord

OPENED = BundleAnswer("OK", "", launch_id="1")
REFUSED = BundleAnswer("INTERNAL", "Failed to generate launch bundle: the root is not trusted")
BROKEN = BundleAnswer("UNAVAILABLE", "Socket closed")


@dataclass
class Service:
    answers: list[tuple[bytes, BundleAnswer]]

    def get_bundle(self, chain: bytes, policy: int) -> BundleAnswer:
        wanted, answer = self.answers.pop(0)
        assert (chain, policy) == (wanted, 0)
        return answer


@dataclass
class Broker:
    service: Service


def receive(*answers: tuple[bytes, BundleAnswer]) -> tuple[Reception, MemoryRecord]:
    record = MemoryRecord()
    broker: Any = Broker(Service(list(answers)))
    received = LaunchBundles(broker=broker, record=record).reception(b"bad", "a chain", good=b"good")
    assert broker.service.answers == []
    return received, record


@pytest.mark.parametrize(("answer", "received"), [(OPENED, Reception.OPENED), (REFUSED, Reception.REFUSED)])
def test_an_answer_is_taken_as_it_is(answer: BundleAnswer, received: Reception) -> None:
    told, record = receive((b"bad", answer))
    assert told is received
    assert record.findings == []


def test_a_connection_that_breaks_off_each_time_is_the_chains_doing_and_a_finding() -> None:
    told, record = receive((b"bad", BROKEN), (b"good", OPENED), (b"bad", BROKEN))
    assert told is Reception.BROKE_OFF
    [finding] = record.findings
    assert finding.clause == "X-2.2"
    assert "UNAVAILABLE" in finding.detail


@pytest.mark.parametrize(("between", "again"), [(BROKEN, BROKEN), (OPENED, OPENED), (OPENED, REFUSED)])
def test_a_kbs_in_trouble_has_said_nothing(between: BundleAnswer, again: BundleAnswer) -> None:
    with pytest.raises(NotProven, match=r"UNAVAILABLE Socket closed \(K-1\.3\)"):
        receive((b"bad", BROKEN), (b"good", between), (b"bad", again))
