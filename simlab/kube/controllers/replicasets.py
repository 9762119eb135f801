"""ReplicaSets: as many pods as the spec says.

Behaviour and texts: Kubernetes v1.24, `pkg/controller/replicaset/replica_set.go`,
`pkg/controller/controller_utils.go`.
"""

from __future__ import annotations

import datetime as dt

from simlab.kube.controllers.workloads import Workloads, is_active, ready_since
from simlab.kube.objects import Obj, dig, mapping, meta
from simlab.kube.selectors import from_object, matches_labels


class ReplicaSets(Workloads):
    """Creates and deletes the pods of ReplicaSets."""

    kind = "ReplicaSet"
    plural = "replicasets"
    component = "replicaset-controller"

    async def reconcile(self, owner: Obj) -> float | None:
        """Create missing pods or delete superfluous ones, and count."""
        wanted = int(dig(owner, "spec", "replicas") or 0)
        active = [pod for pod in self.pods_of(owner) if is_active(pod)]
        active.extend([await self.create_pod(owner, {}) for _ in range(wanted - len(active))])
        if len(active) > wanted:
            active.sort(key=_worth)
            for pod in active[: len(active) - wanted]:
                await self.delete_pod(owner, pod)
            active = active[len(active) - wanted :]
        ready = [moment for pod in active if (moment := ready_since(pod)) is not None]
        settle = dt.timedelta(seconds=int(dig(owner, "spec", "minReadySeconds") or 0))
        moment = dt.datetime.now(tz=dt.UTC)
        available = [since for since in ready if moment - since >= settle]
        labels = from_object({"matchLabels": mapping(owner, "spec", "template", "metadata", "labels")}) or ()
        await self.write_status(
            owner,
            {
                "replicas": len(active),
                "fullyLabeledReplicas": sum(matches_labels(labels, pod) for pod in active) or None,
                "readyReplicas": len(ready) or None,
                "availableReplicas": len(available) or None,
                "observedGeneration": meta(owner).get("generation"),
            },
        )
        return settle.total_seconds() if len(available) < len(ready) else None


def _worth(pod: Obj) -> tuple[bool, int, bool, str]:
    """Return a pod's rank: those without node, pending, not ready and young go first."""
    phases = {"Pending": 0, "Unknown": 1, "Running": 2}
    created = str(meta(pod).get("creationTimestamp"))
    young_first = "".join(chr(0x7F - ord(letter)) for letter in created)
    return (
        bool(dig(pod, "spec", "nodeName")),
        phases.get(str(dig(pod, "status", "phase")), 0),
        ready_since(pod) is not None,
        young_first,
    )
