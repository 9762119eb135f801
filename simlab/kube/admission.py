"""Admission: what the cluster adds to a new object, and what it refuses because of other objects.

Source: Kubernetes v1.24, `plugin/pkg/admission`: namespace/lifecycle, serviceaccount, runtimeclass,
defaulttolerationseconds, priority and podtolerationrestriction's MergeTolerations.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any, Final

from simlab.kube.errors import ApiError, forbidden, not_found
from simlab.kube.objects import Obj, copied, dig, items, mapping, meta, namespace_of, random_suffix

if TYPE_CHECKING:
    from simlab.kube.resources import Resource
    from simlab.kube.store import Store

_TOKEN_MOUNT: Final = "/var/run/secrets/kubernetes.io/serviceaccount"  # noqa: S105 - a path, not a secret
# kubeadm's default, whose first address is the API server's own service.
_SERVICE_NETWORK: Final = ipaddress.IPv4Network("10.96.0.0/12")
# A node that is lost keeps its pods for five minutes.
_GRACE_SECONDS: Final = 300


def check_namespace(store: Store, resource: Resource, obj: Obj) -> None:
    """Refuse a new object in a namespace that does not exist or is going away."""
    namespace = namespace_of(obj)
    entry = store.get("namespaces.", "", namespace)
    if entry is None:
        raise not_found("namespaces", "", namespace)
    if dig(entry.obj, "metadata", "deletionTimestamp"):
        why = f"unable to create new content in namespace {namespace} because it is being terminated"
        refusal = forbidden(resource.plural, resource.group, meta(obj).get("name", ""), why)
        cause = {
            "reason": "NamespaceTerminating",
            "message": f"namespace {namespace} is being terminated",
            "field": "metadata.namespace",
        }
        refusal.details = {**(refusal.details or {}), "causes": [cause]}
        raise refusal


def admit_pod(store: Store, pod: Obj) -> None:
    """Let a new pod in, completed in place; raises the 403 of the admission plug-in that refuses it."""
    spec = mapping(pod, "spec")
    _service_account(store, pod, spec)
    _runtime_class(store, pod, spec)
    _priority(store, pod, spec)
    _default_tolerations(spec)


def _refuse(pod: Obj, why: str) -> ApiError:
    metadata = meta(pod)
    return forbidden("pods", "", metadata.get("name") or metadata.get("generateName") or "Unknown", why)


def _service_account(store: Store, pod: Obj, spec: Obj) -> None:
    namespace = meta(pod)["namespace"]
    name = spec.get("serviceAccountName") or "default"
    spec["serviceAccountName"] = spec["serviceAccount"] = name
    entry = store.get("serviceaccounts.", namespace, name)
    if entry is None:
        why = f'error looking up service account {namespace}/{name}: serviceaccount "{name}" not found'
        raise _refuse(pod, why)
    account = entry.obj
    if not spec.get("imagePullSecrets") and account.get("imagePullSecrets"):
        spec["imagePullSecrets"] = copied(account["imagePullSecrets"])
    wanted = spec.get("automountServiceAccountToken")
    if wanted is None:
        wanted = account.get("automountServiceAccountToken", True)
    if wanted:
        _mount_token(spec)


def _mount_token(spec: Obj) -> None:
    """Mount the account's token, as every pod has it, where a container mounts nothing there itself."""
    bare = [
        container
        for key in ("initContainers", "containers")
        for container in items(spec, key)
        if all(mount.get("mountPath") != _TOKEN_MOUNT for mount in items(container, "volumeMounts"))
    ]
    if not bare:
        return
    name = f"kube-api-access-{random_suffix()}"
    for container in bare:
        mount = {"name": name, "readOnly": True, "mountPath": _TOKEN_MOUNT}
        container.setdefault("volumeMounts", []).append(mount)
    sources: list[dict[str, Any]] = [
        # an hour and seven seconds, as the admission plug-in asks for
        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {
            "downwardAPI": {
                "items": [
                    {
                        "path": "namespace",
                        "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"},
                    }
                ]
            }
        },
    ]
    volume = {"name": name, "projected": {"sources": sources, "defaultMode": 420}}
    spec.setdefault("volumes", []).append(volume)


def _runtime_class(store: Store, pod: Obj, spec: Obj) -> None:
    name = spec.get("runtimeClassName")
    overhead: Obj | None = None
    if name is not None:
        entry = store.get("runtimeclasses.node.k8s.io", "", name)
        if entry is None:
            raise _refuse(pod, f'pod rejected: RuntimeClass "{name}" not found')
        overhead = dig(entry.obj, "overhead", "podFixed") if entry.obj.get("overhead") else None
        if overhead is not None:
            if spec.get("overhead") not in (None, overhead):
                raise _refuse(
                    pod, "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead"
                )
            spec["overhead"] = dict(overhead)
        _scheduling(pod, spec, mapping(entry.obj, "scheduling"))
    if overhead is None and spec.get("overhead"):
        raise _refuse(
            pod, "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead"
        )


def _scheduling(pod: Obj, spec: Obj, scheduling: Obj) -> None:
    for key, value in mapping(scheduling, "nodeSelector").items():
        selector = spec.setdefault("nodeSelector", {})
        if selector.setdefault(key, value) != value:
            raise _refuse(
                pod,
                f"conflict: runtimeClass.scheduling.nodeSelector[{key}] = {value}; "
                f"pod.spec.nodeSelector[{key}] = {selector[key]}",
            )
    for toleration in items(scheduling, "tolerations"):
        if toleration not in items(spec, "tolerations"):
            spec.setdefault("tolerations", []).append(dict(toleration))


def give_address(store: Store, service: Obj) -> None:
    """Give a new service an address of the service network, unless it has or wants none."""
    spec = mapping(service, "spec")
    if spec.get("type") == "ExternalName":
        return
    if not spec.get("clusterIP"):
        taken = {dig(entry.obj, "spec", "clusterIP") for entry in store.entries("services.")}
        spec["clusterIP"] = next(str(ip) for ip in _SERVICE_NETWORK.hosts() if str(ip) not in taken)
    spec.setdefault("clusterIPs", [spec["clusterIP"]])
    spec.setdefault("ipFamilies", ["IPv4"])
    spec.setdefault("ipFamilyPolicy", "SingleStack")


_SYSTEM_PRIORITIES: Final = {"system-node-critical": 2000001000, "system-cluster-critical": 2000000000}


def _priority(store: Store, pod: Obj, spec: Obj) -> None:
    name = spec.get("priorityClassName")
    value, policy = 0, "PreemptLowerPriority"
    if name:
        entry = store.get("priorityclasses.scheduling.k8s.io", "", name)
        if entry is not None:
            value = int(entry.obj.get("value", 0))
            policy = str(entry.obj.get("preemptionPolicy", policy))
        elif name in _SYSTEM_PRIORITIES:
            value = _SYSTEM_PRIORITIES[name]
        else:
            raise _refuse(pod, f"no PriorityClass with name {name} was found")
    spec["priority"] = value
    spec.setdefault("preemptionPolicy", policy)


def _default_tolerations(spec: Obj) -> None:
    tolerations = spec.setdefault("tolerations", [])
    for key in ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"):
        covered = any(
            toleration.get("key") in (None, "", key) and toleration.get("effect") in (None, "", "NoExecute")
            for toleration in tolerations
        )
        if not covered:
            tolerations.append(
                {
                    "key": key,
                    "operator": "Exists",
                    "effect": "NoExecute",
                    "tolerationSeconds": _GRACE_SECONDS,
                }
            )
