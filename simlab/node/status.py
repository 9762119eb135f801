"""A pod's status from what the kubelet knows (kubelet 1.24: `kubelet_pods.go`, `status/generate.go`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from simlab import addresses
from simlab.node import clock

if TYPE_CHECKING:
    from collections.abc import Iterable

    from simlab.kube.client import Object
    from simlab.node.containerd.records import Attempt


@dataclass
class Waiting:
    """Why a container does not run yet."""

    reason: str
    message: str = ""


CREATING: Final = Waiting("ContainerCreating")
INITIALIZING: Final = Waiting("PodInitializing")


@dataclass
class ContainerTrack:
    """One container of a pod through all its attempts."""

    name: str
    waiting: Waiting = field(default_factory=lambda: CREATING)
    current: Attempt | None = None
    last: Attempt | None = None
    restarts: int = 0

    @property
    def running(self) -> bool:
        """Whether it runs now."""
        return self.current is not None and self.current.state == "CONTAINER_RUNNING"

    @property
    def exited(self) -> bool:
        """Whether its newest attempt has ended."""
        return self.current is not None and self.current.state == "CONTAINER_EXITED"

    @property
    def succeeded(self) -> bool:
        """Whether its newest attempt has ended well."""
        return self.exited and self.current is not None and self.current.exit_code == 0

    @property
    def failed(self) -> bool:
        """Whether its newest attempt has ended badly."""
        return self.exited and not self.succeeded

    def as_status(self, container: Object) -> Object:
        """The container's status in the API."""
        shown = self.current
        status: Object = {
            "name": self.name,
            "image": str(container["image"]) if shown is None else shown.config.image,
            "imageID": "" if shown is None else shown.config.image_ref,
            "ready": self.running,
            "started": self.running,
            "restartCount": self.restarts,
            "state": self._state(),
            "lastState": {} if self.last is None else {"terminated": _terminated(self.last)},
        }
        if shown is not None:
            status["containerID"] = f"containerd://{shown.container_id}"
        return status

    def _state(self) -> Object:
        if self.current is None or self.current.state == "CONTAINER_CREATED":
            return {"waiting": _waiting(self.waiting)}
        if self.running:
            return {"running": {"startedAt": clock.at(self.current.started_at)}}
        if self.waiting is not CREATING:
            return {"waiting": _waiting(self.waiting)}
        return {"terminated": _terminated(self.current)}


def phase(pod: Object, tracks: Iterable[ContainerTrack], init_tracks: Iterable[ContainerTrack]) -> str:
    """The pod's phase, by its containers and its restart policy."""
    policy = pod["spec"].get("restartPolicy", "Always")
    inits = list(init_tracks)
    if policy == "Never" and any(track.failed for track in inits):
        return "Failed"
    if not all(track.succeeded for track in inits):
        return "Pending"
    main = list(tracks)
    if any(track.current is None or track.current.state == "CONTAINER_CREATED" for track in main):
        return "Pending"
    if any(track.running for track in main) or policy == "Always":
        return "Running"
    if all(track.succeeded for track in main):
        return "Succeeded"
    return "Running" if policy == "OnFailure" else "Failed"


def build(
    pod: Object,
    tracks: dict[str, ContainerTrack],
    init_tracks: dict[str, ContainerTrack],
    pod_ip: str,
    start_time: str,
) -> Object:
    """The pod's whole status."""
    current = phase(pod, tracks.values(), init_tracks.values())
    status: Object = {
        "phase": current,
        "hostIP": addresses.HOST_IP,
        "startTime": start_time,
        "qosClass": quality(pod),
        "containerStatuses": _statuses(pod, "containers", tracks),
        "conditions": _conditions(pod, tracks, init_tracks, current),
    }
    if init_tracks:
        status["initContainerStatuses"] = _statuses(pod, "initContainers", init_tracks)
    if pod_ip:
        status["podIP"] = pod_ip
        status["podIPs"] = [{"ip": pod_ip}]
    return status


def quality(pod: Object) -> str:
    """The pod's quality-of-service class."""
    if given := pod.get("status", {}).get("qosClass"):
        return str(given)
    resources: list[dict[str, Any]] = [one.get("resources", {}) for one in pod["spec"]["containers"]]
    if not any(one.get("requests") or one.get("limits") for one in resources):
        return "BestEffort"
    wanted = ("cpu", "memory")
    if all(
        set(wanted) <= set(one.get("limits", {})) and one.get("requests", one["limits"]) == one["limits"]
        for one in resources
    ):
        return "Guaranteed"
    return "Burstable"


def _statuses(pod: Object, part: str, tracks: dict[str, ContainerTrack]) -> list[Object]:
    return [tracks[one["name"]].as_status(one) for one in pod["spec"].get(part, ())]


def _conditions(
    pod: Object, tracks: dict[str, ContainerTrack], init_tracks: dict[str, ContainerTrack], current: str
) -> list[Object]:
    known = {one["type"]: one for one in pod.get("status", {}).get("conditions", ())}
    unready = [name for name, track in tracks.items() if not track.running]
    incomplete = [name for name, track in init_tracks.items() if not track.succeeded]
    wanted = []
    if incomplete:
        message = f"containers with incomplete status: {_go_list(incomplete)}"
        wanted.append(("Initialized", "False", "ContainersNotInitialized", message))
    else:
        done = "PodCompleted" if current == "Succeeded" else ""
        wanted.append(("Initialized", "True", done, ""))
    if current == "Succeeded":
        ready = ("False", "PodCompleted", "")
    elif current == "Failed":
        ready = ("False", "PodFailed", "")
    elif unready:
        ready = ("False", "ContainersNotReady", f"containers with unready status: {_go_list(unready)}")
    else:
        ready = ("True", "", "")
    wanted += [("Ready", *ready), ("ContainersReady", *ready), ("PodScheduled", "True", "", "")]
    return [_condition(known, *one) for one in wanted]


def _condition(known: dict[str, Object], kind: str, status: str, reason: str, message: str) -> Object:
    before = known.get(kind, {})
    since = before.get("lastTransitionTime") if before.get("status") == status else None
    condition = {
        "type": kind,
        "status": status,
        "lastProbeTime": None,
        "lastTransitionTime": since or clock.now(),
    }
    if reason:
        condition["reason"] = reason
    if message:
        condition["message"] = message
    return condition


def _waiting(waiting: Waiting) -> Object:
    return {"reason": waiting.reason} | ({"message": waiting.message} if waiting.message else {})


def _terminated(container: Attempt) -> Object:
    terminated: Object = {
        "exitCode": container.exit_code,
        "reason": container.reason,
        "startedAt": clock.at(container.started_at),
        "finishedAt": clock.at(container.finished_at),
        "containerID": f"containerd://{container.container_id}",
    }
    if container.message:
        terminated["message"] = container.message
    return terminated


def _go_list(names: list[str]) -> str:
    return f"[{' '.join(names)}]"
