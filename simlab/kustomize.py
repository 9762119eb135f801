"""Kustomizations as `kubectl apply -k` renders them, for hosts whose kubectl is older than the guide's.

Debian 12's kubectl 1.20 has kustomize 2.0, which reads no patches with a target. What is read here is what
the operator's release uses: resources, namePrefix, nameSuffix, namespace, images, patches, configMapGenerator
with files. Anything else is refused, and never passed over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import yaml

from simlab.kube.errors import ApiError
from simlab.kube.patch import json_patch
from simlab.kube.strategic import strategic_merge

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Object = dict[str, Any]

_FILES: Final = ("kustomization.yaml", "kustomization.yml", "Kustomization")
_KNOWN: Final = {
    *("apiVersion", "kind", "resources", "bases", "namePrefix", "nameSuffix", "namespace", "images"),
    *("patches", "patchesStrategicMerge", "configMapGenerator", "generatorOptions", "configurations"),
    "vars",
}
# What others refer to comes before what refers to it (kustomize's legacy order).
_ORDER: Final = (
    *("Namespace", "CustomResourceDefinition", "ServiceAccount", "Role", "ClusterRole", "RoleBinding"),
    *("ClusterRoleBinding", "ConfigMap", "Service", "Deployment"),
)
_CLUSTER_WIDE: Final = (
    *("Namespace", "CustomResourceDefinition", "ClusterRole", "ClusterRoleBinding", "CcRuntime"),
)
# kustomize leaves the names of these as they are: a prefix would change what they are.
_KEEP_NAME: Final = ("CustomResourceDefinition",)


class KustomizeError(Exception):
    """A kustomization cannot be rendered; the message says why."""


def render(folder: Path) -> str:
    """Render a kustomization as YAML documents. Raises KustomizeError."""
    try:
        objects = _build(folder)
    except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError, ApiError) as error:
        raise KustomizeError(f"{folder}: {type(error).__name__}: {error}") from None
    objects.sort(key=_rank)
    text: str = yaml.safe_dump_all(objects, sort_keys=True)
    return text


def _rank(obj: Object) -> tuple[int, str]:
    kind = obj["kind"]
    return _ORDER.index(kind) if kind in _ORDER else len(_ORDER), obj["metadata"]["name"]


def _build(folder: Path) -> list[Object]:
    file = next((folder / name for name in _FILES if (folder / name).is_file()), None)
    if file is None:
        names = ", ".join(f"'{name}'" for name in _FILES)
        raise KustomizeError(f"unable to find one of {names} in directory '{folder}'")
    wanted = yaml.safe_load(file.read_text())
    if unknown := wanted.keys() - _KNOWN:
        raise KustomizeError(f"{file}: the simulated kustomize does not know {', '.join(sorted(unknown))}")
    objects: list[Object] = []
    for resource in [*(wanted.get("bases") or ()), *(wanted.get("resources") or ())]:
        path = folder / resource
        objects += _build(path) if path.is_dir() else _documents(path.read_text())
    for generator in wanted.get("configMapGenerator") or ():
        data = {name: (folder / name).read_text() for name in generator["files"]}
        objects.append(
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": generator["name"]}, "data": data}
        )
    for patch in _patches(folder, wanted):
        objects = [_patched(one, patch) for one in objects]
    _rename(objects, wanted.get("namePrefix", ""), wanted.get("nameSuffix", ""), wanted.get("namespace", ""))
    fields = _image_fields(folder, wanted)
    for one in objects:
        for image in wanted.get("images") or ():
            _set_images(one, image, fields)
    return objects


def _documents(text: str) -> list[Object]:
    return [one for one in yaml.safe_load_all(text) if one]


def _patches(folder: Path, wanted: Object) -> Iterator[tuple[Object, Any]]:
    """Yield what each patch is for, and the patch: an object, or the steps of a JSON patch."""
    given = [{"path": path} for path in wanted.get("patchesStrategicMerge") or ()]
    for patch in [*given, *(wanted.get("patches") or ())]:
        text = patch["patch"] if "patch" in patch else (folder / patch["path"]).read_text()
        content = yaml.safe_load(text)
        if isinstance(content, dict):
            yield {"kind": content["kind"], "name": content["metadata"]["name"]}, content
        else:
            yield patch["target"], content


def _patched(obj: Object, patch: tuple[Object, Any]) -> Object:
    target, content = patch
    if obj["kind"] != target["kind"] or target.get("name") not in (None, obj["metadata"]["name"]):
        return obj
    if isinstance(content, list):
        return json_patch(obj, content)
    changed: Object = strategic_merge(obj, content, f"V1{obj['kind']}")
    pod = changed.get("spec", {}).get("template", {}).get("spec", {})
    if "containers" in pod:
        # The API puts new containers behind the others, kustomize before them.
        own = [one["name"] for one in obj["spec"]["template"]["spec"]["containers"]]
        pod["containers"].sort(key=lambda one: one["name"] in own)
    return changed


def _rename(objects: list[Object], prefix: str, suffix: str, namespace: str) -> None:
    """Give every object its new name, and everyone who refers to it."""
    names = {
        (one["kind"], one["metadata"]["name"]): f"{prefix}{one['metadata']['name']}{suffix}"
        for one in objects
        if one["kind"] not in (*_KEEP_NAME, "Namespace")
    }
    for one in objects:
        metadata = one["metadata"]
        if one["kind"] == "Namespace":
            metadata["name"] = namespace or metadata["name"]
            continue
        metadata["name"] = names.get((one["kind"], metadata["name"]), metadata["name"])
        if namespace and one["kind"] not in _CLUSTER_WIDE:
            metadata["namespace"] = namespace
        for reference in [one.get("roleRef"), *(one.get("subjects") or ())]:
            if reference:
                key = (reference["kind"], reference["name"])
                reference["name"] = names.get(key, reference["name"])
                if namespace and "namespace" in reference:
                    reference["namespace"] = namespace
        pod = one.get("spec", {}).get("template", {}).get("spec", {})
        if account := pod.get("serviceAccountName"):
            pod["serviceAccountName"] = names.get(("ServiceAccount", account), account)


def _image_fields(folder: Path, wanted: Object) -> list[tuple[str, list[str]]]:
    found = []
    for resource in wanted.get("resources") or ():
        if (folder / resource).is_dir():
            base = next(folder / resource / name for name in _FILES if (folder / resource / name).is_file())
            found += _image_fields(folder / resource, yaml.safe_load(base.read_text()))
    for path in wanted.get("configurations") or ():
        for field in yaml.safe_load((folder / path).read_text()).get("images") or ():
            found.append((field["kind"], field["path"].split("/")))
    return found


def _set_images(obj: Object, image: Object, fields: list[tuple[str, list[str]]]) -> None:
    pod = obj.get("spec", {}).get("template", {}).get("spec", {})
    for container in pod.get("containers") or ():
        container["image"] = _image(container["image"], image)
    for kind, path in fields:
        holder: Any = obj if obj["kind"] == kind else {}
        for part in path[:-1]:
            holder = holder.get(part, {})
        if path[-1] in holder:
            holder[path[-1]] = _image(holder[path[-1]], image)


def _image(present: str, wanted: Object) -> str:
    head, slash, last = present.rpartition("/")
    last_name, colon, tag = last.partition(":")
    name = f"{head}{slash}{last_name}"
    if name != wanted["name"]:
        return present
    tag = wanted.get("newTag", tag)
    chosen: str = wanted.get("newName", name)
    return chosen + (f":{tag}" if tag or colon else "")
