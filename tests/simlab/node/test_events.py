from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

from simlab.node.events import NORMAL, WARNING, EventRecorder
from tests.simlab.node.fake_api import FakeApi

if TYPE_CHECKING:
    from collections.abc import Callable

    from simlab.kube.client import Api

POD = {"metadata": {"namespace": "default", "name": "p", "uid": "u"}}


def recorded(work: Callable[[EventRecorder], None]) -> list[dict[str, Any]]:
    api = FakeApi()

    async def run() -> None:
        recorder = EventRecorder(cast("Api", api), "node-1")
        work(recorder)
        writer = asyncio.create_task(recorder.run())
        await recorder.flush()
        writer.cancel()

    asyncio.run(run())
    return api.events()


def test_a_repeated_event_counts_up() -> None:
    def work(recorder: EventRecorder) -> None:
        for _ in range(3):
            recorder.pod(POD, WARNING, "FailedCreatePodSandBox", "no")
        recorder.pod(POD, NORMAL, "Pulled", "yes", "c")

    events = recorded(work)
    assert [(event["reason"], event["count"]) for event in events] == [
        ("FailedCreatePodSandBox", 3),
        ("Pulled", 1),
    ]
    assert events[0]["source"] == {"component": "kubelet", "host": "node-1"}
    assert events[1]["involvedObject"]["fieldPath"] == "spec.containers{c}"


def test_similar_events_are_combined() -> None:
    def work(recorder: EventRecorder) -> None:
        for number in range(13):
            recorder.pod(POD, WARNING, "FailedCreatePodSandBox", f"launch {number}")

    events = recorded(work)
    assert len(events) == 10
    assert events[-1]["count"] == 4
    assert events[-1]["message"] == "(combined from similar events): launch 12"
