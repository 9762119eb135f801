"""One pod's life on this node, as the kubelet's pod worker drives it.

Events, texts and waiting times as kubelet 1.24: `pod_workers.go`, `kuberuntime/kuberuntime_manager.go`
(`SyncPod`, `KillPod`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from typing import TYPE_CHECKING, Final

from simlab.kube.client import ApiError, ApiUnreachableError
from simlab.node import clock
from simlab.node import pod as pods
from simlab.node import status as statuses
from simlab.node.containerd.records import Container
from simlab.node.events import NORMAL, WARNING
from simlab.node.pod_containers import PodContainers, StartError
from simlab.node.rpc import RpcError

if TYPE_CHECKING:
    from collections.abc import Callable

    from simlab.kube.client import Api, Object
    from simlab.node.containerd.cri import Cri
    from simlab.node.containerd.records import Sandbox
    from simlab.node.events import EventRecorder

_RETRY_SECONDS: Final = 10.0
_RETRY_JITTER: Final = 0.5
_STATUS_RETRY_SECONDS: Final = 1.0
_LEAST_GRACE_SECONDS: Final = 2.0  # kuberuntime_container.go 1.24: minimumGracePeriodInSeconds
# The pod is gone, or another of its name is there.
_NOTHING_LEFT: Final = (404, 409)

_log = logging.getLogger(__name__)


class PodWorker:
    """Brings one pod into its wanted state and keeps it there, until it is deleted."""

    def __init__(
        self, pod: Object, api: Api, cri: Cri, events: EventRecorder, handler_of: Callable[[str], str]
    ) -> None:
        """Take charge of a pod; `handler_of` gives a RuntimeClass' handler, or raises KeyError."""
        self.pod = pod
        self.containers = PodContainers(pod, cri, events)
        self._api = api
        self._cri = cri
        self._events = events
        self._handler_of = handler_of
        self._sandbox: Sandbox | None = None
        self._attempt = 0
        self._start_time = pod.get("status", {}).get("startTime") or clock.now()
        self._posted: Object = {}
        self._wake = asyncio.Event()
        self._gone = False
        self._syncing: asyncio.Task[float | None] | None = None

    def update(self, pod: Object) -> None:
        """Take a newer version of the pod; one that differs in its status only is this worker's own doing."""
        changed = _wanted_state(pod) != _wanted_state(self.pod)
        self.pod = pod
        if changed:
            self._wake.set()
        if self._ending and self._syncing is not None:
            # A sync may wait for a guest or a registry; the deletion does not wait for it.
            self._syncing.cancel()

    def removed(self) -> None:
        """The pod is no longer in the API: end it without a word to anybody."""
        self._gone = True
        self._wake.set()
        if self._syncing is not None:
            self._syncing.cancel()

    async def run(self) -> None:
        """Work until the pod is gone."""
        while not self._ending:
            self._wake.clear()
            self._syncing = asyncio.create_task(self._sync())
            try:
                delay = await self._syncing
            except asyncio.CancelledError:
                if self._ending:
                    break
                self._syncing.cancel()
                raise
            finally:
                self._syncing = None
            await self._sleep(delay)
        await self._terminate()

    @property
    def _ending(self) -> bool:
        return self._gone or pods.is_deleted(self.pod)

    async def _sleep(self, delay: float | None) -> None:
        """Wait for news of the pod, for `delay` seconds at most."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(delay):
                await self._wake.wait()

    async def _sync(self) -> float | None:
        """One sync; returns in how many seconds the next is due, None for not before something happens."""
        delay: float | None = None
        try:
            delay = await self._bring_up()
        except StartError as error:
            _log.info("pod %s: %s", pods.key(self.pod), error)
            delay = _RETRY_SECONDS * (1 + random.random() * _RETRY_JITTER)  # noqa: S311 - no secret
        if not await self._post_status():
            return _STATUS_RETRY_SECONDS
        return delay

    async def _bring_up(self) -> float | None:
        tracks = self.containers
        if statuses.phase(self.pod, tracks.main.values(), tracks.init.values()) in ("Succeeded", "Failed"):
            await self._drop_sandbox()
            return None
        return await tracks.ensure_running(self.pod, await self._ensure_sandbox())

    async def _ensure_sandbox(self) -> Sandbox:
        """The pod's sandbox, created when there is none. Raises StartError."""
        if self._sandbox is not None and self._sandbox.state == "SANDBOX_READY":
            return self._sandbox
        if self._sandbox is not None:
            text = "Pod sandbox changed, it will be killed and re-created."
            self._events.pod(self.pod, NORMAL, "SandboxChanged", text)
            await self._drop_sandbox()
        await self._post_status()
        wanted = pods.sandbox_config(self.pod, self._attempt)
        self._attempt += 1
        try:
            self._sandbox = await self._cri.run_pod_sandbox(wanted, self._handler(), self._wake.set)
        except RpcError as error:
            text = f"Failed to create pod sandbox: {error}"
            self._events.pod(self.pod, WARNING, "FailedCreatePodSandBox", text)
            raise StartError(f"sandbox not created: {error}") from None
        return self._sandbox

    def _handler(self) -> str:
        name = self.pod["spec"].get("runtimeClassName") or ""
        try:
            return self._handler_of(name)
        except KeyError:
            # The RuntimeClass was deleted after the pod was admitted.
            reason = f'failed to get sandbox runtime: RuntimeClass "{name}" not found'
            raise RpcError("NotFound", reason) from None

    async def _drop_sandbox(self) -> None:
        sandbox, self._sandbox = self._sandbox, None
        if sandbox is not None:
            await self._cri.remove_pod_sandbox(sandbox)

    async def _terminate(self) -> None:
        grace = 0.0 if self._gone else pods.grace_seconds(self.pod)
        running = [track for track in self.containers.all if track.running]
        for track in running:
            if not self._gone:
                text = f"Stopping container {track.name}"
                self._events.pod(self.pod, NORMAL, "Killing", text, track.name)
        started = [track.current for track in running if isinstance(track.current, Container)]
        await asyncio.gather(*(self._stop(container, grace) for container in started))
        await self._drop_sandbox()
        if not self._gone:
            await self._finish_deletion()
        self._cri.remove_logs(pods.log_folder(self.pod))

    async def _stop(self, container: Container, grace: float) -> None:
        """Run the container's preStop hook and stop it, both within the grace period."""
        hook = pods.pre_stop(self.pod, container.config.name)
        begin = time.monotonic()
        if hook and grace > 0:
            try:
                async with asyncio.timeout(grace):
                    code = await self._cri.run_in_container(container, hook)
                failure = f"command '{' '.join(hook)}' exited with {code}" if code else ""
            except TimeoutError:
                failure = "context deadline exceeded"
            except RpcError as error:
                failure = str(error)
            if failure:
                self._hook_failed(container.config.name, hook, failure)
            grace = max(grace - (time.monotonic() - begin), _LEAST_GRACE_SECONDS)
        await self._cri.stop_container(container, grace)

    def _hook_failed(self, container: str, hook: tuple[str, ...], failure: str) -> None:
        # kubelet 1.24 lifecycle/handlers.go, runLifecycleHook
        meta = self.pod["metadata"]
        which = f"{meta['name']}_{meta['namespace']}({meta['uid']})"
        text = (
            f'Exec lifecycle hook ([{" ".join(hook)}]) for Container "{container}" in Pod "{which}" failed'
            f' - error: {failure}, message: ""'
        )
        self._events.pod(self.pod, WARNING, "FailedPreStopHook", text, container)

    async def _finish_deletion(self) -> None:
        """Post the last status and remove the pod from the API."""
        options = {
            "kind": "DeleteOptions",
            "apiVersion": "v1",
            "gracePeriodSeconds": 0,
            "preconditions": {"uid": pods.uid(self.pod)},
        }
        while not self._gone:
            if await self._post_status():
                try:
                    await self._api.delete(pods.path(self.pod), options)
                except (ApiError, ApiUnreachableError) as error:
                    if isinstance(error, ApiError) and error.code in _NOTHING_LEFT:
                        return
                    _log.warning("pod %s not deleted: %s", pods.key(self.pod), error)
                else:
                    return
            await self._sleep(_STATUS_RETRY_SECONDS)
            self._wake.clear()

    async def _post_status(self) -> bool:
        """Write the pod's status if it changed; False when it should be tried again."""
        ip = self._sandbox.ip if self._sandbox else self.pod.get("status", {}).get("podIP", "")
        tracks = self.containers
        status = statuses.build(self.pod, tracks.main, tracks.init, ip, self._start_time)
        if status == self._posted:
            return True
        patch = {"metadata": {"uid": pods.uid(self.pod)}, "status": status}
        try:
            answer = await self._api.patch(f"{pods.path(self.pod)}/status", patch)
        except (ApiError, ApiUnreachableError) as error:
            _log.info("status of pod %s not written: %s", pods.key(self.pod), error)
            return isinstance(error, ApiError) and error.code in _NOTHING_LEFT
        self._posted = status
        self.pod["status"] = answer.get("status", status)
        return True


def _wanted_state(pod: Object) -> Object:
    meta = pod["metadata"]
    kept = ("labels", "annotations", "deletionTimestamp", "deletionGracePeriodSeconds")
    return {"spec": pod["spec"], **{name: meta.get(name) for name in kept}}
