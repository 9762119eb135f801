"""The tables of nodes, events, namespaces and the other small kinds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from simlab.kube.objects import Obj, dig, items, mapping
from simlab.kube.tables.columns import NONE, UNKNOWN, Column, age, age_of, labels, name_cell, number, text

if TYPE_CHECKING:
    from collections.abc import Callable

_ROLE_PREFIX: Final = "node-role.kubernetes.io/"


def _node(node: Obj) -> list[Any]:
    ready = next((c for c in items(node, "status", "conditions") if c.get("type") == "Ready"), None)
    states = ["Ready" if ready is not None and ready.get("status") == "True" else "NotReady"]
    if ready is None:
        states = ["Unknown"]
    if dig(node, "spec", "unschedulable"):
        states.append("SchedulingDisabled")
    node_labels = mapping(node, "metadata", "labels")
    roles = {key.removeprefix(_ROLE_PREFIX) for key in node_labels if key.startswith(_ROLE_PREFIX)}
    if node_labels.get("kubernetes.io/role"):
        roles.add(node_labels["kubernetes.io/role"])
    info = mapping(node, "status", "nodeInfo")
    addresses = {
        item.get("type"): item.get("address") for item in reversed(items(node, "status", "addresses"))
    }
    return [
        name_cell(node),
        ",".join(states),
        ",".join(sorted(role for role in roles if role)) or NONE,
        age_of(node),
        info.get("kubeletVersion", ""),
        addresses.get("InternalIP", NONE),
        addresses.get("ExternalIP", NONE),
        info.get("osImage") or UNKNOWN,
        info.get("kernelVersion") or UNKNOWN,
        info.get("containerRuntimeVersion") or UNKNOWN,
    ]


def _event(event: Obj) -> list[Any]:
    """Return an event's cells; both versions of events are shown the same."""
    involved = mapping(event, "involvedObject") or mapping(event, "regarding")
    source = mapping(event, "source") or mapping(event, "deprecatedSource")
    first = event.get("firstTimestamp") or event.get("deprecatedFirstTimestamp")
    last = event.get("lastTimestamp") or event.get("deprecatedLastTimestamp")
    count = event.get("count") or event.get("deprecatedCount") or 1
    first_seen = age(first or event.get("eventTime"))
    last_seen = age(last) if last else first_seen
    series = event.get("series")
    if isinstance(series, dict):
        last_seen, count = age(series.get("lastObservedTime")), series.get("count", 1)
    component = (
        source.get("component") or event.get("reportingComponent") or event.get("reportingController") or ""
    )
    host = source.get("host") or event.get("reportingInstance") or ""
    return [
        last_seen,
        event.get("type", ""),
        event.get("reason", ""),
        f"{str(involved.get('kind', '')).lower()}/{involved.get('name', '')}",
        involved.get("fieldPath", ""),
        f"{component}, {host}" if host else component,
        str(event.get("message") or event.get("note") or "").strip(),
        first_seen,
        count,
        name_cell(event),
    ]


def _service(service: Obj) -> list[Any]:
    spec = mapping(service, "spec")
    kind = spec.get("type", "")
    ports = []
    for port in items(spec, "ports"):
        shown = f"{port.get('port')}:{port['nodePort']}" if port.get("nodePort") else str(port.get("port"))
        ports.append(f"{shown}/{port.get('protocol')}")
    external = ",".join(items(spec, "externalIPs")) or NONE
    if kind == "LoadBalancer" and external == NONE:
        ingress = items(service, "status", "loadBalancer", "ingress")
        external = ",".join(str(each.get("ip") or each.get("hostname")) for each in ingress) or "<pending>"
    if kind == "ExternalName":
        external = spec.get("externalName", NONE)
    return [
        name_cell(service),
        kind,
        spec.get("clusterIP") or NONE,
        external,
        ",".join(ports) or NONE,
        age_of(service),
        labels(mapping(spec, "selector")),
    ]


def _endpoints(endpoints: Obj) -> list[Any]:
    found = [
        f"{address.get('ip')}:{port.get('port')}"
        for subset in items(endpoints, "subsets")
        for port in items(subset, "ports")
        for address in items(subset, "addresses")
    ]
    shown = ",".join(found[:3]) + (f" + {len(found) - 3} more..." if len(found) > 3 else "")
    return [name_cell(endpoints), shown or NONE, age_of(endpoints)]


def _binding(binding: Obj) -> list[Any]:
    role = mapping(binding, "roleRef")
    subjects = items(binding, "subjects")

    def of(kind: str) -> str:
        names = []
        for subject in subjects:
            if subject.get("kind") == kind:
                prefix = f"{subject.get('namespace')}/" if kind == "ServiceAccount" else ""
                names.append(f"{prefix}{subject.get('name')}")
        return ", ".join(names)

    shown = f"{role.get('kind')}/{role.get('name')}"
    return [name_cell(binding), shown, age_of(binding), of("User"), of("Group"), of("ServiceAccount")]


def _quota(quota: Obj) -> list[Any]:
    hard, used = mapping(quota, "status", "hard"), mapping(quota, "status", "used")
    parts: dict[bool, list[str]] = {True: [], False: []}
    for name in sorted(hard):
        parts[name.startswith("limits.")].append(f"{name}: {used.get(name, '0')}/{hard[name]}")
    return [name_cell(quota), age_of(quota), ", ".join(parts[False]), ", ".join(parts[True])]


def _budget(budget: Obj) -> list[Any]:
    spec = mapping(budget, "spec")
    least, most = spec.get("minAvailable"), spec.get("maxUnavailable")
    return [
        name_cell(budget),
        "N/A" if least is None else str(least),
        "N/A" if most is None else str(most),
        dig(budget, "status", "disruptionsAllowed") or 0,
        age_of(budget),
    ]


def _storage_class(storage: Obj) -> list[Any]:
    annotations = mapping(storage, "metadata", "annotations")
    default = annotations.get("storageclass.kubernetes.io/is-default-class") == "true"
    return [
        f"{name_cell(storage)} (default)" if default else name_cell(storage),
        storage.get("provisioner"),
        storage.get("reclaimPolicy", "Delete"),
        storage.get("volumeBindingMode", "Immediate"),
        bool(storage.get("allowVolumeExpansion")),
        age_of(storage),
    ]


_NAME: Final = text("Name", name=True)
_AGE: Final = text("Age")
_DATE: Final = Column("Created At", "date")
_BINDING: Final = (
    _NAME,
    text("Role"),
    _AGE,
    text("Users", wide=True),
    text("Groups", wide=True),
    text("ServiceAccounts", wide=True),
)
PRINTERS: Final[dict[str, tuple[tuple[Column, ...], Callable[[Obj], list[Any]]]]] = {
    "Node": (
        (
            _NAME,
            text("Status"),
            text("Roles"),
            _AGE,
            text("Version"),
            text("Internal-IP", wide=True),
            text("External-IP", wide=True),
            text("OS-Image", wide=True),
            text("Kernel-Version", wide=True),
            text("Container-Runtime", wide=True),
        ),
        _node,
    ),
    "Event": (
        (
            text("Last Seen"),
            text("Type"),
            text("Reason"),
            text("Object"),
            text("Subobject", wide=True),
            text("Source", wide=True),
            text("Message"),
            text("First Seen", wide=True),
            number("Count", wide=True),
            Column("Name", "string", "name", 1),
        ),
        _event,
    ),
    "Namespace": (
        (_NAME, text("Status"), _AGE),
        lambda obj: [name_cell(obj), dig(obj, "status", "phase"), age_of(obj)],
    ),
    "ConfigMap": (
        (_NAME, text("Data"), _AGE),
        lambda obj: [
            name_cell(obj),
            len(mapping(obj, "data")) + len(mapping(obj, "binaryData")),
            age_of(obj),
        ],
    ),
    "Secret": (
        (_NAME, text("Type"), text("Data"), _AGE),
        lambda obj: [name_cell(obj), obj.get("type"), len(mapping(obj, "data")), age_of(obj)],
    ),
    "ServiceAccount": (
        (_NAME, text("Secrets"), _AGE),
        lambda obj: [name_cell(obj), len(items(obj, "secrets")), age_of(obj)],
    ),
    "Service": (
        (
            _NAME,
            text("Type"),
            text("Cluster-IP"),
            text("External-IP"),
            text("Port(s)"),
            _AGE,
            text("Selector", wide=True),
        ),
        _service,
    ),
    "Endpoints": ((_NAME, text("Endpoints"), _AGE), _endpoints),
    "RuntimeClass": (
        (_NAME, text("Handler"), _AGE),
        lambda obj: [name_cell(obj), obj.get("handler"), age_of(obj)],
    ),
    "Lease": (
        (_NAME, text("Holder"), _AGE),
        lambda obj: [name_cell(obj), dig(obj, "spec", "holderIdentity") or "", age_of(obj)],
    ),
    "PriorityClass": (
        (_NAME, number("Value"), Column("Global-Default", "boolean"), _AGE),
        lambda obj: [name_cell(obj), obj.get("value"), bool(obj.get("globalDefault")), age_of(obj)],
    ),
    "StorageClass": (
        (
            _NAME,
            text("Provisioner"),
            text("ReclaimPolicy"),
            text("VolumeBindingMode"),
            Column("AllowVolumeExpansion", "boolean"),
            _AGE,
        ),
        _storage_class,
    ),
    "ResourceQuota": ((_NAME, _AGE, text("Request"), text("Limit")), _quota),
    "PodDisruptionBudget": (
        (
            _NAME,
            text("Min Available"),
            text("Max Unavailable"),
            number("Allowed Disruptions"),
            _AGE,
        ),
        _budget,
    ),
    "RoleBinding": (_BINDING, _binding),
    "ClusterRoleBinding": (_BINDING, _binding),
    "ControllerRevision": (
        (_NAME, text("Controller"), number("Revision"), _AGE),
        lambda obj: [
            name_cell(obj),
            next(
                (
                    f"{str(owner.get('kind')).lower()}.apps/{owner.get('name')}"
                    for owner in items(obj, "metadata", "ownerReferences")
                    if owner.get("controller")
                ),
                NONE,
            ),
            obj.get("revision"),
            age_of(obj),
        ],
    ),
}
