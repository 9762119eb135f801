"""Pods of the suite: started, watched until their outcome is settled, and looked at from the host."""

from __future__ import annotations

import secrets
from functools import cached_property
from typing import TYPE_CHECKING, Any

from lab.deadline import Deadline
from lab.errors import ApiRefused, DeadlineExceeded, NotProven
from lab.fact import Fact
from lab.outcome import (
    HOST_PULLS,
    POLICY_REFUSED,
    Outcome,
    Pod,
    Stage,
    exit_of,
    failed_launches,
    is_ready,
    refusals,
    refused_for_good,
)
from lab.runtime_class import require_runtime_class
from lab.sev_node import only_on, require_ready, require_same_machine, sev_node

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.borrowing import Borrowing
    from lab.cluster import Cluster
    from lab.host import Host
    from lab.labfile import LabFile
    from lab.record import Record

# How the API says that its rules keep an object out (Kubernetes 1.24, apiserver, pkg/admission/errors.go and
# plugin/webhook/errors/statuserror.go: a webhook may choose its status).
FORBIDDEN, WEBHOOK = 403, "admission webhook"
# What a guest's program that ignores TERM may take to end; Kubernetes' own 30 s would add up.
GRACE_SECONDS = 5


def nonce() -> str:
    """A short name part that no other launch has."""
    return secrets.token_hex(5)


def manifest(
    *,
    name: str,
    namespace: str,
    node: str,
    image: str,
    runtime_class: str,
    annotations: dict[str, str] | None = None,
) -> dict[str, Any]:
    """The guide's pod (guide: 示例一, 示例二) under a name of its own, on the node that is looked at."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {"run": name},
            "annotations": annotations or {},
        },
        "spec": {
            "affinity": only_on(node),
            "containers": [{"name": "workload", "image": image, "imagePullPolicy": "Always"}],
            "dnsPolicy": "ClusterFirst",
            "restartPolicy": "Never",
            "runtimeClassName": runtime_class,
            "terminationGracePeriodSeconds": GRACE_SECONDS,
        },
    }


# Clauses that are proved with no policy on the key: that none refuses it then is clause K-1.5's.
WITHOUT_POLICY = ("W-3.3", "W-4.3")

# What keeps a pod from running and is another clause's business: its words, what they mean, and the clause.
# containerd 1.6, pkg/cri/server/sandbox_run.go; kata CC-0.3.0, virtcontainers/qemu_amd64.go (KVM has no SEV);
# QEMU 6.2, target/i386/sev.c, and Linux 5.10, arch/x86/kvm/svm/sev.c (sev_asid_new has no ASID for another
# guest: EBUSY).
PRECONDITIONS = (
    ("failed to get sandbox runtime: no runtime for", "", "O-3.1"),
    (HOST_PULLS, "the host pulled the image, and not the guest: ", "W-1.3"),
    ("This system doesn't support Confidential Computing", "", "P-3.4"),
    ("sev_kvm_init: Failed to open /dev/sev", "", "P-3.4"),
    ("sev_kvm_init: failed to initialize ret=-16", "there is no ASID for another SEV guest: ", None),
)


class Workloads:
    """Starts pods and judges how their start ends.

    `lasting` holds the refusals that outlasted a deadline in this run: a later pod that meets the same one
    is not waited for again.
    """

    def __init__(
        self,
        *,
        lab: LabFile,
        host: Host,
        cluster: Cluster,
        borrowing: Borrowing,
        record: Record,
        lasting: set[tuple[Stage, str]],
        worker_label: str,
    ) -> None:
        self._lab = lab
        self._host = host
        self._cluster = cluster
        self._borrowing = borrowing
        self._record = record
        self._lasting = lasting
        self._worker_label = worker_label

    @cached_property
    def _node(self) -> str:
        name = sev_node(self._lab, self._cluster, self._worker_label)
        require_same_machine(self._cluster, name, self._host)
        return name

    def start(
        self,
        *,
        kind: str,
        image: str,
        runtime_class: str,
        config_path: str | None = None,
        final: Callable[[Pod, Stage, str], bool] | None = None,
    ) -> Pod:
        """Create a pod; with `config_path`, on a kata configuration of its own.

        Raises NotProven where its node takes no pods, its RuntimeClass is not as the operator makes it, or
        the cluster's own rules keep such pods out: Pod Security, a quota, a webhook, what the login may do.
        """
        require_ready(self._cluster, self._node)
        require_runtime_class(self._cluster, runtime_class)
        annotations = {"io.katacontainers.config_path": config_path} if config_path else {}
        wanted = manifest(
            name=f"conformance-{kind}-{nonce()}",
            namespace=self._lab.cluster.namespace,
            node=self._node,
            image=image,
            runtime_class=runtime_class,
            annotations=annotations,
        )
        try:
            created = self._borrowing.pod(wanted)
        except ApiRefused as refusal:
            if refusal.status != FORBIDDEN and WEBHOOK not in refusal.message:
                raise
            namespace = self._lab.cluster.namespace
            raise NotProven(
                f"the cluster takes no such pod in the namespace {namespace}: {refusal.message}; see "
                "cluster.namespace in the lab file"
            ) from None
        metadata = created["metadata"]
        return Pod(metadata["namespace"], metadata["name"], metadata["uid"], final or refused_for_good)

    def start_unencrypted(self, *, kind: str, image: str, runtime_class: str) -> Pod:
        """As `start`, with an image that the host can unpack where it pulls in the guest's place."""
        self._borrowing.host_image(image)
        return self.start(kind=kind, image=image, runtime_class=runtime_class)

    def stop(self, pod: Pod) -> None:
        """Delete a pod and wait until it is gone."""
        self._cluster.delete("Pod", pod.name, pod.namespace, pod.uid, deadline=self._lab.timeouts.pod_deleted)

    def outcome(self, pod: Pod) -> Outcome:
        """Wait until the pod runs, or is refused in a way that can no longer change.

        When neither comes before the deadline, the outcome is the last refusal seen. Raises NotProven where
        that is another clause's business.
        """

        def settled(current: dict[str, Any] | None, events: list[dict[str, Any]]) -> Outcome | None:
            if current is None or current["metadata"]["uid"] != pod.uid:
                return Outcome(Stage.CONTAINER, f"the pod {pod.name} was deleted by someone else")
            if is_ready(current):
                return Outcome(None, "Running and ready")
            ended = exit_of(current)
            if ended is not None:
                return Outcome(Stage.CONTAINER, ended)
            for refusal in refusals(events):
                if pod.final(pod, *refusal.told):
                    return refusal
                if refusal.told in self._lasting:
                    return Outcome(refusal.stage, f"{refusal.message} (as another pod, to its deadline)")
            return None

        outcome = self._wait(pod, settled)
        for words, meaning, owner in PRECONDITIONS:
            if words in outcome.message:
                raise NotProven(f"{meaning}{outcome}", owner=owner)
        return outcome

    def _wait(
        self, pod: Pod, settled: Callable[[dict[str, Any] | None, list[dict[str, Any]]], Outcome | None]
    ) -> Outcome:
        deadline = Deadline(self._lab.timeouts.pod_running)
        try:
            return self._cluster.wait(
                "Pod", pod.name, pod.namespace, settled, what=f"pod {pod.name} to run", deadline=deadline
            )
        except DeadlineExceeded as late:
            seen = refusals(self._cluster.events(pod.namespace, pod.uid))
            if not seen:
                require_ready(self._cluster, self._node)
                return Outcome(Stage.START, str(late))
            self._lasting.add(seen[-1].told)
            return Outcome(seen[-1].stage, f"{seen[-1].message} (still so after {deadline.seconds:.0f} s)")
        finally:
            self.keep_evidence(pod)

    def require_running(self, pod: Pod, owner: str) -> None:
        """Wait until a pod runs whose running is the business of the clause `owner`.

        Raises NotProven where it does not.
        """
        if owner in WITHOUT_POLICY:
            self.require_no_refusal_by_policy(pod, "K-1.5")
        outcome = self.outcome(pod)
        if not outcome.running:
            raise NotProven(str(outcome), owner=owner)

    def require_no_refusal_by_policy(self, pod: Pod, owner: str) -> None:
        """Wait for a pod's outcome. Raises NotProven where a policy of the KBS refuses it at its launch."""
        outcome = self.outcome(pod)
        if POLICY_REFUSED in outcome.message:
            raise NotProven(f"a policy of the KBS refuses a pod on whose key is none: {outcome}", owner=owner)

    def require_refusal(self, pod: Pod, stage: Stage, words: str) -> None:
        """Wait until a pod is refused at this stage, with these words.

        Raises AssertionError where it runs, or a container of it ever did, and where a policy was to refuse
        it and did so for another reason; NotProven where something else kept it from running.
        """
        outcome = self.outcome(pod)
        assert not outcome.running, "the pod is Running, and should have been refused"
        assert not self.ever_started(pod), f"a container of the refused pod was started: {outcome.message}"
        if (outcome.stage, words in outcome.message) == (stage, True):
            return
        said = f"not refused at its {stage} with {words!r}, but {outcome}"
        by_policy = POLICY_REFUSED in outcome.message
        assert not (by_policy and POLICY_REFUSED in words), said
        raise NotProven(said, owner="K-1.5" if by_policy else None)

    def failed_launches(self, pod: Pod) -> int:
        """How many launches of the pod failed before the one that it is now."""
        return failed_launches(self._cluster.events(pod.namespace, pod.uid))

    def keep_evidence(self, pod: Pod) -> None:
        """Keep the pod's object and its events as they are now."""
        found = self._cluster.get("Pod", pod.name, pod.namespace) or {}
        self._record.evidence(f"pod {pod.name}", found, fact=Fact.POD)
        events = self._cluster.events(pod.namespace, pod.uid)
        lines = [f"{event.get('reason')}\t{event.get('message')}" for event in events]
        self._record.evidence(f"events of pod {pod.name}", "\n".join(lines), fact=Fact.EVENTS)

    def ever_started(self, pod: Pod) -> bool:
        """Whether any container of the pod was ever started."""
        current = self._cluster.get("Pod", pod.name, pod.namespace) or {}
        statuses = current.get("status", {}).get("containerStatuses", [])
        return any(status.get("containerID") or status.get("started") for status in statuses)
