"""The shapes of the built-in kinds: which fields they have, of which type, and how their lists merge.

Fields, types and descriptions are read from the definitions that the `kubernetes` Python client ships (as
text: importing its models costs more than a second). They are those of a newer Kubernetes than the simulated
one, so a field that 1.24 lacks is accepted. How lists merge is not in those definitions: the tables here
follow the struct tags of Kubernetes api v0.24 (`core/v1/types.go`, `apps/v1/types.go`,
`apimachinery/pkg/apis/meta/v1/types.go`).
"""

from __future__ import annotations

import ast
import importlib.util
import json
import re
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Final

_META: Final = "V1ObjectMeta"


@dataclass(frozen=True)
class FieldType:
    """The type of a field: a list (`list`) or mapping (`map`) of `item`, or `item` by itself (`one`).

    `item` is a model's name, or one of str, int, bool, float, bytes (base64), datetime, object (anything),
    quantity.
    """

    shape: str
    item: str

    @property
    def model(self) -> str | None:
        """The model that the field holds, itself or as items."""
        return self.item if self.item[0].isupper() else None


@dataclass(frozen=True)
class FieldSpec:
    """One field of a model."""

    name: str
    type: FieldType
    required: bool
    description: str


@dataclass(frozen=True)
class Model:
    """One kind, or one structure inside a kind."""

    name: str
    description: str
    fields: dict[str, FieldSpec]


@dataclass(frozen=True)
class Merge:
    """How a list merges: its items' key in a strategic merge patch, and their keys in server-side apply.

    An empty `patch_key` with `patch` true is a merged list of plain values. No `apply_keys` and not
    `apply_set` means that server-side apply treats the list as one value.
    """

    patch: bool = False
    patch_key: str = ""
    retain_keys: bool = False
    apply_keys: tuple[str, ...] = ()
    apply_set: bool = False


_ATOMIC: Final = Merge()


def _keyed(key: str, *keys: str, retain_keys: bool = False) -> Merge:
    return Merge(patch=True, patch_key=key, retain_keys=retain_keys, apply_keys=keys or (key,))


_CONDITIONS: Final = _keyed("type")
_CONTAINER: Final = {
    "ports": _keyed("containerPort", "containerPort", "protocol"),
    "env": _keyed("name"),
    "volumeMounts": _keyed("mountPath"),
    "volumeDevices": _keyed("devicePath"),
}
_MERGES: Final[dict[str, dict[str, Merge]]] = {
    _META: {
        "finalizers": Merge(patch=True, apply_set=True),
        "ownerReferences": _keyed("uid"),
    },
    "V1Container": _CONTAINER,
    "V1EphemeralContainer": _CONTAINER,
    "V1PodSpec": {
        "volumes": _keyed("name", retain_keys=True),
        "initContainers": _keyed("name"),
        "containers": _keyed("name"),
        "ephemeralContainers": _keyed("name"),
        "imagePullSecrets": _keyed("name"),
        "hostAliases": _keyed("ip"),
        "topologySpreadConstraints": _keyed("topologyKey", "topologyKey", "whenUnsatisfiable"),
    },
    "V1PodStatus": {"podIPs": _keyed("ip")},
    "V1ServiceSpec": {"ports": _keyed("port", "port", "protocol")},
    "V1ServiceAccount": {
        "secrets": _keyed("name"),
        "imagePullSecrets": Merge(),
    },
    "V1NodeSpec": {"podCIDRs": Merge(patch=True, apply_set=True)},
    "V1NodeStatus": {"addresses": _keyed("type")},
}
# An atomic mapping or structure is one value to server-side apply.
_ATOMIC_FIELDS: Final = {
    ("V1PodSpec", "nodeSelector"),
    ("V1ServiceSpec", "selector"),
    ("V1ReplicationControllerSpec", "selector"),
}
_ATOMIC_MODELS: Final = {
    "V1LabelSelector",
    "V1LocalObjectReference",
    "V1ObjectReference",
    "V1ObjectFieldSelector",
    "V1ResourceFieldSelector",
    "V1ConfigMapKeySelector",
    "V1SecretKeySelector",
    "V1NodeSelector",
    "V1NodeSelectorTerm",
    "V1TypedLocalObjectReference",
    "V1OwnerReference",
}
_QUANTITIES: Final = {
    ("V1ResourceRequirements", "limits"),
    ("V1ResourceRequirements", "requests"),
    ("V1VolumeResourceRequirements", "limits"),
    ("V1VolumeResourceRequirements", "requests"),
    ("V1Overhead", "podFixed"),
    ("V1PodSpec", "overhead"),
    ("V1NodeStatus", "capacity"),
    ("V1NodeStatus", "allocatable"),
    ("V1ContainerStatus", "allocatedResources"),
    ("V1EmptyDirVolumeSource", "sizeLimit"),
    ("V1ResourceFieldSelector", "divisor"),
    ("V1PersistentVolumeSpec", "capacity"),
    ("V1PersistentVolumeClaimStatus", "capacity"),
    ("V1ResourceQuotaSpec", "hard"),
    ("V1ResourceQuotaStatus", "hard"),
    ("V1ResourceQuotaStatus", "used"),
    ("V1LimitRangeItem", "default"),
    ("V1LimitRangeItem", "defaultRequest"),
    ("V1LimitRangeItem", "max"),
    ("V1LimitRangeItem", "min"),
}


def merge_of(model: str | None, field: str) -> Merge:
    """Return how a model's list field merges."""
    if model is None:
        return _ATOMIC
    own = _MERGES.get(model, {}).get(field)
    if own is not None:
        return own
    if field == "conditions" and model.endswith("Status"):
        return _CONDITIONS
    return _ATOMIC


def is_atomic(model: str | None, field: str) -> bool:
    """Say whether server-side apply treats a model's mapping or structure field as one value."""
    if model is None:
        return False
    if (model, field) in _ATOMIC_FIELDS:
        return True
    spec = fields_of(model).get(field)
    return spec is not None and spec.type.shape == "one" and spec.type.item in _ATOMIC_MODELS


@lru_cache(maxsize=1)
def _models_folder() -> Path:
    spec = importlib.util.find_spec("kubernetes")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError(
            "the kubernetes Python client, which brings the API's definitions, is not installed"
        )
    return Path(next(iter(spec.submodule_search_locations))) / "client" / "models"


def _file_name(model: str) -> str:
    """Return the client's file name for a model (its generator puts underscores at the case's humps)."""
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", model)
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name).lower()


_BLOCK: Final = r"^    {name}: ClassVar\[Dict\[str, str\]\] = (\{{.*?^    \}})"
_TYPES: Final = re.compile(_BLOCK.format(name="openapi_types"), re.DOTALL | re.MULTILINE)
_NAMES: Final = re.compile(_BLOCK.format(name="attribute_map"), re.DOTALL | re.MULTILINE)
_ABOUT: Final = re.compile(
    r'^class \w+\(BaseModel\):\n    """\n\s*(.*?)\n\n    Attributes:', re.DOTALL | re.MULTILINE
)
_MEMBER: Final = r"^    {name}: (?P<optional>Optional\[|Any\b)?.*$"
_DESCRIPTION: Final = re.compile(r'description=("(?:[^"\\]|\\.)*")')


@cache
def model(name: str) -> Model:
    """Return a model by its name; raises KeyError if there is none."""
    path = _models_folder() / f"{_file_name(name)}.py"
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise KeyError(name) from None
    types, names, about = _TYPES.search(text), _NAMES.search(text), _ABOUT.search(text)
    if types is None or names is None:
        raise KeyError(name)
    attribute_types: dict[str, str] = json.loads(types[1])
    fields: dict[str, FieldSpec] = {}
    for attribute, key in json.loads(names[1]).items():
        member = re.search(_MEMBER.format(name=re.escape(attribute)), text, re.MULTILINE)
        line = member[0] if member else ""
        described = _DESCRIPTION.search(line)
        fields[key] = FieldSpec(
            name=key,
            type=_type(name, key, attribute_types[attribute]),
            required=member is not None and member["optional"] is None,
            description=str(ast.literal_eval(described[1])) if described else "",
        )
    return Model(name, about[1] if about else "", fields)


def _type(owner: str, key: str, text: str) -> FieldType:
    shape = "one"
    if listed := re.fullmatch(r"List\[(.*)\]", text):
        shape, text = "list", listed[1]
    elif mapped := re.fullmatch(r"Dict\[str, (.*)\]", text):
        shape, text = "map", mapped[1]
    if (owner, key) in _QUANTITIES:
        text = "quantity"
    if not re.fullmatch(r"\w+", text):
        text = "object"
    return FieldType(shape, text)


def fields_of(name: str | None) -> dict[str, FieldSpec]:
    """Return a model's fields; none for a name that is no model (a custom resource's)."""
    if name is None:
        return {}
    try:
        return model(name).fields
    except KeyError:
        return {}


def item_model(owner: str | None, field: str) -> str | None:
    """Return the model of a field's value, or of its items."""
    spec = fields_of(owner).get(field)
    if spec is None:
        # Every object has metadata, a custom resource too.
        return _META if field == "metadata" and owner is None else None
    return spec.type.model
