"""What a request asks for: its path, parameters, wanted form, and body."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import yaml

from simlab.kube import wire
from simlab.kube.cluster import PATCHES, Write
from simlab.kube.deleting import Deletion
from simlab.kube.errors import FieldError, bad_request, invalid, not_acceptable, unsupported_media
from simlab.kube.selectors import parse_fields, parse_labels

if TYPE_CHECKING:
    from aiohttp import web

    from simlab.kube.resources import Resource
    from simlab.kube.selectors import FieldSelector, LabelSelector

_READABLE: Final = ("application/json", "application/yaml", wire.MEDIA_TYPE)


@dataclass(frozen=True)
class Target:
    """The resource that a path names, and the object and subresource in it, if any."""

    group: str
    version: str
    namespace: str
    plural: str
    name: str
    part: str
    rest: str


def parse_path(path: str) -> Target | None:
    """Return what a path under `/api` or `/apis` names, or None for a path that names no resource."""
    parts = [part for part in path.split("/") if part]
    if parts[:1] == ["api"] and len(parts) >= 3:
        group, version, parts = "", parts[1], parts[2:]
    elif parts[:1] == ["apis"] and len(parts) >= 4:
        group, version, parts = parts[1], parts[2], parts[3:]
    else:
        return None
    namespace = ""
    if parts[0] == "namespaces" and len(parts) >= 3 and parts[2] not in ("status", "finalize"):
        namespace, parts = parts[1], parts[2:]
    padded = [*parts, "", "", ""]
    return Target(group, version, namespace, padded[0], padded[1], padded[2], "/".join(parts[3:]))


def _flag(query: Any, key: str) -> bool:
    return str(query.get(key, "")).lower() in ("1", "true")


def _whole(query: Any, key: str) -> int | None:
    text = query.get(key, "")
    if text == "":
        return None
    try:
        return int(text)
    except ValueError:
        raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax') from None


@dataclass(frozen=True)
class ListOptions:
    """The parameters of a list or watch."""

    watch: bool
    labels: LabelSelector
    fields: FieldSelector
    version: str
    match: str
    limit: int
    token: str
    timeout: int | None
    bookmarks: bool
    initial_events: bool


def list_options(request: web.Request, resource: Resource, name: str) -> ListOptions:
    """Return a list's or watch's parameters; raises 400 for what cannot be read."""
    query = request.query
    fields = parse_fields(query.get("fieldSelector", ""), resource)
    if name:
        fields = (*fields, ("metadata.name", True, name))
    match = query.get("resourceVersionMatch", "")
    version = query.get("resourceVersion", "")
    if version and not version.isdigit():
        raise bad_request(
            f'invalid resource version "{version}": strconv.ParseUint: parsing "{version}": invalid syntax'
        )
    watch = _flag(query, "watch")
    initial = _flag(query, "sendInitialEvents")
    if match and not version and not (watch and initial):
        raise invalid(
            "ListOptions",
            "meta.k8s.io",
            "",
            [
                FieldError(
                    "FieldValueForbidden",
                    "resourceVersionMatch",
                    "Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided",
                )
            ],
        )
    return ListOptions(
        watch=watch,
        labels=parse_labels(query.get("labelSelector", "")),
        fields=fields,
        version=version,
        match=match,
        limit=_whole(query, "limit") or 0,
        token=query.get("continue", ""),
        timeout=_whole(query, "timeoutSeconds"),
        bookmarks=_flag(query, "allowWatchBookmarks"),
        initial_events=initial,
    )


def write_options(request: web.Request) -> Write:
    """Return how a write is wanted; raises 400 or 422 for an option with a value that does not exist."""
    query = request.query
    dry_run = query.getall("dryRun", [])
    _check_dry_run(dry_run, "CreateOptions")
    validation = query.get("fieldValidation", "Warn")
    if validation not in ("Strict", "Warn", "Ignore"):
        known = '"", "Ignore", "Strict", "Warn"'
        raise bad_request(f'fieldValidation: Unsupported value: "{validation}": supported values: {known}')
    agent = request.headers.get("User-Agent", "unknown").partition("/")[0]
    return Write(
        dry_run=bool(dry_run),
        manager=query.get("fieldManager", "") or agent or "unknown",
        validation=validation,
        force=_flag(query, "force"),
    )


def _check_dry_run(values: list[str], kind: str) -> None:
    for value in values:
        if value != "All":
            error = FieldError(
                "FieldValueNotSupported", "dryRun", f'Unsupported value: "{value}": supported values: "All"'
            )
            raise invalid(kind, "meta.k8s.io", "", [error])


async def delete_options(request: web.Request) -> Deletion:
    """Return a delete's options, from its body or else its parameters."""
    body = await read_body(request, _READABLE) if request.can_read_body else None
    if body is not None and not isinstance(body, dict):
        raise bad_request("the body of a delete must be DeleteOptions")
    query = request.query
    options: dict[str, Any] = body or {
        "gracePeriodSeconds": _whole(query, "gracePeriodSeconds"),
        "propagationPolicy": query.get("propagationPolicy"),
        "orphanDependents": _flag(query, "orphanDependents") if "orphanDependents" in query else None,
        "dryRun": query.getall("dryRun", []),
    }
    dry_run = options.get("dryRun") or []
    _check_dry_run(dry_run, "DeleteOptions")
    propagation = options.get("propagationPolicy")
    if propagation is None and options.get("orphanDependents") is not None:
        propagation = "Orphan" if options["orphanDependents"] else "Background"
    if propagation not in (None, "Foreground", "Background", "Orphan"):
        why = 'DeletionPropagation need to be one of "Foreground", "Background", "Orphan" or nil'
        text = f'Invalid value: "{propagation}": {why}'
        error = FieldError("FieldValueInvalid", "propagationPolicy", text)
        raise invalid("DeleteOptions", "meta.k8s.io", "", [error])
    grace = options.get("gracePeriodSeconds")
    if grace is not None and (not isinstance(grace, int) or isinstance(grace, bool)):
        raise bad_request(
            "json: cannot unmarshal into Go struct field DeleteOptions.gracePeriodSeconds of type int64"
        )
    preconditions = options.get("preconditions") or {}
    return Deletion(
        grace=grace,
        propagation=propagation,
        uid=preconditions.get("uid"),
        version=preconditions.get("resourceVersion"),
        dry_run=bool(dry_run) or bool(query.getall("dryRun", [])),
    )


async def read_body(request: web.Request, accepted: tuple[str, ...] = _READABLE) -> Any:
    """Return a request's body as data; raises 400 for a malformed one, 415 for a form that is not read."""
    kind = request.content_type
    if not request.headers.get("Content-Type"):
        kind = "application/json"
    if kind not in accepted:
        raise unsupported_media(accepted)
    data = await request.read()
    if not data:
        raise bad_request("the request has no body")
    try:
        if kind == wire.MEDIA_TYPE:
            return wire.decode(data)
        if kind.endswith("yaml"):
            return yaml.safe_load(data)
        return json.loads(data)
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        what = str(error).splitlines()[0]
        raise bad_request(
            f"the object provided is unrecognized (must be of type JSON or YAML): {what}"
        ) from None


def patch_kind(request: web.Request) -> str:
    """Return the media type of a patch; raises the 415 of a type that is none."""
    kind = request.content_type
    if kind not in PATCHES:
        raise unsupported_media(PATCHES)
    return kind


@dataclass(frozen=True)
class Form:
    """The form in which a client wants its answer: plain objects, a Table, or metadata alone."""

    shape: str = ""
    version: str = "v1"


_FORMS: Final = ("Table", "PartialObjectMetadata", "PartialObjectMetadataList")


def wanted_form(request: web.Request) -> Form:
    """Return the first form in Accept that the server has; raises 406 if there is none."""
    accept = request.headers.get("Accept", "") or "*/*"
    for choice in accept.split(","):
        kind, *pairs = [part.strip() for part in choice.split(";")]
        if kind not in ("application/json", "*/*", "application/*"):
            continue
        parameters = dict(pair.split("=", 1) for pair in pairs if "=" in pair)
        shape = parameters.get("as", "")
        if not shape:
            return Form()
        if shape in _FORMS and parameters.get("g") == "meta.k8s.io":
            return Form(shape, parameters.get("v", "v1"))
    raise not_acceptable(("application/json",))
