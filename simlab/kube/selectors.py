"""Label and field selectors.

Syntax and error texts: Kubernetes apimachinery v0.24, `pkg/labels/selector.go` and `pkg/fields/selector.go`;
which fields can be selected by: `pkg/apis/core/v1/conversion.go`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from simlab.kube.errors import ApiError, bad_request
from simlab.kube.objects import Obj, dig, mapping

if TYPE_CHECKING:
    from collections.abc import Callable

    from simlab.kube.resources import Resource

_KEY: Final = r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?(/[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?"
_SET: Final = re.compile(rf"(?P<key>{_KEY})\s+(?P<op>in|notin)\s*\((?P<values>[^()]*)\)")
_NUMBER: Final = re.compile(rf"(?P<key>{_KEY})\s*(?P<op>[<>])\s*(?P<value>-?\d+)")
_EQUAL: Final = re.compile(rf"(?P<key>{_KEY})\s*(?P<op>==|=|!=)\s*(?P<value>[-A-Za-z0-9_.]*)")
_EXISTS: Final = re.compile(rf"(?P<not>!?)\s*(?P<key>{_KEY})")


@dataclass(frozen=True)
class Requirement:
    """One term of a label selector."""

    key: str
    operator: str
    values: frozenset[str] = frozenset()

    def matches(self, labels: dict[str, str]) -> bool:
        """Say whether labels meet this term."""
        present = self.key in labels
        value = labels.get(self.key, "")
        match self.operator:
            case "in":
                return present and value in self.values
            case "notin":
                return not present or value not in self.values
            case "exists":
                return present
            case "!":
                return not present
        try:
            left, right = int(value), int(next(iter(self.values)))
        except ValueError:
            return False
        return present and (left > right if self.operator == ">" else left < right)


LabelSelector = tuple[Requirement, ...]


def parse_labels(text: str) -> LabelSelector:
    """Return a label selector's terms; raises a 400 if it cannot be read."""
    found: list[Requirement] = []
    rest = text.strip()
    while rest:
        requirement, length = _next_term(rest, text)
        found.append(requirement)
        rest = rest[length:].lstrip()
        if not rest:
            break
        if not rest.startswith(","):
            raise _unreadable(text, f"found '{rest.split()[0]}', expected: ',' or 'end of string'")
        rest = rest[1:].lstrip()
        if not rest:
            raise _unreadable(text, "found '', expected: identifier after ','")
    return tuple(found)


def _next_term(rest: str, whole: str) -> tuple[Requirement, int]:
    if term := _SET.match(rest):
        values = frozenset(value.strip() for value in term["values"].split(","))
        return Requirement(term["key"], term["op"], values), term.end()
    if term := _NUMBER.match(rest):
        return Requirement(term["key"], term["op"], frozenset({term["value"]})), term.end()
    if term := _EQUAL.match(rest):
        operator = "notin" if term["op"] == "!=" else "in"
        return Requirement(term["key"], operator, frozenset({term["value"]})), term.end()
    if term := _EXISTS.match(rest):
        return Requirement(term["key"], "!" if term["not"] else "exists"), term.end()
    raise _unreadable(whole, f"found '{rest[:1]}', expected: !, identifier, or 'end of string'")


def _unreadable(text: str, why: str) -> ApiError:
    return bad_request(f'unable to parse requirement: {why} (in "{text}")')


def matches_labels(selector: LabelSelector, obj: Obj) -> bool:
    """Say whether an object's labels meet a selector."""
    labels = mapping(obj, "metadata", "labels")
    return all(requirement.matches(labels) for requirement in selector)


def from_object(selector: Obj | None) -> LabelSelector | None:
    """Return the terms of a LabelSelector object, or None for no selector."""
    if selector is None:
        return None
    found = [
        Requirement(key, "in", frozenset({str(value)}))
        for key, value in (selector.get("matchLabels") or {}).items()
    ]
    words = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "!"}
    found.extend(
        Requirement(term["key"], words[term["operator"]], frozenset(term.get("values") or ()))
        for term in selector.get("matchExpressions") or []
    )
    return tuple(found)


FieldTerm = tuple[str, bool, str]
FieldSelector = tuple[FieldTerm, ...]

_COMMON: Final = ("metadata.name", "metadata.namespace")
_FIELDS: Final[dict[str, tuple[str, ...]]] = {
    "Pod": (
        "spec.nodeName",
        "spec.restartPolicy",
        "spec.schedulerName",
        "spec.serviceAccountName",
        "status.phase",
        "status.podIP",
        "status.nominatedNodeName",
    ),
    "Node": ("spec.unschedulable",),
    "Namespace": ("status.phase",),
    "Secret": ("type",),
    "ReplicationController": ("status.replicas",),
    "ReplicaSet": ("status.replicas",),
    "Job": ("status.successful",),
}
_INVOLVED: Final = ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
_EVENT_FIELDS: Final[dict[str, tuple[str, ...]]] = {
    "": (
        *(f"involvedObject.{key}" for key in _INVOLVED),
        "reason",
        "reportingComponent",
        "source",
        "type",
    ),
    "events.k8s.io": (
        *(f"regarding.{key}" for key in _INVOLVED),
        "reason",
        "reportingController",
        "type",
    ),
}


def parse_fields(text: str, resource: Resource) -> FieldSelector:
    """Return a field selector's terms.

    Raises a 400 if it cannot be read or names a field that has no index.
    """
    allowed = _EVENT_FIELDS[resource.group] if resource.kind == "Event" else _FIELDS.get(resource.kind, ())
    found: list[FieldTerm] = []
    for term in re.split(r"(?<!\\),", text):
        if not term:
            continue
        pair = re.fullmatch(r"([^=!]+)(==|=|!=)(.*)", term)
        if pair is None:
            raise bad_request(f"invalid field selector: {text}; can't understand '{term}'")
        if pair[1] not in _COMMON and pair[1] not in allowed:
            if resource.model is None or not allowed:
                raise bad_request(f"field label not supported: {pair[1]}")
            raise bad_request(
                f'"{pair[1]}" is not a known field selector: only "metadata.name", "metadata.namespace"'
            )
        value = re.sub(r"\\([\\,=])", r"\1", pair[3])
        found.append((pair[1], pair[2] != "!=", value))
    return tuple(found)


_DERIVED: Final[dict[str, Callable[[Obj], object]]] = {
    "source": lambda event: dig(event, "source", "component") or event.get("reportingComponent"),
    "spec.unschedulable": lambda node: "true" if dig(node, "spec", "unschedulable") else "false",
    "status.successful": lambda job: dig(job, "status", "succeeded") or 0,
    "status.replicas": lambda owner: dig(owner, "status", "replicas") or 0,
}


def matches_fields(selector: FieldSelector, obj: Obj) -> bool:
    """Say whether an object's fields meet a selector."""
    for path, equal, wanted in selector:
        derive = _DERIVED.get(path)
        value = derive(obj) if derive else dig(obj, *path.split("."))
        if (str(value if value is not None else "") == wanted) is not equal:
            return False
    return True
