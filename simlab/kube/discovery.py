"""Discovery: which groups, versions, resources and subresources the server has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from simlab.kube.objects import Obj
    from simlab.kube.resources import Registry, Resource

_OBJECT: Final = ("get", "patch", "update")
# Subresources whose objects are of another kind: (group, version, kind, verbs).
_OTHER_KINDS: Final[dict[str, tuple[str, str, str, tuple[str, ...]]]] = {
    "scale": ("autoscaling", "v1", "Scale", _OBJECT),
    "binding": ("", "", "Binding", ("create",)),
    "eviction": ("policy", "v1", "Eviction", ("create",)),
    "exec": ("", "", "PodExecOptions", ("create", "get")),
    "attach": ("", "", "PodAttachOptions", ("create", "get")),
    "portforward": ("", "", "PodPortForwardOptions", ("create", "get")),
}
_OWN_VERBS: Final = {"status": _OBJECT, "log": ("get",), "finalize": ("update",)}


def api_versions() -> Obj:
    """Return `/api`."""
    return {
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": ""}],
    }


def _group(name: str, versions: list[str]) -> Obj:
    listed = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {"name": name, "versions": listed, "preferredVersion": listed[0]}


def api_group_list(registry: Registry) -> Obj:
    """Return `/apis`."""
    groups = [_group(name, versions) for name, versions in registry.group_versions().items() if name]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}


def api_group(registry: Registry, name: str) -> Obj | None:
    """Return `/apis/GROUP`, or None if the server has no such group."""
    versions = registry.group_versions().get(name)
    if not versions or not name:
        return None
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(name, versions)}


def api_resource_list(registry: Registry, group: str, version: str) -> Obj | None:
    """Return `/api/v1` or `/apis/GROUP/VERSION`, or None if the server has no such version."""
    rows = [row for row in registry.all() if (row.group, row.version) == (group, version)]
    if not rows:
        return None
    listed: list[Obj] = []
    for row in rows:
        listed.append(_resource(row))
        listed.extend(_subresource(row, part) for part in row.subresources)
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": f"{group}/{version}" if group else version,
        "resources": listed,
    }


def document(registry: Registry, parts: list[str]) -> Obj | None:
    """Return the discovery document at a path, or None if there is none."""
    match parts:
        case ["api"]:
            return api_versions()
        case ["apis"]:
            return api_group_list(registry)
        case ["apis", group]:
            return api_group(registry, group)
        case ["api", version]:
            return api_resource_list(registry, "", version)
        case ["apis", group, version]:
            return api_resource_list(registry, group, version)
    return None


def _resource(row: Resource) -> Obj:
    entry: dict[str, Any] = {
        "name": row.plural,
        "singularName": row.singular if row.custom is not None else "",
        "namespaced": row.namespaced,
        "kind": row.kind,
        "verbs": list(row.verbs),
    }
    if row.short_names:
        entry["shortNames"] = list(row.short_names)
    if row.categories:
        entry["categories"] = list(row.categories)
    return entry


def _subresource(row: Resource, part: str) -> Obj:
    entry: dict[str, Any] = {
        "name": f"{row.plural}/{part}",
        "singularName": "",
        "namespaced": row.namespaced,
        "kind": row.kind,
        "verbs": list(_OWN_VERBS.get(part, ())),
    }
    if part in _OTHER_KINDS:
        group, version, kind, verbs = _OTHER_KINDS[part]
        if version:
            entry["group"], entry["version"] = group, version
        entry["kind"], entry["verbs"] = kind, list(verbs)
    return entry
