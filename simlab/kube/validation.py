"""What the API server refuses in an object, and which parts may not change.

Rules and texts: Kubernetes v1.24, `pkg/apis/core/validation/validation.go`, `pkg/apis/apps/validation`,
`pkg/apis/node/validation` and apimachinery v0.24 `pkg/api/validation`.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

from simlab.kube.errors import (
    FieldError,
    duplicate_value,
    forbidden_field,
    invalid_value,
    not_found_value,
    required,
    unsupported_value,
)
from simlab.kube.objects import DNS_LABEL, DNS_SUBDOMAIN, Obj, clone, dig, items, mapping
from simlab.kube.selectors import from_object, matches_labels

if TYPE_CHECKING:
    from collections.abc import Callable

    from simlab.kube.resources import Resource

_SUBDOMAIN_TEXT: Final = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must "
    "start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    r"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)
_LABEL_TEXT: Final = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start "
    "and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
_VALUE_TEXT: Final = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must "
    "start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used "
    "for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
)
_KEY_TEXT: Final = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
    "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)
_LABEL_VALUE: Final = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")
_LABEL_NAME: Final = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_VARIABLE_TEXT: Final = (
    "a valid environment variable name must consist of alphabetic characters, digits, '_', '-', or '.', and "
    "must not start with a digit (e.g. 'my.env-name',  or 'MY_ENV.NAME',  or 'MyEnvName1', regex used for "
    "validation is '[-._a-zA-Z][-._a-zA-Z0-9]*')"
)
_ENVIRONMENT_NAME: Final = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*")
_QUANTITY: Final = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+|[numkMGTPE]|[KMGTPE]i)?")
_QUANTITY_TEXT: Final = (
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
)
_MAX_ANNOTATIONS: Final = 256 * 1024

# Kinds whose names are path segments and nothing more (RBAC allows colons, for one).
_FREE_NAMES: Final = {"Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"}
_LABEL_NAMES: Final = {"Namespace", "Service"}

_FIXED_TEXT: Final = (
    "pod updates may not change fields other than `spec.containers[*].image`, "
    "`spec.initContainers[*].image`, `spec.activeDeadlineSeconds`, `spec.tolerations` (only additions to "
    "existing tolerations) or `spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was "
    "previously negative)\n"
)


def validate(resource: Resource, obj: Obj) -> list[FieldError]:
    """Return what is wrong with an object, in the order of its fields."""
    errors = _metadata(resource.kind, obj, namespaced=resource.namespaced)
    check = _BY_KIND.get(resource.kind) if resource.model is not None else None
    return [*errors, *(check(obj) if check else [])]


def validate_update(resource: Resource, obj: Obj, before: Obj) -> list[FieldError]:
    """Return what is wrong with an object as a change of what it was before."""
    errors: list[FieldError] = []
    if dig(before, "metadata", "deletionTimestamp"):
        added = set(items(obj, "metadata", "finalizers")) - set(items(before, "metadata", "finalizers"))
        if added:
            detail = "no new finalizers can be added if the object is being deleted, found new finalizers "
            errors.append(forbidden_field("metadata.finalizers", f"{detail}{json.dumps(sorted(added))}"))
    if resource.model is None:
        return errors
    if resource.kind == "Pod":
        errors.extend(_pod_update(obj, before))
    if resource.kind == "RuntimeClass" and obj.get("handler") != before.get("handler"):
        errors.append(invalid_value("handler", obj.get("handler"), "field is immutable"))
    if resource.kind in ("Deployment", "DaemonSet", "ReplicaSet", "StatefulSet"):
        selector = dig(obj, "spec", "selector")
        if selector != dig(before, "spec", "selector"):
            errors.append(invalid_value("spec.selector", selector, "field is immutable"))
    if resource.kind in ("ConfigMap", "Secret") and before.get("immutable"):
        errors.extend(
            forbidden_field(key, "field is immutable when `immutable` is set")
            for key in ("immutable", "data", "binaryData")
            if obj.get(key) != before.get(key)
        )
    if resource.kind == "Secret" and obj.get("type") != before.get("type"):
        errors.append(invalid_value("type", obj.get("type"), "field is immutable"))
    return errors


def _metadata(kind: str, obj: Obj, *, namespaced: bool) -> list[FieldError]:
    errors: list[FieldError] = []
    metadata = mapping(obj, "metadata")
    name = metadata.get("name") or ""
    if not name:
        errors.append(required("metadata.name", "name or generateName is required"))
    elif kind in _FREE_NAMES:
        if name in (".", "..") or "/" in name or "%" in name:
            errors.append(invalid_value("metadata.name", name, "may not contain '/' or '%'"))
    elif kind in _LABEL_NAMES:
        errors.extend(_label("metadata.name", name))
    else:
        errors.extend(_subdomain("metadata.name", name))
    if namespaced and not metadata.get("namespace"):
        errors.append(required("metadata.namespace"))
    errors.extend(_labels("metadata.labels", mapping(metadata, "labels")))
    annotations = mapping(metadata, "annotations")
    errors.extend(_keys("metadata.annotations", annotations))
    if sum(len(key) + len(value) for key, value in annotations.items()) > _MAX_ANNOTATIONS:
        message = f"Too long: must have at most {_MAX_ANNOTATIONS} bytes"
        errors.append(FieldError("FieldValueTooLong", "metadata.annotations", message))
    for at, owner in enumerate(items(metadata, "ownerReferences")):
        path = f"metadata.ownerReferences[{at}]"
        errors.extend(
            invalid_value(f"{path}.{key}", owner.get(key) or "", f"{key} must not be empty")
            for key in ("apiVersion", "kind", "name", "uid")
            if not owner.get(key)
        )
    return errors


def _subdomain(field: str, name: str) -> list[FieldError]:
    if len(name) > 253:
        return [invalid_value(field, name, "must be no more than 253 characters")]
    return [] if DNS_SUBDOMAIN.fullmatch(name) else [invalid_value(field, name, _SUBDOMAIN_TEXT)]


def _label(field: str, name: str) -> list[FieldError]:
    if len(name) > 63:
        return [invalid_value(field, name, "must be no more than 63 characters")]
    return [] if DNS_LABEL.fullmatch(name) else [invalid_value(field, name, _LABEL_TEXT)]


def _keys(field: str, values: Obj) -> list[FieldError]:
    errors = []
    for key in values:
        prefix, slash, name = key.rpartition("/")
        if not _LABEL_NAME.fullmatch(name):
            errors.append(invalid_value(field, key, _KEY_TEXT if name else "name part must be non-empty"))
        elif len(name) > 63:
            errors.append(invalid_value(field, key, "name part must be no more than 63 characters"))
        if slash and not DNS_SUBDOMAIN.fullmatch(prefix):
            errors.append(invalid_value(field, key, f"prefix part {_SUBDOMAIN_TEXT}"))
    return errors


def _labels(field: str, labels: Obj) -> list[FieldError]:
    errors = _keys(field, labels)
    for value in labels.values():
        if len(value) > 63:
            errors.append(invalid_value(field, value, "must be no more than 63 characters"))
        elif not _LABEL_VALUE.fullmatch(value):
            errors.append(invalid_value(field, value, _VALUE_TEXT))
    return errors


def _quantities(field: str, amounts: Obj) -> list[FieldError]:
    return [
        invalid_value(f"{field}[{name}]", amount, _QUANTITY_TEXT)
        for name, amount in amounts.items()
        if not _QUANTITY.fullmatch(amount)
    ]


def _containers(spec: Obj, path: str, key: str, volumes: set[str], names: set[str]) -> list[FieldError]:
    errors: list[FieldError] = []
    for at, container in enumerate(items(spec, key)):
        here = f"{path}.{key}[{at}]"
        name = container.get("name") or ""
        if not name:
            errors.append(required(f"{here}.name"))
        elif name in names:
            errors.append(duplicate_value(f"{here}.name", name))
        else:
            errors.extend(_label(f"{here}.name", name))
        names.add(name)
        image = container.get("image") or ""
        if not image:
            errors.append(required(f"{here}.image"))
        elif image != image.strip():
            errors.append(
                invalid_value(f"{here}.image", image, "must not have leading or trailing whitespace")
            )
        errors.extend(_container_parts(container, here, volumes))
    return errors


def _container_parts(container: Obj, here: str, volumes: set[str]) -> list[FieldError]:
    policy = container.get("imagePullPolicy")
    policies = ("Always", "IfNotPresent", "Never")
    known = policy in policies
    errors = [] if known else [unsupported_value(f"{here}.imagePullPolicy", policy, policies)]
    errors.extend(_ports(container, here))
    errors.extend(_environment(container, here))
    errors.extend(_mounts(container, here, volumes))
    for kind in ("limits", "requests"):
        errors.extend(_quantities(f"{here}.resources.{kind}", mapping(container, "resources", kind)))
    return errors


def _ports(container: Obj, here: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for number, port in enumerate(items(container, "ports")):
        value = port.get("containerPort")
        if value is None:
            errors.append(required(f"{here}.ports[{number}].containerPort"))
        elif not 0 < value < 65536:
            detail = "must be between 1 and 65535, inclusive"
            errors.append(invalid_value(f"{here}.ports[{number}].containerPort", value, detail))
    return errors


def _environment(container: Obj, here: str) -> list[FieldError]:
    errors: list[FieldError] = []
    for number, variable in enumerate(items(container, "env")):
        key = variable.get("name") or ""
        if not key:
            errors.append(required(f"{here}.env[{number}].name"))
        elif not _ENVIRONMENT_NAME.fullmatch(key):
            errors.append(invalid_value(f"{here}.env[{number}].name", key, _VARIABLE_TEXT))
    return errors


def _mounts(container: Obj, here: str, volumes: set[str]) -> list[FieldError]:
    errors: list[FieldError] = []
    mounted: set[str] = set()
    for number, mount in enumerate(items(container, "volumeMounts")):
        place = f"{here}.volumeMounts[{number}]"
        if not mount.get("name"):
            errors.append(required(f"{place}.name"))
        elif mount["name"] not in volumes:
            errors.append(not_found_value(f"{place}.name", mount["name"]))
        target = mount.get("mountPath") or ""
        if not target:
            errors.append(required(f"{place}.mountPath"))
        elif target in mounted:
            errors.append(invalid_value(f"{place}.mountPath", target, "must be unique"))
        mounted.add(target)
    return errors


def _pod_spec(spec: Obj, path: str = "spec") -> list[FieldError]:
    errors: list[FieldError] = []
    volumes: set[str] = set()
    for at, volume in enumerate(items(spec, "volumes")):
        name = volume.get("name") or ""
        if not name:
            errors.append(required(f"{path}.volumes[{at}].name"))
        elif name in volumes:
            errors.append(duplicate_value(f"{path}.volumes[{at}].name", name))
        volumes.add(name)
        sources = [key for key in volume if key != "name"]
        errors.extend(
            forbidden_field(f"{path}.volumes[{at}].{source}", "may not specify more than 1 volume type")
            for source in sources[1:]
        )
    names: set[str] = set()
    if not items(spec, "containers"):
        errors.append(required(f"{path}.containers"))
    errors.extend(_containers(spec, path, "containers", volumes, names))
    errors.extend(_containers(spec, path, "initContainers", volumes, names))
    for key, allowed in (
        ("restartPolicy", ("Always", "OnFailure", "Never")),
        ("dnsPolicy", ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")),
    ):
        if spec.get(key) not in allowed:
            errors.append(unsupported_value(f"{path}.{key}", spec.get(key), allowed))
    if spec.get("runtimeClassName") is not None:
        errors.extend(_subdomain(f"{path}.runtimeClassName", spec["runtimeClassName"]))
    if spec.get("nodeName"):
        errors.extend(_subdomain(f"{path}.nodeName", spec["nodeName"]))
    errors.extend(_labels(f"{path}.nodeSelector", mapping(spec, "nodeSelector")))
    return errors


def _pod(pod: Obj) -> list[FieldError]:
    return _pod_spec(mapping(pod, "spec"))


def _pod_update(pod: Obj, before: Obj) -> list[FieldError]:
    """Return the changes of a pod's spec that are not allowed."""
    spec, old = clone(mapping(pod, "spec")), mapping(before, "spec")
    for key in ("containers", "initContainers"):
        if len(items(spec, key)) != len(items(old, key)):
            return [forbidden_field(f"spec.{key}", "pod updates may not add or remove containers")]
        for container, was in zip(items(spec, key), items(old, key), strict=True):
            container["image"] = was.get("image")
    for key in ("activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds"):
        changed = spec.get(key) != old.get(key)
        if key == "tolerations" and changed and any(item not in items(spec, key) for item in items(old, key)):
            detail = "existing toleration can not be modified except its tolerationSeconds"
            return [forbidden_field("spec.tolerations", detail)]
        if (
            key == "terminationGracePeriodSeconds"
            and changed
            and (old.get(key, 0) >= 0 or spec.get(key) != 1)
        ):
            continue
        spec.pop(key, None)
        if key in old:
            spec[key] = old[key]
    return [] if spec == old else [forbidden_field("spec", _FIXED_TEXT + _difference(old, spec))]


def _difference(before: Obj, after: Obj) -> str:
    lines: list[str] = []
    for key in sorted({*before, *after}):
        if before.get(key) != after.get(key):
            lines.extend(
                f"  {sign} {key}: {json.dumps(value)}"
                for sign, value in (("-", before.get(key)), ("+", after.get(key)))
                if value is not None
            )
    return "\n".join(lines)


def _selector(field: str, selector: Obj) -> list[FieldError]:
    errors: list[FieldError] = []
    for at, term in enumerate(items(selector, "matchExpressions")):
        here = f"{field}.matchExpressions[{at}]"
        operator = term.get("operator") or ""
        if operator not in ("In", "NotIn", "Exists", "DoesNotExist"):
            errors.append(invalid_value(f"{here}.operator", operator, "not a valid selector operator"))
        if not term.get("key"):
            errors.append(invalid_value(f"{here}.key", "", "name part must be non-empty"))
    return errors


def _workload(owner: Obj) -> list[FieldError]:
    """Return what is wrong with a selector and the template that it must select."""
    errors: list[FieldError] = []
    selector, template = dig(owner, "spec", "selector"), mapping(owner, "spec", "template")
    unreadable = _selector("spec.selector", selector or {})
    if not selector:
        errors.append(required("spec.selector"))
    elif unreadable:
        errors.extend(unreadable)
    else:
        terms = from_object(selector) or ()
        if not matches_labels(terms, template):
            labels = mapping(template, "metadata", "labels")
            detail = "`selector` does not match template `labels`"
            errors.append(invalid_value("spec.template.metadata.labels", labels, detail))
    spec = mapping(template, "spec")
    errors.extend(_pod_spec(spec, "spec.template.spec"))
    if spec.get("restartPolicy") not in (None, "Always"):
        errors.append(
            unsupported_value("spec.template.spec.restartPolicy", spec.get("restartPolicy"), ("Always",))
        )
    return errors


def _replicated(owner: Obj) -> list[FieldError]:
    errors = _workload(owner)
    replicas = dig(owner, "spec", "replicas")
    if isinstance(replicas, int) and replicas < 0:
        errors.append(invalid_value("spec.replicas", replicas, "must be greater than or equal to 0"))
    return errors


def _runtime_class(runtime_class: Obj) -> list[FieldError]:
    handler = runtime_class.get("handler") or ""
    return _label("handler", handler)


def _definition(definition: Obj) -> list[FieldError]:
    spec = mapping(definition, "spec")
    errors = [required(f"spec.{key}") for key in ("group", "scope", "names", "versions") if not spec.get(key)]
    names = mapping(spec, "names")
    errors.extend(required(f"spec.names.{key}") for key in ("plural", "kind") if not names.get(key))
    expected = f"{names.get('plural')}.{spec.get('group')}"
    name = dig(definition, "metadata", "name")
    if not errors and name != expected:
        detail = 'must be spec.names.plural+"."+spec.group'
        errors.append(invalid_value("metadata.name", name, detail))
    versions = items(spec, "versions")
    if versions and sum(bool(version.get("storage")) for version in versions) != 1:
        errors.append(
            invalid_value(
                "spec.versions", versions, "must have exactly one version marked as storage version"
            )
        )
    for at, version in enumerate(versions):
        if not version.get("name"):
            errors.append(required(f"spec.versions[{at}].name"))
        if not dig(version, "schema", "openAPIV3Schema"):
            errors.append(required(f"spec.versions[{at}].schema.openAPIV3Schema", "schemas are required"))
    return errors


def _event(event: Obj) -> list[FieldError]:
    involved = dig(event, "involvedObject", "namespace") or ""
    namespace = dig(event, "metadata", "namespace")
    if (involved or "default") != namespace:
        return [invalid_value("involvedObject.namespace", involved, "does not match event.namespace")]
    return []


_BY_KIND: Final[dict[str, Callable[[Obj], list[FieldError]]]] = {
    "Pod": _pod,
    "Deployment": _replicated,
    "ReplicaSet": _replicated,
    "StatefulSet": _replicated,
    "DaemonSet": _workload,
    "RuntimeClass": _runtime_class,
    "CustomResourceDefinition": _definition,
    "Event": _event,
}
