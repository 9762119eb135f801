"""How the start of a pod ended, read from its object and its events.

The texts of refusals: `FailedCreatePodSandBox` comes from kubelet when the shim's task fails (stage
"launch"), `Failed` with "Failed to pull image" when the guest cannot pull or decrypt (stage "image"); see
kata-containers CC-0.3.0, src/runtime/virtcontainers/qemu_amd64.go, and kubelet's events/event.go.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from lab.kbs.outage import lost_its_database

if TYPE_CHECKING:
    from collections.abc import Callable


class Stage(StrEnum):
    """Where on its way to Running a pod was refused; `START` where nothing refused it and it does not run."""

    START = "start"
    LAUNCH = "launch"
    IMAGE = "image"
    CONTAINER = "container"


@dataclass(frozen=True)
class Outcome:
    """How a pod's start ended: `stage` is None when it is Running and ready, else where it was refused."""

    stage: Stage | None
    message: str

    @property
    def running(self) -> bool:
        """Whether the pod is Running with all containers ready."""
        return self.stage is None

    @property
    def told(self) -> tuple[Stage, str]:
        """Stage and words of a refusal."""
        return self.stage or Stage.CONTAINER, self.message

    def __str__(self) -> str:
        """The outcome in one sentence."""
        if self.stage is None:
            return self.message
        at = "" if self.stage is Stage.START else f", refused at its {self.stage}"
        return f"not Running{at}: {self.message}"


@dataclass(frozen=True)
class Pod:
    """A pod that the suite started. `final` says of a refusal whether waiting longer could change it."""

    namespace: str
    name: str
    uid: str
    final: Callable[[Pod, Stage, str], bool] = field(compare=False, repr=False)


# simple-kbs 0.1.1, src/grpc/mod.rs
POLICY_REFUSED = "Policy validation failed"

# A refusal with one of these words cannot heal by itself: the same launch gets the same answer.
FINAL_AT_LAUNCH = (
    POLICY_REFUSED,
    "Measurement Verification Failed",
    "Cannot fulfill secret request",
    "Failed to package secret",
    "Failed to generate launch bundle",
    "Attestation certificate chain file not found",
    "Could not create attestation directory",
    "Could not write godh file",
    "Could not write session file",
    "does not exist",
    "no hashes table GUID",
    "failed to inject secret",
    "doesn't support Confidential Computing",
    "no runtime for",
)

NO_SANDBOX = "FailedCreatePodSandBox"

# containerd 1.6, diff/apply/apply.go: the host itself tries to unpack an encrypted layer. No pull heals that.
HOST_PULLS = "failed to get stream processor for"

# client-go puts it before a message after ten similar events (tools/record/events_cache.go).
COMBINED = "(combined from similar events): "


def is_ready(pod: dict[str, Any]) -> bool:
    """Whether a pod is Running with every container ready and none restarted."""
    status = pod.get("status", {})
    containers = status.get("containerStatuses", [])
    return (
        status.get("phase") == "Running"
        and len(containers) == len(pod["spec"]["containers"])
        and all(container.get("ready") and not container.get("restartCount") for container in containers)
    )


def exit_of(pod: dict[str, Any]) -> str | None:
    """What ended a pod that has ended, in one line."""
    status = pod.get("status", {})
    if status.get("phase") not in {"Succeeded", "Failed"}:
        return None
    ends = [
        f"container {container['name']}: exit code {ended.get('exitCode')} {ended.get('message', '')}"
        for container in status.get("containerStatuses", [])
        if (ended := container.get("state", {}).get("terminated"))
    ]
    why = status.get("message") or status.get("reason") or ""
    return " ".join(part.strip() for part in (f"the pod is {status['phase']}", why, *ends) if part)


def refusals(events: list[dict[str, Any]]) -> list[Outcome]:
    """The refusals that a pod's events tell, oldest first."""
    found = []
    for event in events:
        message = event.get("message", "").removeprefix(COMBINED)
        if event.get("reason") == NO_SANDBOX:
            found.append(Outcome(Stage.LAUNCH, message))
        elif event.get("reason") == "Failed" and message.startswith("Failed to pull image"):
            found.append(Outcome(Stage.IMAGE, message))
    return found


def failed_launches(events: list[dict[str, Any]]) -> int:
    """How many sandboxes of a pod failed, after each of which kubelet has another one made.

    Those that it tells of: client-go counts like events together, and drops some of a long series.
    """
    return sum(int(each.get("count") or 1) for each in events if each.get("reason") == NO_SANDBOX)


def refused_for_good(_pod: Pod, stage: Stage, message: str) -> bool:
    """Whether a refusal cannot heal, judged by its text alone: a failing pull in the guest always may."""
    if stage is Stage.IMAGE:
        return HOST_PULLS in message
    if lost_its_database(message):
        return False
    return stage is Stage.LAUNCH and any(words in message for words in FINAL_AT_LAUNCH)
