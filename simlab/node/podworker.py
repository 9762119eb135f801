"""One pod's life on this node, as the kubelet's pod worker drives it.

Events, texts and waiting times as kubelet 1.24: `kuberuntime/kuberuntime_manager.go` (`SyncPod`),
`kuberuntime_container.go` (`startContainer`), `images/image_manager.go` (`EnsureImageExists`), `pod_workers.go`.
"""

from __future__ import annotations

import asyncio
import logging
import random
from typing import TYPE_CHECKING, Final

from simlab.node import clock
from simlab.node import pod as pods
from simlab.node import status as statuses
from simlab.node.api import ApiError, ApiUnreachableError
from simlab.node.backoff import Backoff
from simlab.node.events import NORMAL, WARNING
from simlab.node.image_pull import ImagePuller, PullError
from simlab.node.rpc import RpcError
from simlab.node.status import CREATING, INITIALIZING, ContainerTrack, Waiting

if TYPE_CHECKING:
    from collections.abc import Callable

    from simlab.node.api import Api, Object
    from simlab.node.containerd.cri import Cri
    from simlab.node.containerd.records import Sandbox
    from simlab.node.events import EventRecorder

_RETRY_SECONDS: Final = 10.0
_JITTER: Final = 0.5
# The lifecycle generator lists containers once a second and so syncs a pod whose sandbox is new.
_RELIST_SECONDS: Final = 1.0
_STATUS_RETRY_SECONDS: Final = 1.0

_log = logging.getLogger(__name__)


class _SyncError(Exception):
    """This sync could not reach the pod's wanted state; it is tried again later."""


class PodWorker:
    """Brings one pod into its wanted state and keeps it there, until it is deleted."""

    def __init__(
        self,
        pod: Object,
        api: Api,
        cri: Cri,
        events: EventRecorder,
        handler_of: Callable[[str], str],
        crash_backoff: Backoff | None = None,
    ) -> None:
        self.pod = pod
        self.tracks = {one["name"]: ContainerTrack(one["name"]) for one in pod["spec"]["containers"]}
        self.init_tracks = {
            one["name"]: ContainerTrack(one["name"]) for one in pod["spec"].get("initContainers", ())
        }
        self._api = api
        self._cri = cri
        self._events = events
        self._handler_of = handler_of
        self._puller = ImagePuller(cri, events)
        self._crashes = crash_backoff or Backoff()
        self._sandbox: Sandbox | None = None
        self._attempt = 0
        self._start_time = pod.get("status", {}).get("startTime") or clock.now()
        self._posted: Object = {}
        self._wake = asyncio.Event()
        self._gone = False
        self._syncing: asyncio.Task[float | None] | None = None

    def update(self, pod: Object) -> None:
        """Take a newer version of the pod."""
        self.pod = pod
        self._wake.set()
        if pods.is_deleted(pod) and self._syncing is not None:
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
        if _has_ended(self.pod) and not pods.is_deleted(self.pod):
            await self._wait_for_deletion()
        while not self._gone and not pods.is_deleted(self.pod):
            self._wake.clear()
            self._syncing = asyncio.create_task(self._sync())
            try:
                delay = await self._syncing
            except asyncio.CancelledError:
                if not (self._gone or pods.is_deleted(self.pod)):
                    self._syncing.cancel()
                    raise
                continue
            finally:
                self._syncing = None
            await self._sleep(delay)
        await self._terminate()

    async def _wait_for_deletion(self) -> None:
        while not self._gone and not pods.is_deleted(self.pod):
            self._wake.clear()
            await self._wake.wait()

    async def _sleep(self, delay: float | None) -> None:
        """Wait for news of the pod, for `delay` seconds at most."""
        try:
            async with asyncio.timeout(delay):
                await self._wake.wait()
        except TimeoutError:
            pass

    async def _sync(self) -> float | None:
        """One sync; returns in how many seconds the next is due, None for not before something happens."""
        delay: float | None = None
        try:
            delay = await self._bring_up()
        except _SyncError as error:
            _log.info("pod %s: %s", pods.key(self.pod), error)
            # wait.Jitter(backOffPeriod, workerBackOffPeriodJitterFactor)
            delay = _RETRY_SECONDS * (1 + random.random() * _JITTER)  # noqa: S311 - no secret
        if not await self._post_status():
            return _STATUS_RETRY_SECONDS
        return delay

    async def _bring_up(self) -> float | None:
        if self._is_over():
            await self._drop_sandbox()
            return None
        sandbox = await self._ensure_sandbox()
        if sandbox is None:
            return None
        for container in self.pod["spec"].get("initContainers", ()):
            track = self.init_tracks[container["name"]]
            if track.exited and track.current and track.current.exit_code == 0:
                continue
            for main in self.tracks.values():
                main.waiting = INITIALIZING
            return await self._ensure_running(sandbox, container, track, init=True)
        delays = []
        for container in self.pod["spec"]["containers"]:
            delays.append(
                await self._ensure_running(sandbox, container, self.tracks[container["name"]], init=False)
            )
        return min((delay for delay in delays if delay is not None), default=None)

    def _is_over(self) -> bool:
        phase = statuses.phase(self.pod, self.tracks.values(), self.init_tracks.values())
        return phase in ("Succeeded", "Failed")

    async def _ensure_sandbox(self) -> Sandbox | None:
        """The pod's sandbox, created when there is none; None when the pod will not get another one."""
        if self._sandbox is not None and self._sandbox.state == "SANDBOX_READY":
            return self._sandbox
        if self._sandbox is not None:
            self._events.pod(
                self.pod, NORMAL, "SandboxChanged", "Pod sandbox changed, it will be killed and re-created."
            )
            await self._drop_sandbox()
            self._attempt += 1
        await self._post_status()
        try:
            handler = self._handler()
            wanted = pods.sandbox_config(self.pod, self._attempt)
            self._sandbox = await self._cri.run_pod_sandbox(wanted, handler, self._wake.set)
        except RpcError as error:
            self._events.pod(
                self.pod, WARNING, "FailedCreatePodSandBox", f"Failed to create pod sandbox: {error}"
            )
            self._attempt += 1
            raise _SyncError(f"sandbox not created: {error}") from None
        return self._sandbox

    def _handler(self) -> str:
        name = self.pod["spec"].get("runtimeClassName") or ""
        try:
            return self._handler_of(name)
        except KeyError:
            # kubelet 1.24 pkg/kubelet/runtimeclass/runtimeclass_manager.go
            raise RpcError(
                "NotFound",
                f'failed to get sandbox runtime: RuntimeClass "{name}" not found',
            ) from None

    async def _ensure_running(
        self, sandbox: Sandbox, container: Object, track: ContainerTrack, *, init: bool
    ) -> float | None:
        if track.running:
            return None
        if track.exited and track.current is not None:
            if not self._restarts(track.current.exit_code, init=init):
                return None
            key = f"{pods.uid(self.pod)}/{track.name}"
            if track.current.state == "CONTAINER_EXITED" and track.last is not track.current:
                track.last = track.current
                self._crashes.failed(key)
                first = track.restarts == 0
            else:
                first = False
            wait = 0.0 if first else self._crashes.remaining(key)
            if wait > 0:
                self._back_off(container, track, self._crashes.seconds(key))
                return wait
            track.restarts += 1
        try:
            reference = await self._puller.ensure(self.pod, container, sandbox)
        except PullError as error:
            track.waiting = Waiting(error.reason, error.message)
            self._events.pod(self.pod, WARNING, "Failed", f"Error: {error.reason}", track.name)
            if error.soon:
                return _RELIST_SECONDS
            raise _SyncError(f"{track.name}: {error.reason}: {error.message}") from None
        await self._start(sandbox, container, track, reference)
        return None

    async def _start(
        self, sandbox: Sandbox, container: Object, track: ContainerTrack, reference: str
    ) -> None:
        wanted = pods.container_config(self.pod, container, track.restarts, reference, sandbox.ip)
        try:
            created = await self._cri.create_container(sandbox, wanted)
        except RpcError as error:
            track.waiting = Waiting("CreateContainerError", error.description)
            self._events.pod(self.pod, WARNING, "Failed", f"Error: {error.description}", track.name)
            raise _SyncError(f"{track.name} not created: {error}") from None
        track.current = created
        track.waiting = CREATING
        self._events.pod(self.pod, NORMAL, "Created", f"Created container {track.name}", track.name)
        try:
            await self._cri.start_container(created)
        except RpcError as error:
            track.waiting = Waiting("RunContainerError", error.description)
            self._events.pod(self.pod, WARNING, "Failed", f"Error: {error.description}", track.name)
            raise _SyncError(f"{track.name} not started: {error}") from None
        self._events.pod(self.pod, NORMAL, "Started", f"Started container {track.name}", track.name)

    def _restarts(self, exit_code: int, *, init: bool) -> bool:
        policy = self.pod["spec"].get("restartPolicy", "Always")
        if policy == "Never":
            return False
        # A failed init container is tried again under Always, too; a successful one is not.
        return exit_code != 0 or (policy == "Always" and not init)

    def _back_off(self, container: Object, track: ContainerTrack, seconds: float) -> None:
        meta = self.pod["metadata"]
        full = f"{meta['name']}_{meta['namespace']}({meta['uid']})"
        track.waiting = Waiting(
            "CrashLoopBackOff",
            f"back-off {clock.go_duration(seconds)} restarting failed container={container['name']} pod={full}",
        )
        self._events.pod(self.pod, WARNING, "BackOff", "Back-off restarting failed container", track.name)

    async def _drop_sandbox(self) -> None:
        sandbox, self._sandbox = self._sandbox, None
        if sandbox is not None:
            await self._cri.remove_pod_sandbox(sandbox)

    async def _terminate(self) -> None:
        grace = 0.0 if self._gone else pods.grace_seconds(self.pod)
        running = [track for track in (*self.tracks.values(), *self.init_tracks.values()) if track.running]
        for track in running:
            if not self._gone:
                self._events.pod(self.pod, NORMAL, "Killing", f"Stopping container {track.name}", track.name)
        await asyncio.gather(
            *(self._cri.stop_container(track.current, grace) for track in running if track.current)
        )
        await self._drop_sandbox()
        if not self._gone:
            await self._finish_deletion()

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
                except ApiError as error:
                    if error.code in (404, 409):  # noqa: PLR2004 - it is gone, or another of that name is there
                        return
                    _log.warning("pod %s not deleted: %s", pods.key(self.pod), error)
                except ApiUnreachableError as error:
                    _log.warning("pod %s not deleted: %s", pods.key(self.pod), error)
                else:
                    return
            await self._sleep(_STATUS_RETRY_SECONDS)
            self._wake.clear()

    async def _post_status(self) -> bool:
        """Write the pod's status if it changed; False when it should be tried again."""
        ip = self._sandbox.ip if self._sandbox else self.pod.get("status", {}).get("podIP", "")
        status = statuses.build(self.pod, self.tracks, self.init_tracks, ip, self._start_time)
        if status == self._posted:
            return True
        patch = {"metadata": {"uid": pods.uid(self.pod)}, "status": status}
        try:
            answer = await self._api.patch(f"{pods.path(self.pod)}/status", patch)
        except ApiError as error:
            _log.info("status of pod %s not written: %s", pods.key(self.pod), error)
            # Not found or another uid: there is nothing left to tell.
            return error.code in (404, 409)  # noqa: PLR2004
        except ApiUnreachableError as error:
            _log.warning("status of pod %s not written: %s", pods.key(self.pod), error)
            return False
        self._posted = status
        self.pod["status"] = answer.get("status", status)
        return True


def _has_ended(pod: Object) -> bool:
    return pod.get("status", {}).get("phase") in ("Succeeded", "Failed")
