"""What the API server fills in where a request leaves it out.

Source: Kubernetes v1.24, `pkg/apis/core/v1/defaults.go`, `pkg/apis/apps/v1/defaults.go` and the strategies
in `pkg/registry`.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Final

from simlab.kube.objects import Obj, dig, items, mapping, meta, name_of

if TYPE_CHECKING:
    from collections.abc import Callable


def _image_pull_policy(image: str) -> str:
    """Return the policy for an image: only a tag that may move is pulled each time."""
    last = image.rsplit("/", 1)[-1]
    if "@" in image:
        return "IfNotPresent"
    tag = last.partition(":")[2] or "latest"
    return "Always" if tag == "latest" else "IfNotPresent"


def _probe(probe: Obj) -> None:
    for key, value in (
        ("timeoutSeconds", 1),
        ("periodSeconds", 10),
        ("successThreshold", 1),
        ("failureThreshold", 3),
    ):
        probe.setdefault(key, value)
    if isinstance(probe.get("httpGet"), dict):
        probe["httpGet"].setdefault("path", "/")
        probe["httpGet"].setdefault("scheme", "HTTP")


def _container(container: Obj, *, host_network: bool) -> None:
    for port in items(container, "ports"):
        port.setdefault("protocol", "TCP")
        if host_network and port.get("containerPort"):
            port.setdefault("hostPort", port["containerPort"])
    for variable in items(container, "env"):
        reference = dig(variable, "valueFrom", "fieldRef")
        if isinstance(reference, dict):
            reference.setdefault("apiVersion", "v1")
    resources = container.setdefault("resources", {})
    for resource, amount in mapping(resources, "limits").items():
        resources.setdefault("requests", {}).setdefault(resource, amount)
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        if isinstance(container.get(name), dict):
            _probe(container[name])
    container.setdefault("terminationMessagePath", "/dev/termination-log")
    container.setdefault("terminationMessagePolicy", "File")
    container.setdefault("imagePullPolicy", _image_pull_policy(str(container.get("image", ""))))


_MODES: Final = ("secret", "configMap", "downwardAPI", "projected")


def _volume(volume: Obj) -> None:
    if set(volume) <= {"name"}:
        volume["emptyDir"] = {}
    for source in _MODES:
        if isinstance(volume.get(source), dict):
            # 0644, as the API writes it: a decimal number
            volume[source].setdefault("defaultMode", 420)
    if isinstance(volume.get("hostPath"), dict):
        volume["hostPath"].setdefault("type", "")
    for source in items(volume, "projected", "sources"):
        if isinstance(source.get("serviceAccountToken"), dict):
            source["serviceAccountToken"].setdefault("expirationSeconds", 3600)
        for item in items(source, "downwardAPI", "items"):
            if isinstance(item.get("fieldRef"), dict):
                item["fieldRef"].setdefault("apiVersion", "v1")


def pod_spec(spec: Obj) -> None:
    """Fill in a pod's spec, in a pod or in a template."""
    host_network = bool(spec.get("hostNetwork"))
    for key in ("initContainers", "containers"):
        for container in items(spec, key):
            _container(container, host_network=host_network)
    for volume in items(spec, "volumes"):
        _volume(volume)
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("terminationGracePeriodSeconds", 30)
    spec.setdefault("dnsPolicy", "ClusterFirst")
    account = spec.get("serviceAccountName") or spec.get("serviceAccount")
    if account:
        spec["serviceAccountName"] = spec["serviceAccount"] = account
    spec.setdefault("securityContext", {})
    spec.setdefault("schedulerName", "default-scheduler")


def _pod(pod: Obj) -> None:
    spec = mapping(pod, "spec")
    pod_spec(spec)
    spec.setdefault("enableServiceLinks", True)


def qos_class(spec: Obj) -> str:
    """Return a pod's quality-of-service class (pkg/apis/core/helper/qos)."""
    containers = [*items(spec, "containers"), *items(spec, "initContainers")]
    counted = [
        {
            name: amount
            for name, amount in mapping(container, "resources", kind).items()
            if name in ("cpu", "memory")
        }
        for container in containers
        for kind in ("requests", "limits")
    ]
    if not any(counted):
        return "BestEffort"
    for requests, limits in zip(counted[::2], counted[1::2], strict=True):
        if set(limits) != {"cpu", "memory"} or requests != limits:
            return "Burstable"
    return "Guaranteed"


def _namespace(namespace: Obj) -> None:
    if name_of(namespace):
        meta(namespace).setdefault("labels", {})["kubernetes.io/metadata.name"] = name_of(namespace)
    spec = namespace.setdefault("spec", {})
    spec.setdefault("finalizers", ["kubernetes"])
    namespace.setdefault("status", {}).setdefault("phase", "Active")


def _secret(secret: Obj) -> None:
    secret.setdefault("type", "Opaque")
    for key, value in (secret.pop("stringData", None) or {}).items():
        secret.setdefault("data", {})[key] = base64.b64encode(value.encode()).decode()


def _service(service: Obj) -> None:
    spec = service.setdefault("spec", {})
    spec.setdefault("type", "ClusterIP")
    spec.setdefault("sessionAffinity", "None")
    spec.setdefault("internalTrafficPolicy", "Cluster")
    for port in items(spec, "ports"):
        port.setdefault("protocol", "TCP")
        port.setdefault("targetPort", port.get("port"))
    service.setdefault("status", {}).setdefault("loadBalancer", {})


def _template(owner: Obj) -> None:
    template = mapping(owner, "spec", "template")
    if isinstance(template.get("spec"), dict):
        meta(template).setdefault("creationTimestamp", None)
        pod_spec(template["spec"])


def _rolling(owner: Obj, key: str, default: Obj) -> None:
    strategy = owner["spec"].setdefault(key, {})
    strategy.setdefault("type", "RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        rolling = strategy.setdefault("rollingUpdate", {})
        for name, value in default.items():
            rolling.setdefault(name, value)


def _deployment(deployment: Obj) -> None:
    spec = mapping(deployment, "spec")
    spec.setdefault("replicas", 1)
    _rolling(deployment, "strategy", {"maxUnavailable": "25%", "maxSurge": "25%"})
    spec.setdefault("revisionHistoryLimit", 10)
    spec.setdefault("progressDeadlineSeconds", 600)
    _template(deployment)


def _daemon_set(daemon_set: Obj) -> None:
    _rolling(daemon_set, "updateStrategy", {"maxUnavailable": 1, "maxSurge": 0})
    mapping(daemon_set, "spec").setdefault("revisionHistoryLimit", 10)
    _template(daemon_set)
    annotations = meta(daemon_set).setdefault("annotations", {})
    annotations.setdefault("deprecated.daemonset.template.generation", "1")


def _stateful_set(stateful_set: Obj) -> None:
    spec = mapping(stateful_set, "spec")
    spec.setdefault("podManagementPolicy", "OrderedReady")
    _rolling(stateful_set, "updateStrategy", {"partition": 0})
    spec.setdefault("revisionHistoryLimit", 10)
    spec.setdefault("replicas", 1)
    _template(stateful_set)


def _replica_set(replica_set: Obj) -> None:
    mapping(replica_set, "spec").setdefault("replicas", 1)
    _template(replica_set)


def _job(job: Obj) -> None:
    spec = mapping(job, "spec")
    for key, value in (
        ("completions", 1),
        ("parallelism", 1),
        ("backoffLimit", 6),
        ("completionMode", "NonIndexed"),
        ("suspend", False),
    ):
        spec.setdefault(key, value)
    _template(job)


def _definition(definition: Obj) -> None:
    spec = mapping(definition, "spec")
    spec.setdefault("conversion", {"strategy": "None"})
    names = mapping(spec, "names")
    if names.get("kind"):
        names.setdefault("singular", str(names["kind"]).lower())
        names.setdefault("listKind", f"{names['kind']}List")


_BY_KIND: Final[dict[str, Callable[[Obj], None]]] = {
    "Pod": _pod,
    "Namespace": _namespace,
    "Secret": _secret,
    "Service": _service,
    "Deployment": _deployment,
    "DaemonSet": _daemon_set,
    "StatefulSet": _stateful_set,
    "ReplicaSet": _replica_set,
    "Job": _job,
    "CustomResourceDefinition": _definition,
}


def apply_defaults(kind: str, obj: Obj) -> None:
    """Fill in, in place, what an object of a kind leaves out."""
    fill = _BY_KIND.get(kind)
    if fill is None:
        return
    if not isinstance(obj.get("spec", {}), dict):
        return
    fill(obj)


def custom_defaults(schema: Any, value: Any) -> None:
    """Fill in, in place, the defaults that a custom resource's schema declares."""
    if not isinstance(schema, dict):
        return
    if isinstance(value, list):
        for item in value:
            custom_defaults(schema.get("items"), item)
    elif isinstance(value, dict):
        for key, inner in (schema.get("properties") or {}).items():
            if key not in value and "default" in inner:
                value[key] = inner["default"]
            if key in value:
                custom_defaults(inner, value[key])
        others = schema.get("additionalProperties")
        for key, item in value.items():
            if isinstance(others, dict) and key not in (schema.get("properties") or {}):
                custom_defaults(others, item)
