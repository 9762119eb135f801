from typing import Any

import pytest

from lab.workload import Outcome, Pod, Stage, exit_of, is_ready, refusals, refused_for_good

POD = Pod("default", "p", "u", refused_for_good)
P1 = "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to create containerd task: "


def pod(phase: str, *containers: dict[str, Any]) -> dict[str, Any]:
    return {
        "spec": {"containers": [{"name": "workload"}]},
        "status": {"phase": phase, "containerStatuses": list(containers)},
    }


def test_ready_needs_every_container_and_no_restart() -> None:
    assert is_ready(pod("Running", {"ready": True, "restartCount": 0}))
    assert not is_ready(pod("Running", {"ready": False, "restartCount": 0}))
    assert not is_ready(pod("Running", {"ready": True, "restartCount": 1}))
    assert not is_ready(pod("Running"))
    assert not is_ready(pod("Pending", {"ready": True, "restartCount": 0}))


def test_an_ended_pod_tells_its_exit_code() -> None:
    ended = pod("Failed", {"name": "workload", "state": {"terminated": {"exitCode": 127}}})
    assert exit_of(ended) == "the pod is Failed container workload: exit code 127"
    assert exit_of(pod("Running", {"name": "workload", "state": {"running": {}}})) is None


def test_refusals_are_told_by_stage() -> None:
    events = [
        {"reason": "Pulling", "message": "Pulling image"},
        {"reason": "FailedCreatePodSandBox", "message": P1},
        {"reason": "Failed", "message": 'Failed to pull image "x": rpc error'},
        {"reason": "Failed", "message": "Error: ErrImagePull"},
        {"reason": "Failed", "message": '(combined from similar events): Failed to pull image "x": again'},
    ]
    assert refusals(events) == [
        Outcome(Stage.LAUNCH, P1),
        Outcome(Stage.IMAGE, 'Failed to pull image "x": rpc error'),
        Outcome(Stage.IMAGE, '(combined from similar events): Failed to pull image "x": again'),
    ]


@pytest.mark.parametrize(
    ("stage", "message", "final"),
    [
        (
            Stage.LAUNCH,
            P1 + "rpc error: code = Internal desc = Policy validation failed: policy not valid",
            True,
        ),
        (Stage.LAUNCH, P1 + "file /x/initrd.img does not exist", True),
        (Stage.LAUNCH, P1 + "rpc error: code = Unavailable desc = connection refused", False),
        (Stage.LAUNCH, P1 + "rpc error: code = DeadlineExceeded desc = context deadline exceeded", False),
        (Stage.IMAGE, "Failed to pull image: failed to pull manifest", False),
    ],
)
def test_only_what_cannot_heal_ends_a_wait(stage: Stage, message: str, final: bool) -> None:
    assert refused_for_good(POD, stage, message) is final
