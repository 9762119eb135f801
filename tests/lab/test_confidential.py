from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from lab.confidential import ConfidentialPods
from lab.errors import NotProven, Unreachable
from lab.kbs.service import OnlineAnswer
from lab.outcome import Pod, refused_for_good
from lab.record import MemoryRecord

POD = Pod("default", "p", "u", refused_for_good)


class Seen:
    """A KBS and a cluster as far as they tell of one launch, whose files are none of this test's business."""

    digest = "digest"
    vm = sev_digest = None

    def __init__(self, answers: int, failed: int) -> None:
        self.answers, self.failed = answers, failed

    def validations(self, digest: str) -> list[str]:
        return [digest] * self.answers

    def failed_launches(self, pod: Pod) -> int:
        return self.failed


def pods_among(lab: Any) -> ConfidentialPods:
    """Confidential pods in a lab of which one object plays every part."""
    return ConfidentialPods(
        lab=lab,
        profile=lab,
        host=lab,
        launches=lab,
        broker=lab,
        artefacts=lab,
        workloads=lab,
        borrowing=lab,
        record=MemoryRecord(),
        run="r",
    )


def requests(monkeypatch: pytest.MonkeyPatch, answers: int, failed: int) -> int:
    seen = cast("Any", Seen(answers, failed))
    pods = pods_among(seen)
    monkeypatch.setattr(pods, "launch_of", lambda _pod: seen)
    return pods.requests_at_run_time(POD)


class SaidToRun:
    """A cluster that says of every pod that it runs."""

    def require_running(self, pod: Pod, owner: str) -> None:
        pass


@pytest.mark.parametrize("measured", [True, False])
def test_an_sev_pod_that_only_the_cluster_sees_running_is_no_control(
    monkeypatch: pytest.MonkeyPatch, measured: bool
) -> None:
    pods = pods_among(cast("Any", SaidToRun()))

    def qemu_of(_pod: Pod) -> None:
        assert measured, "no QEMU process runs an SEV guest for the pod p"

    monkeypatch.setattr(pods, "qemu_of", qemu_of)
    pods.require_running(POD, "W-3.3")
    pods._configurations[POD.uid] = cast("Any", None)
    if measured:
        pods.require_running(POD, "W-3.3")
        return
    with pytest.raises(NotProven, match="said to be Running, and no QEMU process") as stopped:
        pods.require_running(POD, "W-3.3")
    assert stopped.value.owner == "W-3.3"


@pytest.mark.parametrize(
    ("answers", "failed", "more"), [(1, 0, 0), (3, 0, 2), (0, 0, -1), (1, 2, 0), (4, 2, 3)]
)
def test_what_a_launch_asks_beside_its_secret_is_counted(
    monkeypatch: pytest.MonkeyPatch, answers: int, failed: int, more: int
) -> None:
    assert requests(monkeypatch, answers, failed) == more


def test_a_launch_that_kubelet_repeated_may_have_asked_for_each_secret_or_for_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(NotProven, match="3 sandboxes made for the pod p, and the KBS answered its launch 2"):
        requests(monkeypatch, 2, 2)


@pytest.mark.parametrize(
    ("said", "hopeless"),
    [
        (None, True),
        (OnlineAnswer("INTERNAL", "Policy validation failed: fw digest not valid"), True),
        (OnlineAnswer("OK", ""), False),
        (Unreachable("kbs", "no connection comes about"), False),
        (Unreachable("database", "refused"), False),
    ],
)
def test_a_launch_without_its_key_is_given_up_when_the_kbs_says_so(
    monkeypatch: pytest.MonkeyPatch, said: OnlineAnswer | Unreachable | None, *, hopeless: bool
) -> None:
    pods = keyless(monkeypatch, said)
    assert pods._is_without_hope(POD, None) is hopeless


def test_a_lost_host_is_told_while_a_key_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Unreachable, match="host: gone"):
        keyless(monkeypatch, Unreachable("host", "gone"))._is_without_hope(POD, None)


def keyless(monkeypatch: pytest.MonkeyPatch, said: OnlineAnswer | Unreachable | None) -> ConfidentialPods:
    def key_for(_digest: str, _key_id: str | None) -> OnlineAnswer | None:
        if isinstance(said, Unreachable):
            raise said
        return said

    other: Any = SimpleNamespace(of=lambda *_: other, key_for=key_for, digest="d")
    pods = pods_among(other)
    monkeypatch.setattr(pods, "launch_of", lambda _pod: other)
    return pods
