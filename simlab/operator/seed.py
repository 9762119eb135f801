"""The operator as the guide's step two leaves it in a cluster: applied, edited, installed.

Its manifests are the lab's release's own (`simlab.release.versions`).
"""

from __future__ import annotations

import http
import json
import time
from typing import TYPE_CHECKING, Any, Final

from simlab import addresses
from simlab.kubeclient import KubeClientError
from simlab.operator import daemonsets, names
from simlab.operator.reconciler import runtime_class
from simlab.operator.status import Status

if TYPE_CHECKING:
    from simlab.kubeclient import KubeClient
    from simlab.release.versions.release import Release

Object = dict[str, Any]

_LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"
_PROXY: Final = "kube-rbac-proxy"
_REACHABLE_PROXY: Final = "quay.io/brancz/kube-rbac-proxy"

# The manager's, and one of each daemon on the one node.
_PODS: Final = 3

_ESTABLISHED_SECONDS: Final = 30.0
_LOOK_AGAIN_SECONDS: Final = 0.05

_IN_NAMESPACE: Final = f"namespaces/{names.NAMESPACE}"
_RBAC: Final = "/apis/rbac.authorization.k8s.io/v1"
_COLLECTIONS: Final = {
    "Namespace": "/api/v1/namespaces",
    "CustomResourceDefinition": "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
    "ServiceAccount": f"/api/v1/{_IN_NAMESPACE}/serviceaccounts",
    "ConfigMap": f"/api/v1/{_IN_NAMESPACE}/configmaps",
    "Service": f"/api/v1/{_IN_NAMESPACE}/services",
    "Role": f"{_RBAC}/{_IN_NAMESPACE}/roles",
    "RoleBinding": f"{_RBAC}/{_IN_NAMESPACE}/rolebindings",
    "ClusterRole": f"{_RBAC}/clusterroles",
    "ClusterRoleBinding": f"{_RBAC}/clusterrolebindings",
    "Deployment": f"/apis/apps/v1/{_IN_NAMESPACE}/deployments",
    "DaemonSet": f"/apis/apps/v1/{_IN_NAMESPACE}/daemonsets",
    "CcRuntime": names.CC_RUNTIMES,
    "RuntimeClass": "/apis/node.k8s.io/v1/runtimeclasses",
}


def reachable_proxy(release: Release) -> str:
    """The proxy's image of a release, from the mirror that the guide names."""
    return f"{_REACHABLE_PROXY}:{release.controller_images()[_PROXY].rpartition(':')[2]}"


def deploy(api: KubeClient, release: Release) -> None:
    """Apply the release, with the proxy's image from the mirror. Raises KubeClientError."""
    for manifest in release.manifests:
        applied = _as_applied(manifest)
        if applied["kind"] == "Deployment":
            for container in applied["spec"]["template"]["spec"]["containers"]:
                if container["name"] == _PROXY:
                    container["image"] = reachable_proxy(release)
        _create(api, applied)
        if applied["kind"] == "CustomResourceDefinition":
            _await_established(api, applied["metadata"]["name"])


def install(api: KubeClient, release: Release) -> None:
    """Make the CcRuntime, installed on the one node, and what the manager makes of it.

    The daemons' pods do the host's part when the node is there. Raises KubeClientError.
    """
    manifest = _as_applied(release.cc_runtime)
    manifest["metadata"]["finalizers"] = [names.FINALIZER]
    runtime = _create(api, manifest)
    wanted = runtime["spec"]["config"]["runtimeClassNames"]
    status = Status(runtime)
    status.total, status.completed_count, status.completed = 1, 1, [addresses.HOSTNAME]
    status.runtime_name, status.runtime_class = runtime["spec"]["runtimeName"], ",".join(wanted)
    path = f"{names.CC_RUNTIMES}/{runtime['metadata']['name']}/status"
    api.replace(path, runtime | {"status": status.as_object()})
    _create(api, daemonsets.hook(runtime, names.PRE_INSTALL, names.NAMESPACE))
    for operation in (names.INSTALL, names.UNINSTALL):
        _create(api, daemonsets.installer(runtime, operation, names.NAMESPACE))
    selector = runtime["spec"]["ccNodeSelector"]["matchLabels"]
    for name in wanted:
        _create(api, runtime_class(name, runtime, selector))


def is_running(api: KubeClient, node: Object) -> bool:
    """Whether both daemons are done on the node, and every pod of the operator's is ready."""
    labels = node["metadata"].get("labels", {})
    wanted = names.PRE_INSTALL_DONE | {names.KATA_RUNTIME_LABEL: "true"}
    if any(labels.get(key) != value for key, value in wanted.items()):
        return False
    pods = (api.find(f"/api/v1/{_IN_NAMESPACE}/pods") or {}).get("items", [])
    return len(pods) == _PODS and all(_is_ready(pod) for pod in pods)


def _await_established(api: KubeClient, name: str) -> None:
    """Wait until custom resources of a new definition are served. Raises KubeClientError."""
    deadline = time.monotonic() + _ESTABLISHED_SECONDS
    path = f"{_COLLECTIONS['CustomResourceDefinition']}/{name}"
    while not _is_true(api.find(path) or {}, "Established"):
        if time.monotonic() > deadline:
            what = f"{path} is not established after {_ESTABLISHED_SECONDS:.0f} s"
            raise KubeClientError("GET", http.HTTPStatus.OK, what)
        time.sleep(_LOOK_AGAIN_SECONDS)


def _is_ready(pod: Object) -> bool:
    return _is_true(pod, "Ready")


def _is_true(obj: Object, condition: str) -> bool:
    # A new definition of a real API server has null there.
    conditions = obj.get("status", {}).get("conditions") or []
    return any(one["type"] == condition and one["status"] == "True" for one in conditions)


def _as_applied(manifest: Object) -> Object:
    """Return a manifest as `kubectl apply` sends it: with a note of what was applied."""
    noted = json.loads(json.dumps(manifest))
    noted["metadata"].setdefault("annotations", {})
    text = json.dumps(noted, separators=(",", ":"), sort_keys=True) + "\n"
    noted["metadata"]["annotations"][_LAST_APPLIED] = text
    return dict(noted)


def _create(api: KubeClient, manifest: Object) -> Object:
    return api.create(_COLLECTIONS[manifest["kind"]], manifest)
