"""The length of the secret that is injected at launch."""

from __future__ import annotations

from pytest_bdd import given, then

from lab.launch_secret import NOT_INJECTED, LaunchSecrets
from lab.outcome import Pod, Stage
from lab.workload import Workloads


@given(
    "a keyset with the guide's key and more keys than a launch secret has room for", target_fixture="keyset"
)
def exceed_secret(launch_secrets: LaunchSecrets) -> str:
    """Clause W-4.5: keys of the suite's own beside the guide's."""
    return launch_secrets.too_long()


@given("a keyset with the guide's key and one of these", target_fixture="keyset")
def fit_secret(launch_secrets: LaunchSecrets) -> str:
    """Clause W-4.5, the control: only the length differs."""
    return launch_secrets.fitting()


@then("the pod is refused at its launch, as its secret cannot be injected")
def refuse_injection(workloads: Workloads, pod: Pod) -> None:
    """Clause W-4.5: the KBS gave the secret, and QEMU could not pass it on."""
    workloads.require_refusal(pod, Stage.LAUNCH, NOT_INJECTED)
