"""What steps one to three of the guide leave in the cluster, put there through its API.

The operator's own objects (deployment, DaemonSets, CcRuntime) are not among them: nothing would run them.
The RuntimeClasses that its custom resource makes are.
"""

from __future__ import annotations

import http.client
import json
import ssl
import time
from typing import TYPE_CHECKING, Any, Final, Self

from simlab import addresses, release
from simlab.stages import Stage

if TYPE_CHECKING:
    from simlab.layout import Layout

READY_SECONDS: Final = 60.0
_LOOK_AGAIN_SECONDS: Final = 0.05

_NAMESPACES: Final = ("default", "kube-system", "kube-public", "kube-node-lease")
_OPERATOR_NAMESPACE: Final = "confidential-containers-system"
_WORKER_LABEL: Final = "node-role.kubernetes.io/worker"
_RUNTIME_LABEL: Final = "katacontainers.io/kata-runtime"

_CREATED: Final = (200, 201)
_CONFLICT: Final = 409


class StageError(Exception):
    """The cluster did not take, or did not reach, what it should."""


def seed_cluster(layout: Layout, stage: Stage = Stage.KBS) -> None:
    """Make namespaces, their default service accounts, the operator's RuntimeClasses. Raises StageError."""
    has_operator = stage >= Stage.OPERATOR
    with _Api(layout) as api:
        for namespace in (*_NAMESPACES, *([_OPERATOR_NAMESPACE] if has_operator else [])):
            api.create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace"}, namespace)
            path = f"/api/v1/namespaces/{namespace}/serviceaccounts"
            api.create(path, {"apiVersion": "v1", "kind": "ServiceAccount"}, "default")
        for handler in release.RUNTIME_CLASSES if has_operator else ():
            runtime_class = {
                "apiVersion": "node.k8s.io/v1",
                "kind": "RuntimeClass",
                "handler": handler,
                # The sample's ccNodeSelector (operator v0.3.0, ccruntime_controller.go, setRuntimeClass).
                "scheduling": {"nodeSelector": {_WORKER_LABEL: ""}},
            }
            api.create("/apis/node.k8s.io/v1/runtimeclasses", runtime_class, handler)


def _node_labels(stage: Stage) -> dict[str, str]:
    # The worker label is the administrator's (guide, step one), the other the install daemon's (v0.3.0).
    worker = {_WORKER_LABEL: ""} if stage >= Stage.CLUSTER else {}
    return worker | ({_RUNTIME_LABEL: "true"} if stage >= Stage.OPERATOR else {})


def await_node(layout: Layout, stage: Stage = Stage.KBS) -> None:
    """Wait until the node has registered, label it, and wait until it is Ready. Raises StageError."""
    path = f"/api/v1/nodes/{addresses.HOSTNAME}"
    deadline = time.monotonic() + READY_SECONDS
    labelled = False
    with _Api(layout) as api:
        while True:
            node = api.get(path)
            if node is not None and not labelled:
                api.patch(path, {"metadata": {"labels": _node_labels(stage)}})
                labelled = True
            if labelled and node is not None and _is_ready(node):
                return
            if time.monotonic() > deadline:
                seen = "is not Ready" if node else "has not registered"
                raise StageError(
                    f"node {addresses.HOSTNAME} {seen} after {READY_SECONDS:.0f} s; see node.log"
                )
            time.sleep(_LOOK_AGAIN_SECONDS)


def _is_ready(node: dict[str, Any]) -> bool:
    conditions = node.get("status", {}).get("conditions", [])
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


class _Api:
    """The cluster's API as its administrator, over one connection."""

    def __init__(self, layout: Layout) -> None:
        context = ssl.create_default_context(cafile=str(layout.pki / "ca.crt"))
        context.load_cert_chain(layout.pki / "admin.crt", layout.pki / "admin.key")
        self._connection = http.client.HTTPSConnection(
            addresses.HOST_IP, addresses.KUBE_API_PORT, context=context, timeout=30
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def get(self, path: str) -> dict[str, Any] | None:
        status, answer = self._request("GET", path)
        return answer if status == http.HTTPStatus.OK else None

    def create(self, path: str, body: dict[str, Any], name: str) -> None:
        """Create an object unless it exists."""
        status, answer = self._request("POST", path, body | {"metadata": {"name": name}})
        if status not in _CREATED and status != _CONFLICT:
            raise StageError(f"POST {path} {name}: {answer.get('message', status)}")

    def patch(self, path: str, body: dict[str, Any]) -> None:
        status, answer = self._request("PATCH", path, body, "application/merge-patch+json")
        if status != http.HTTPStatus.OK:
            raise StageError(f"PATCH {path}: {answer.get('message', status)}")

    def _request(
        self, method: str, path: str, body: dict[str, Any] | None = None, kind: str = "application/json"
    ) -> tuple[int, dict[str, Any]]:
        text = None if body is None else json.dumps(body)
        self._connection.request(method, path, text, {"Content-Type": kind, "Accept": "application/json"})
        response = self._connection.getresponse()
        answer: dict[str, Any] = json.loads(response.read())
        return response.status, answer
