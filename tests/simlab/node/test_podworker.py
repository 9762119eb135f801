from __future__ import annotations

import asyncio
import contextlib
import copy
from typing import TYPE_CHECKING, Any, cast

import pytest

from simlab.node import image_pull, pod_containers, podworker
from simlab.node.backoff import Backoff
from simlab.node.events import EventRecorder
from simlab.node.podworker import PodWorker
from simlab.node.rpc import RpcError
from tests.simlab.node.fake_api import FakeApi
from tests.simlab.node.fake_cri import FakeCri

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from simlab.kube.client import Api
    from simlab.node.containerd.cri import Cri

Object = dict[str, Any]
PATH = "/api/v1/namespaces/default/pods/p"


def new_pod(policy: str = "Always", **more: Any) -> Object:
    return {
        "metadata": {"name": "p", "namespace": "default", "uid": "u1"},
        "spec": {"restartPolicy": policy, "containers": [{"name": "c", "image": "busybox"}], **more},
    }


class Node:
    """A worker on fakes, with waiting times a test can bear."""

    def __init__(self, pod: Object) -> None:
        self.api = FakeApi()
        self.cri = FakeCri()
        self.api.objects[PATH] = copy.deepcopy(pod)
        api = cast("Api", self.api)
        self.events = EventRecorder(api, "node-1")
        handlers = {"": "", "kata": "kata"}
        self.worker = PodWorker(pod, api, cast("Cri", self.cri), self.events, handlers.__getitem__)

    @property
    def status(self) -> Object:
        return cast("Object", self.api.objects[PATH].get("status", {}))

    def container(self) -> Object:
        return cast("Object", self.status["containerStatuses"][0])

    async def until(self, condition: Callable[[], Any]) -> None:
        async with asyncio.timeout(5):
            while not condition():  # noqa: ASYNC110 - the worker tells nobody
                await asyncio.sleep(0.005)

    async def messages(self, reason: str) -> list[str]:
        await self.events.flush()
        return [event["message"] for event in self.api.events() if event["reason"] == reason]

    def delete(self) -> None:
        deleted = copy.deepcopy(self.worker.pod)
        deleted["metadata"] |= {"deletionTimestamp": "2026-01-01T00:00:00Z", "deletionGracePeriodSeconds": 1}
        self.worker.update(deleted)


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(podworker, "_RETRY_SECONDS", 0.05)
    monkeypatch.setattr(pod_containers, "_RELIST_SECONDS", 0.01)
    for module in (pod_containers, image_pull):
        monkeypatch.setattr(module, "Backoff", lambda: Backoff(first=0.2, most=1.0))


@contextlib.asynccontextmanager
async def working(pod: Object) -> AsyncIterator[Node]:
    node = Node(pod)
    tasks = [asyncio.create_task(node.worker.run()), asyncio.create_task(node.events.run())]
    try:
        yield node
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def test_from_pending_to_running_to_gone() -> None:
    async def story() -> None:
        async with working(new_pod(runtimeClassName="kata")) as node:
            await node.until(lambda: node.status.get("phase") == "Running")
            assert node.cri.sandboxes[0].runtime.name == "kata"
            ready = {item["type"]: item["status"] for item in node.status["conditions"]}
            assert ready == {
                "Initialized": "True",
                "Ready": "True",
                "ContainersReady": "True",
                "PodScheduled": "True",
            }
            assert node.status["podIP"] == "10.0.0.1"
            assert await node.messages("Started") == ["Started container c"]
            node.delete()
            await node.until(lambda: PATH not in node.api.objects)
            assert node.cri.removed == node.cri.sandboxes
            assert await node.messages("Killing") == ["Stopping container c"]
            await node.until(lambda: node.cri.logs_removed == ["/var/log/pods/default_p_u1"])

    asyncio.run(story())


def test_sandbox_is_tried_again_and_told_once() -> None:
    async def story() -> None:
        async with working(new_pod()) as node:
            node.cri.sandbox_error = RpcError("Unknown", "no")
            text = "Failed to create pod sandbox: rpc error: code = Unknown desc = no"

            def counts() -> list[int]:
                return [event["count"] for event in node.api.events() if event["message"] == text]

            await node.until(lambda: counts() == [3])
            assert node.container()["state"] == {"waiting": {"reason": "ContainerCreating"}}
            node.cri.sandbox_error = None
            await node.until(lambda: node.status.get("phase") == "Running")

    asyncio.run(story())


def test_failed_pull_backs_off() -> None:
    async def story() -> None:
        async with working(new_pod()) as node:
            node.cri.pull_error = RpcError("Internal", "failed to async handle layer")
            await node.until(lambda: node.status.get("containerStatuses"))
            await node.until(lambda: node.container()["state"]["waiting"]["reason"] == "ErrImagePull")
            message = node.container()["state"]["waiting"]["message"]
            assert message == "rpc error: code = Internal desc = failed to async handle layer"
            await node.until(lambda: node.container()["state"]["waiting"]["reason"] == "ImagePullBackOff")
            assert node.cri.pulls == 1
            await node.until(lambda: node.cri.pulls >= 2)
            assert 'Back-off pulling image "busybox"' in await node.messages("BackOff")
            assert {"Error: ErrImagePull", "Error: ImagePullBackOff"} <= set(await node.messages("Failed"))

    asyncio.run(story())


def test_crash_loop() -> None:
    async def story() -> None:
        async with working(new_pod()) as node:
            await node.until(lambda: len(node.cri.started) == 1)
            node.cri.end(1)
            await node.until(lambda: len(node.cri.started) == 2)
            node.cri.end(1)
            await node.until(lambda: "waiting" in node.container()["state"])
            waiting = node.container()["state"]["waiting"]
            assert waiting["reason"] == "CrashLoopBackOff"
            assert "restarting failed container=c pod=p_default(u1)" in waiting["message"]
            await node.until(lambda: len(node.cri.started) == 3)
            await node.until(lambda: node.container()["restartCount"] == 2)
            assert node.container()["lastState"]["terminated"]["exitCode"] == 1

    asyncio.run(story())


@pytest.mark.parametrize(("code", "phase"), [(0, "Succeeded"), (3, "Failed")])
def test_pod_that_is_never_restarted_ends(code: int, phase: str) -> None:
    async def story() -> None:
        async with working(new_pod("Never")) as node:
            await node.until(lambda: node.cri.started)
            node.cri.end(code)
            await node.until(lambda: node.status.get("phase") == phase)
            assert node.container()["state"]["terminated"]["exitCode"] == code
            await node.until(lambda: node.cri.removed)

    asyncio.run(story())


def test_guest_that_dies_is_replaced() -> None:
    async def story() -> None:
        async with working(new_pod()) as node:
            await node.until(lambda: node.cri.started)
            node.cri.lose_sandbox()
            await node.until(lambda: len(node.cri.started) == 2)
            assert node.cri.sandboxes[1].config.attempt == 1
            assert len(await node.messages("SandboxChanged")) == 1

    asyncio.run(story())


def test_init_container_comes_first() -> None:
    async def story() -> None:
        async with working(new_pod(initContainers=[{"name": "i", "image": "busybox"}])) as node:
            await node.until(lambda: node.cri.started and node.cri.started[0].config.name == "i")
            await node.until(lambda: node.status.get("containerStatuses"))
            assert node.container()["state"]["waiting"]["reason"] == "PodInitializing"
            node.cri.end(0)
            await node.until(lambda: node.status.get("phase") == "Running")
            assert [container.config.name for container in node.cri.started] == ["i", "c"]

    asyncio.run(story())


@pytest.mark.parametrize(("policy", "phase"), [("Never", "Failed"), ("Always", "Running")])
def test_containers_of_an_earlier_node_are_lost(policy: str, phase: str) -> None:
    pod = new_pod(policy)
    pod["status"] = {
        "phase": "Running",
        "containerStatuses": [
            {
                "name": "c",
                "image": "busybox",
                "imageID": "busybox",
                "containerID": "containerd://abc",
                "restartCount": 0,
                "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}},
            }
        ],
    }

    async def story() -> None:
        async with working(pod) as node:
            await node.until(lambda: node.status.get("qosClass") and node.status["phase"] == phase)
            if policy == "Always":
                await node.until(lambda: node.container()["restartCount"] == 1)
                lost = node.container()["lastState"]["terminated"]
            else:
                lost = node.container()["state"]["terminated"]
                assert not node.cri.started
            assert (lost["exitCode"], lost["reason"]) == (255, "Unknown")

    asyncio.run(story())


def test_api_that_is_away_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(podworker, "_STATUS_RETRY_SECONDS", 0.02)

    async def story() -> None:
        async with working(new_pod()) as node:
            node.api.unreachable = True
            await node.until(lambda: node.cri.started)
            node.api.unreachable = False
            await node.until(lambda: node.status.get("phase") == "Running")
            assert len(node.cri.started) == 1

    asyncio.run(story())


def test_deletion_does_not_wait_for_a_guest_that_starts() -> None:
    async def story() -> None:
        async with working(new_pod()) as node:

            async def slow(*_: object) -> Any:
                await asyncio.Event().wait()

            await node.until(lambda: node.cri.started)
            node.cri.lose_sandbox()
            node.cri.run_pod_sandbox = slow  # type: ignore[assignment, method-assign]
            await asyncio.sleep(0)
            node.delete()
            await node.until(lambda: PATH not in node.api.objects)

    asyncio.run(story())


def test_runtime_class_that_was_deleted() -> None:
    async def story() -> None:
        async with working(new_pod(runtimeClassName="gone")) as node:
            await node.until(node.api.events)
            messages = await node.messages("FailedCreatePodSandBox")
            assert 'RuntimeClass "gone" not found' in messages[0]

    asyncio.run(story())
