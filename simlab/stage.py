"""What steps one to three of the guide leave in the cluster, put there through its API.

The operator's daemons do their part on the host when the node starts their pods.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from simlab import addresses
from simlab.kubeclient import KubeClient, KubeClientError
from simlab.operator import names, seed
from simlab.release import versions
from simlab.stages import Stage

if TYPE_CHECKING:
    from simlab.layout import Layout

READY_SECONDS: Final = 60.0
_LOOK_AGAIN_SECONDS: Final = 0.05

_NAMESPACES: Final = ("default", "kube-system", "kube-public", "kube-node-lease")


class StageError(Exception):
    """The cluster did not take, or did not reach, what it should."""


def seed_cluster(layout: Layout, stage: Stage = Stage.KBS) -> None:
    """Make namespaces with their default service accounts, and the operator. Raises StageError."""
    has_operator, release = stage >= Stage.OPERATOR, versions.of(layout)
    with KubeClient(layout, "admin") as api:
        try:
            if has_operator:
                seed.deploy(api, release)
            for namespace in (*_NAMESPACES, *([names.NAMESPACE] if has_operator else [])):
                _create(api, "/api/v1/namespaces", "Namespace", namespace)
                _create(api, f"/api/v1/namespaces/{namespace}/serviceaccounts", "ServiceAccount", "default")
            if has_operator:
                seed.install(api, release)
        except KubeClientError as error:
            raise StageError(str(error)) from None


def await_node(layout: Layout, stage: Stage = Stage.KBS) -> None:
    """Wait until the node has registered, label it, and wait until it is Ready and the operator runs.

    Raises StageError.
    """
    path = f"/api/v1/nodes/{addresses.HOSTNAME}"
    deadline = time.monotonic() + READY_SECONDS
    labelled = False
    with KubeClient(layout, "admin") as api:
        while True:
            node = api.find(path)
            if node is not None and not labelled:
                # The worker label is the administrator's (guide, step one).
                labels = versions.of(layout).worker_label if stage >= Stage.CLUSTER else {}
                api.merge(path, {"metadata": {"labels": labels}})
                labelled = True
            if labelled and node is not None and _is_ready(node) and _has_operator(api, node, stage):
                return
            if time.monotonic() > deadline:
                raise StageError(
                    f"node {addresses.HOSTNAME} {_state(node)} after {READY_SECONDS:.0f} s; see node.log"
                )
            time.sleep(_LOOK_AGAIN_SECONDS)


def _has_operator(api: KubeClient, node: dict[str, Any], stage: Stage) -> bool:
    return stage < Stage.OPERATOR or seed.is_running(api, node)


def _create(api: KubeClient, path: str, kind: str, name: str) -> None:
    api.create(path, {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}})


def _state(node: dict[str, Any] | None) -> str:
    if node is None:
        return "has not registered"
    return "is Ready, but the operator's pods are not" if _is_ready(node) else "is not Ready"


def _is_ready(node: dict[str, Any]) -> bool:
    conditions = node.get("status", {}).get("conditions", [])
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)
