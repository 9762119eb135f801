"""Whether a pod may run on a node, and if not, in which words the scheduler says so.

Texts and order: Kubernetes v1.24, `pkg/scheduler/framework/plugins` (nodeunschedulable, tainttoleration,
nodeaffinity, noderesources) and `pkg/scheduler/framework/types.go`.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

from simlab.kube.objects import Obj, dig, items, mapping, name_of

_UNSCHEDULABLE: Final = "node.kubernetes.io/unschedulable"
_AFFINITY: Final = "node(s) didn't match Pod's node affinity/selector"
_SUFFIXES: Final = {
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "": Decimal(1),
    "k": Decimal(10**3),
    "M": Decimal(10**6),
    "G": Decimal(10**9),
    "T": Decimal(10**12),
    "P": Decimal(10**15),
    "E": Decimal(10**18),
    **{f"{letter}i": Decimal(1024**power) for power, letter in enumerate("KMGTPE", start=1)},
}
_QUANTITY: Final = re.compile(r"([+-]?[0-9.]+(?:[eE][+-]?\d+)?)([numkKMGTPE]?i?)")


def amount(quantity: str) -> Decimal:
    """Return a resource quantity as a number; raises ValueError for text that is none."""
    found = _QUANTITY.fullmatch(quantity)
    if found is None or found[2] not in _SUFFIXES:
        raise ValueError(f"{quantity!r} is not a quantity")
    return Decimal(found[1]) * _SUFFIXES[found[2]]


def tolerates(tolerations: list[Obj], taint: Obj) -> bool:
    """Say whether one of the tolerations is for a taint."""
    for toleration in tolerations:
        if toleration.get("effect") and toleration["effect"] != taint.get("effect"):
            continue
        if toleration.get("key") and toleration["key"] != taint.get("key"):
            continue
        if toleration.get("operator") == "Exists":
            return True
        if toleration.get("key") and (toleration.get("value") or "") == (taint.get("value") or ""):
            return True
    return False


def _expression(term: Obj, value: str | None) -> bool:
    """Say whether a value (None: there is none) meets one term of a node selector."""
    values = term.get("values") or []
    operator = term.get("operator")
    if operator in ("Gt", "Lt"):
        try:
            left, right = int(value or ""), int(values[0])
        except (ValueError, IndexError):
            return False
        return left > right if operator == "Gt" else left < right
    return {
        "In": value is not None and value in values,
        "NotIn": value not in values,
        "Exists": value is not None,
        "DoesNotExist": value is None,
    }.get(str(operator), False)


def _term_matches(term: Obj, node: Obj) -> bool:
    labels = mapping(node, "metadata", "labels")
    expressions, fields = items(term, "matchExpressions"), items(term, "matchFields")
    if not expressions and not fields:
        return False
    by_label = all(_expression(each, labels.get(each.get("key"))) for each in expressions)
    # metadata.name is the only field there is.
    return by_label and all(_expression(each, name_of(node)) for each in fields)


def matches_node(spec: Obj, node: Obj) -> bool:
    """Say whether a pod's node selector and required node affinity match a node."""
    labels = mapping(node, "metadata", "labels")
    if any(labels.get(key) != value for key, value in mapping(spec, "nodeSelector").items()):
        return False
    required = dig(spec, "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution")
    if not isinstance(required, dict):
        return True
    return any(_term_matches(term, node) for term in items(required, "nodeSelectorTerms"))


def untolerated(spec: Obj, node: Obj, effects: tuple[str, ...] = ("NoSchedule", "NoExecute")) -> Obj | None:
    """Return the first of a node's taints, of certain effects, that a pod does not tolerate."""
    tolerations = items(spec, "tolerations")
    for taint in items(node, "spec", "taints"):
        if taint.get("effect") in effects and not tolerates(tolerations, taint):
            return dict(taint)
    return None


def requests_of(spec: Obj) -> dict[str, Decimal]:
    """Return what a pod asks of a node.

    Its containers' sum, or its greatest init container, and its overhead.
    """
    total: dict[str, Decimal] = {}
    for container in items(spec, "containers"):
        for name, quantity in mapping(container, "resources", "requests").items():
            total[name] = total.get(name, Decimal(0)) + amount(quantity)
    for container in items(spec, "initContainers"):
        for name, quantity in mapping(container, "resources", "requests").items():
            total[name] = max(total.get(name, Decimal(0)), amount(quantity))
    for name, quantity in mapping(spec, "overhead").items():
        total[name] = total.get(name, Decimal(0)) + amount(quantity)
    return total


def used_on(pods: list[Obj]) -> dict[str, Decimal]:
    """Return what pods ask of their node together."""
    total: dict[str, Decimal] = {"pods": Decimal(len(pods))}
    for pod in pods:
        for name, quantity in requests_of(mapping(pod, "spec")).items():
            total[name] = total.get(name, Decimal(0)) + quantity
    return total


def obstacles(pod: Obj, node: Obj, used: dict[str, Decimal]) -> list[str]:
    """Return why a pod cannot go to a node, where `used` is asked for already; empty if it can."""
    spec = mapping(pod, "spec")
    cordon = {"key": _UNSCHEDULABLE, "effect": "NoSchedule"}
    if dig(node, "spec", "unschedulable") and not tolerates(items(spec, "tolerations"), cordon):
        return ["node(s) were unschedulable"]
    taint = untolerated(spec, node)
    if taint is not None:
        return [f"node(s) had untolerated taint {{{taint.get('key')}: {taint.get('value') or ''}}}"]
    if not matches_node(spec, node):
        return [_AFFINITY]
    found = []
    allocatable = mapping(node, "status", "allocatable")
    if used.get("pods", Decimal(0)) + 1 > amount(str(allocatable.get("pods", "110"))):
        found.append("Too many pods")
    for name, wanted in requests_of(spec).items():
        if wanted and wanted + used.get(name, Decimal(0)) > amount(str(allocatable.get(name, "0"))):
            found.append(f"Insufficient {name}")
    return found


def is_hopeless(reasons: list[str]) -> bool:
    """Say whether evicting other pods from the node could not help (as for everything but resources)."""
    return not all(reason == "Too many pods" or reason.startswith("Insufficient ") for reason in reasons)
