"""The containers of one pod: started, restarted, and known by their attempts.

Events, texts and waiting times as kubelet 1.24: `kuberuntime/kuberuntime_manager.go` (`SyncPod`,
`doBackOff`), `kuberuntime_container.go` (`startContainer`).
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

from simlab.node import clock
from simlab.node import pod as pods
from simlab.node.backoff import Backoff
from simlab.node.containerd.records import Attempt, ContainerConfig
from simlab.node.events import NORMAL, WARNING
from simlab.node.image_pull import ImagePuller, PullError
from simlab.node.rpc import RpcError
from simlab.node.status import CREATING, INITIALIZING, ContainerTrack, Waiting

if TYPE_CHECKING:
    from simlab.kube.client import Object
    from simlab.node.containerd.cri import Cri
    from simlab.node.containerd.records import Sandbox
    from simlab.node.events import EventRecorder

LOST_EXIT_CODE: Final = 255
"""Exit code that containerd gives a container whose shim it finds dead when it starts."""

# The lifecycle generator lists containers once a second, and so has a pod synced again whose sandbox is new.
_RELIST_SECONDS: Final = 1.0


class StartError(Exception):
    """A container could not be started; to be tried again later."""


class PodContainers:
    """Tracks of a pod's containers and init containers."""

    def __init__(self, pod: Object, cri: Cri, events: EventRecorder) -> None:
        self.main = _tracks(pod, "containers", "containerStatuses")
        self.init = _tracks(pod, "initContainers", "initContainerStatuses")
        self._cri = cri
        self._events = events
        self._puller = ImagePuller(cri, events)
        self._crashes = Backoff()

    @property
    def all(self) -> list[ContainerTrack]:
        """Every track."""
        return [*self.main.values(), *self.init.values()]

    async def ensure_running(self, pod: Object, sandbox: Sandbox) -> float | None:
        """Start what should run and does not: init containers one by one, then the others.

        Returns in how many seconds to look again, None for not before something happens. Raises StartError.
        """
        for container in pod["spec"].get("initContainers", ()):
            track = self.init[container["name"]]
            if not track.succeeded:
                for waiting in self.main.values():
                    waiting.waiting = INITIALIZING
                return await self._ensure(pod, sandbox, container, track)
        delays = [
            await self._ensure(pod, sandbox, container, self.main[container["name"]])
            for container in pod["spec"]["containers"]
        ]
        return min((delay for delay in delays if delay is not None), default=None)

    async def _ensure(
        self, pod: Object, sandbox: Sandbox, container: Object, track: ContainerTrack
    ) -> float | None:
        if track.running:
            return None
        if track.exited and track.current is not None:
            if not _restarts(pod, track.current.exit_code, init=track.name in self.init):
                return None
            wait = self._crashes.remaining(track.name, track.current.finished_at)
            if wait > 0:
                self._back_off(pod, track)
                return wait
            if track.last is not track.current:
                track.last = track.current
                track.restarts += 1
        try:
            reference = await self._puller.ensure(pod, container, sandbox)
        except PullError as error:
            track.waiting = Waiting(error.reason, error.message)
            self._events.pod(pod, WARNING, "Failed", f"Error: {error.reason}", track.name)
            if error.soon:
                return _RELIST_SECONDS
            raise StartError(f"{track.name}: {error.reason}: {error.message}") from None
        if track.exited:
            self._crashes.failed(track.name)
        await self._start(pod, sandbox, container, track, reference)
        return None

    async def _start(
        self, pod: Object, sandbox: Sandbox, container: Object, track: ContainerTrack, reference: str
    ) -> None:
        wanted = pods.container_config(pod, container, track.restarts, reference, sandbox.ip)
        try:
            created = await self._cri.create_container(sandbox, wanted)
        except RpcError as error:
            raise self._failed(pod, track, "CreateContainerError", error) from None
        track.current = created
        track.waiting = CREATING
        self._events.pod(pod, NORMAL, "Created", f"Created container {track.name}", track.name)
        try:
            await self._cri.start_container(created)
        except RpcError as error:
            raise self._failed(pod, track, "RunContainerError", error) from None
        self._events.pod(pod, NORMAL, "Started", f"Started container {track.name}", track.name)

    def _failed(self, pod: Object, track: ContainerTrack, reason: str, error: RpcError) -> StartError:
        track.waiting = Waiting(reason, error.description)
        self._events.pod(pod, WARNING, "Failed", f"Error: {error.description}", track.name)
        return StartError(f"{track.name}: {reason}: {error}")

    def _back_off(self, pod: Object, track: ContainerTrack) -> None:
        meta = pod["metadata"]
        full = f"{meta['name']}_{meta['namespace']}({meta['uid']})"
        wait = clock.go_duration(self._crashes.seconds(track.name))
        track.waiting = Waiting(
            "CrashLoopBackOff", f"back-off {wait} restarting failed container={track.name} pod={full}"
        )
        self._events.pod(pod, WARNING, "BackOff", "Back-off restarting failed container", track.name)


def _restarts(pod: Object, exit_code: int, *, init: bool) -> bool:
    policy = pod["spec"].get("restartPolicy", "Always")
    if policy == "Never":
        return False
    # A failed init container is tried again under Always, too; a successful one is not.
    return exit_code != 0 or (policy == "Always" and not init)


def _tracks(pod: Object, part: str, statuses: str) -> dict[str, ContainerTrack]:
    """A track a container; one that the API says ran before this node started has been lost since."""
    known = {one["name"]: one for one in pod.get("status", {}).get(statuses, ())}
    tracks = {}
    for container in pod["spec"].get(part, ()):
        name = container["name"]
        track = tracks[name] = ContainerTrack(name)
        if "containerID" in known.get(name, {}):
            track.current = _lost(pod, known[name])
            track.restarts = int(known[name].get("restartCount", 0))
    return tracks


def _lost(pod: Object, status: Object) -> Attempt:
    name, restarts = status["name"], int(status.get("restartCount", 0))
    config = ContainerConfig(
        name, restarts, status["image"], status["imageID"], pods.log_path(pod, name, restarts)
    )
    attempt = Attempt(container_id=status["containerID"].removeprefix("containerd://"), config=config)
    ended = status["state"].get("terminated")
    if ended is None:
        attempt.started_at = _seconds(status["state"].get("running", {}).get("startedAt"))
        attempt.finish(LOST_EXIT_CODE, "Unknown", "")
    else:
        attempt.started_at = _seconds(ended.get("startedAt"))
        attempt.finish(int(ended["exitCode"]), ended.get("reason", ""), ended.get("message", ""))
        attempt.finished_at = _seconds(ended.get("finishedAt"))
    return attempt


def _seconds(time: str | None) -> float:
    return datetime.fromisoformat(time).timestamp() if time else 0.0
