"""Which resources the server has: one table, to which CustomResourceDefinitions add rows at run time.

Groups, kinds, short names and subresources as a 1.24 kube-apiserver lists them at `/api/v1` and
`/apis/GROUP/VERSION`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

READ_WRITE: Final = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True)
class Resource:
    """One kind of object at one group and version.

    `model` names its definition in the API's schema (None: a custom resource, which brings its own). `store`
    is where its objects live: two rows with the same `store` are two views of the same objects.
    """

    group: str
    version: str
    kind: str
    plural: str
    singular: str
    namespaced: bool = True
    model: str | None = None
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subresources: tuple[str, ...] = ()
    generation: bool = False
    unconditional_update: bool = True
    create_on_update: bool = False
    returns_deleted: bool = False
    keeps_status: bool = False
    verbs: tuple[str, ...] = READ_WRITE
    custom: dict[str, Any] | None = None

    @property
    def api_version(self) -> str:
        """The `apiVersion` that its objects carry."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def list_kind(self) -> str:
        """The kind of a list of its objects."""
        if self.custom is not None:
            return str(self.custom["names"].get("listKind") or f"{self.kind}List")
        return f"{self.kind}List"

    @property
    def store(self) -> str:
        """The name of the store's table that holds its objects."""
        return "events" if self.plural == "events" else f"{self.plural}.{self.group}"

    @property
    def qualified(self) -> str:
        """The resource's name with its group, as messages show it."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def __hash__(self) -> int:
        return hash((self.group, self.version, self.plural))


def _core(kind: str, plural: str, **more: Any) -> Resource:
    return Resource("", "v1", kind, plural, kind.lower(), model=more.pop("model", f"V1{kind}"), **more)


def _in(group: str, kind: str, plural: str, **more: Any) -> Resource:
    return Resource(group, "v1", kind, plural, kind.lower(), model=more.pop("model", f"V1{kind}"), **more)


_RBAC: Final = "rbac.authorization.k8s.io"
_REVIEW: Final = ("create",)

BUILT_IN: Final = (
    _core(
        "Pod",
        "pods",
        short_names=("po",),
        categories=("all",),
        subresources=("status", "binding", "eviction", "log", "exec", "attach", "portforward"),
        returns_deleted=True,
    ),
    _core(
        "Node", "nodes", namespaced=False, short_names=("no",), subresources=("status",), keeps_status=True
    ),
    _core(
        "Namespace",
        "namespaces",
        namespaced=False,
        short_names=("ns",),
        subresources=("status", "finalize"),
        verbs=("create", "delete", "get", "list", "patch", "update", "watch"),
        returns_deleted=True,
    ),
    _core("Event", "events", short_names=("ev",), model="CoreV1Event", create_on_update=True),
    _core("ConfigMap", "configmaps", short_names=("cm",)),
    _core("Secret", "secrets"),
    _core(
        "Service",
        "services",
        short_names=("svc",),
        categories=("all",),
        subresources=("status",),
        returns_deleted=True,
    ),
    _core(
        "ServiceAccount",
        "serviceaccounts",
        short_names=("sa",),
        returns_deleted=True,
    ),
    _core("Endpoints", "endpoints", short_names=("ep",), create_on_update=True),
    _core(
        "PersistentVolume",
        "persistentvolumes",
        namespaced=False,
        short_names=("pv",),
        subresources=("status",),
        returns_deleted=True,
    ),
    _core(
        "PersistentVolumeClaim",
        "persistentvolumeclaims",
        short_names=("pvc",),
        subresources=("status",),
        returns_deleted=True,
    ),
    _core("LimitRange", "limitranges", short_names=("limits",)),
    _core("ResourceQuota", "resourcequotas", short_names=("quota",), subresources=("status",)),
    _core(
        "ReplicationController",
        "replicationcontrollers",
        short_names=("rc",),
        categories=("all",),
        subresources=("status",),
        generation=True,
    ),
    _in(
        "events.k8s.io",
        "Event",
        "events",
        short_names=("ev",),
        model="EventsV1Event",
        create_on_update=True,
    ),
    _in(
        "apps",
        "Deployment",
        "deployments",
        short_names=("deploy",),
        categories=("all",),
        subresources=("status", "scale"),
        generation=True,
    ),
    _in(
        "apps",
        "DaemonSet",
        "daemonsets",
        short_names=("ds",),
        categories=("all",),
        subresources=("status",),
        generation=True,
    ),
    _in(
        "apps",
        "ReplicaSet",
        "replicasets",
        short_names=("rs",),
        categories=("all",),
        subresources=("status", "scale"),
        generation=True,
    ),
    _in(
        "apps",
        "StatefulSet",
        "statefulsets",
        short_names=("sts",),
        categories=("all",),
        subresources=("status", "scale"),
        generation=True,
    ),
    _in("apps", "ControllerRevision", "controllerrevisions"),
    _in("batch", "Job", "jobs", categories=("all",), subresources=("status",), generation=True),
    _in(
        "batch",
        "CronJob",
        "cronjobs",
        short_names=("cj",),
        categories=("all",),
        subresources=("status",),
        generation=True,
    ),
    _in("node.k8s.io", "RuntimeClass", "runtimeclasses", namespaced=False),
    _in(
        "coordination.k8s.io",
        "Lease",
        "leases",
        unconditional_update=False,
        create_on_update=True,
    ),
    _in("scheduling.k8s.io", "PriorityClass", "priorityclasses", namespaced=False, short_names=("pc",)),
    _in("storage.k8s.io", "StorageClass", "storageclasses", namespaced=False, short_names=("sc",)),
    _in(
        "policy",
        "PodDisruptionBudget",
        "poddisruptionbudgets",
        short_names=("pdb",),
        subresources=("status",),
        generation=True,
    ),
    _in(_RBAC, "Role", "roles"),
    _in(_RBAC, "RoleBinding", "rolebindings"),
    _in(_RBAC, "ClusterRole", "clusterroles", namespaced=False),
    _in(_RBAC, "ClusterRoleBinding", "clusterrolebindings", namespaced=False),
    _in(
        "apiextensions.k8s.io",
        "CustomResourceDefinition",
        "customresourcedefinitions",
        namespaced=False,
        short_names=("crd", "crds"),
        categories=("api-extensions",),
        subresources=("status",),
        generation=True,
    ),
    _in(
        "authorization.k8s.io",
        "SelfSubjectAccessReview",
        "selfsubjectaccessreviews",
        namespaced=False,
        verbs=_REVIEW,
    ),
    _in(
        "authorization.k8s.io",
        "SubjectAccessReview",
        "subjectaccessreviews",
        namespaced=False,
        verbs=_REVIEW,
    ),
    _in("authentication.k8s.io", "TokenReview", "tokenreviews", namespaced=False, verbs=_REVIEW),
)


class Registry:
    """The resources served now; `generation` rises with each change of them."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str, str], Resource] = {
            (row.group, row.version, row.plural): row for row in BUILT_IN
        }
        self.generation = 0

    def find(self, group: str, version: str, plural: str) -> Resource | None:
        """Return the resource at a path, or None if the server has none there."""
        return self._rows.get((group, version, plural))

    def of_kind(self, group: str, version: str, kind: str) -> Resource | None:
        """Return the resource whose objects are of a kind."""
        for row in self._rows.values():
            if (row.group, row.version, row.kind) == (group, version, kind):
                return row
        return None

    def all(self) -> list[Resource]:
        """Return every resource, in the order in which it was added."""
        return list(self._rows.values())

    def group_versions(self) -> dict[str, list[str]]:
        """Return the versions of each group; the core group is the empty string."""
        versions: dict[str, list[str]] = {}
        for row in self._rows.values():
            known = versions.setdefault(row.group, [])
            if row.version not in known:
                known.append(row.version)
        return versions

    def add_definition(self, definition: dict[str, Any]) -> None:
        """Serve what a CustomResourceDefinition defines, and no longer what it defined before."""
        self.remove_definition(definition)
        spec = definition["spec"]
        names = spec["names"]
        for version in spec.get("versions") or []:
            if not version.get("served"):
                continue
            subresources = version.get("subresources") or {}
            row = Resource(
                group=spec["group"],
                version=version["name"],
                kind=names["kind"],
                plural=names["plural"],
                singular=names.get("singular") or names["kind"].lower(),
                namespaced=spec.get("scope") == "Namespaced",
                short_names=tuple(names.get("shortNames") or ()),
                categories=tuple(names.get("categories") or ()),
                subresources=tuple(name for name in ("status", "scale") if name in subresources),
                generation=True,
                unconditional_update=False,
                custom={"names": names, "version": version},
            )
            self._rows[(row.group, row.version, row.plural)] = row
            self.generation += 1

    def remove_definition(self, definition: dict[str, Any]) -> None:
        """Stop serving what a CustomResourceDefinition defines."""
        group, plural = definition["spec"]["group"], definition["spec"]["names"]["plural"]
        for key, row in list(self._rows.items()):
            if row.custom is not None and row.group == group and row.plural == plural:
                del self._rows[key]
                self.generation += 1
