"""A picture of a host and its cluster, to be compared with a later one: what is there, and what it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lab.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lab.cluster import Cluster
    from lab.deadline import Deadline
    from lab.host import Host

# Enough for 100,000 files.
LIST_LIMIT = 32 << 20

# Kinds whose objects last. An object that controllers change all the time, such as a Lease, tells nothing.
KINDS = {
    "CcRuntime": "confidentialcontainers.org/v1beta1",
    "ClusterRole": "rbac.authorization.k8s.io/v1",
    "ClusterRoleBinding": "rbac.authorization.k8s.io/v1",
    "ConfigMap": "v1",
    "CustomResourceDefinition": "apiextensions.k8s.io/v1",
    "DaemonSet": "apps/v1",
    "Deployment": "apps/v1",
    "Namespace": "v1",
    "Node": "v1",
    "Pod": "v1",
    "Role": "rbac.authorization.k8s.io/v1",
    "RoleBinding": "rbac.authorization.k8s.io/v1",
    "RuntimeClass": "node.k8s.io/v1",
    "Service": "v1",
    "ServiceAccount": "v1",
}


@dataclass(frozen=True)
class Picture:
    """Files by their path, objects and labels of nodes by `Kind [NAMESPACE/]NAME`, each with what it is."""

    files: dict[str, str]
    objects: dict[str, str]
    labels: dict[str, str]

    @property
    def everything(self) -> dict[str, str]:
        """All of it, in one table."""
        return {**self.files, **self.objects, **self.labels}


def take(host: Host, cluster: Cluster, folders: Iterable[str], deadline: Deadline) -> Picture:
    """Take a picture: the host's files in `folders`, and the cluster's lasting objects."""
    objects, labels = {}, {}
    for kind, version in KINDS.items():
        for item in cluster.list(kind, api_version=version):
            if _comes_and_goes(kind, item):
                continue
            objects[title(kind, item)] = _described(item)
            if kind == "Node":
                name = item["metadata"]["name"]
                for key, value in (item["metadata"].get("labels") or {}).items():
                    labels[f"label {key} of Node {name}"] = value or "(empty)"
    return Picture(_files(host, list(folders), deadline), objects, labels)


def title(kind: str, item: Mapping[str, Any]) -> str:
    """What an object is called in a picture."""
    metadata = item["metadata"]
    folder = f"{metadata['namespace']}/" if metadata.get("namespace") else ""
    return f"{kind} {folder}{metadata['name']}"


def differences(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """What is other in the second table than in the first, one line each."""
    told = [f"{name} is gone" for name in before if name not in after]
    told += [f"{name} is new" for name in after if name not in before]
    changed = (name for name in before if after.get(name, before[name]) != before[name])
    told += [f"{name} was {before[name]} and is {after[name]}" for name in changed]
    return sorted(told)


def _comes_and_goes(kind: str, item: dict[str, Any]) -> bool:
    """Whether an object is a pod that ends by itself, such as a Job's."""
    if kind != "Pod":
        return False
    owners = item["metadata"].get("ownerReferences") or []
    ended = (item.get("status") or {}).get("phase") in {"Succeeded", "Failed"}
    return ended or any(owner.get("kind") == "Job" for owner in owners)


def _described(item: dict[str, Any]) -> str:
    """An object's identity and the generation of what it asks for; its status is not it."""
    metadata = item["metadata"]
    generation = f", generation {metadata['generation']}" if "generation" in metadata else ""
    return f"uid {metadata['uid']}{generation}"


def _files(host: Host, folders: list[str], deadline: Deadline) -> dict[str, str]:
    """What lies in folders of the host; a folder that is not there has nothing in it."""
    names = " ".join("%s" for _ in folders)
    found = _listed(
        host, f"find {names} -printf '%%p\\t%%y %%m %%u:%%g %%l\\0' 2>/dev/null", folders, deadline
    )
    files = dict(line.rstrip(" ").split("\t", 1) for line in found)
    if not files:
        raise LabError(f"the host tells of no file in {', '.join(folders)}")
    summed = f"find {names} -type f -print0 2>/dev/null | xargs --null --no-run-if-empty sha256sum --zero"
    for line in _listed(host, summed, folders, deadline):
        checksum, _, path = line.partition("  ")
        if path in files:
            files[path] += f" SHA-256 {checksum}"
    return files


def _listed(host: Host, command: str, folders: list[str], deadline: Deadline) -> list[str]:
    # A folder that is missing, or a file that goes meanwhile, gives an exit code and no line.
    said = host.run(
        command, *folders, deadline=deadline, check=False, reads=True, quiet=True, output_limit=LIST_LIMIT
    )
    return [line.decode(errors="replace") for line in said.stdout_bytes.split(b"\0") if line]
