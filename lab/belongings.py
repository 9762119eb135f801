"""What of a host and its cluster is the operator's own, and what of others would go with it.

Sources: operator v0.3.0, config/, controllers/ccruntime_controller.go (the daemons, the nodes' labels, the
RuntimeClasses' owner) and install/pre-install-payload/scripts; kata-containers CC-0.3.0,
tools/packaging/kata-deploy-cc/scripts/kata-deploy.sh.
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from lab import containerd
from lab.debris import FOLDER
from lab.giving_back import RUN_LABEL
from lab.operator import CONTROLLER, DAEMONS, DEFINITION, NAMESPACE
from lab.picture import KINDS, differences, title
from lab.pod_health import owned_by

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lab.cluster import Cluster
    from lab.containerd import ContainerdConfiguration
    from lab.deadline import Deadline
    from lab.picture import Picture
    from lab.profile import Profile
    from lab.worker_nodes import WorkerNode

# The names of the release's objects that lie in no namespace begin so (config/default/kustomization.yaml).
PREFIX = "cc-operator-"
# Folders in which others have files beside the operator's.
SHARED = (posixpath.dirname(containerd.PATH), "/usr/local/bin", "/etc/systemd/system")


@dataclass(frozen=True)
class Remainder:
    """Files that an uninstallation left: `kept` should have been removed, `left` is only to be told."""

    kept: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)


class Belongings:
    """The operator's own, as the profile's release installs it."""

    def __init__(self, profile: Profile) -> None:
        self._release = profile.operator
        self._runtime_classes = profile.runtime_classes
        self.folders = (
            *SHARED,
            *self._release.installed_folders,
            posixpath.dirname(profile.certificate_chain),
            FOLDER,
        )

    def objects(self, cluster: Cluster) -> list[str]:
        """The operator's objects, each by its title in a picture."""
        return [
            title(kind, item)
            for kind, version in KINDS.items()
            for item in cluster.list(kind, api_version=version)
            if _is_operators(kind, item)
        ]

    def strangers(self, cluster: Cluster) -> list[str]:
        """Pods of others in the operator's namespace."""
        own = (CONTROLLER, *DAEMONS, *self._release.other_daemons)
        return [
            title("Pod", pod)
            for pod in cluster.list("Pod", NAMESPACE)
            if not any(owned_by(pod, name) for name in own)
        ]

    def labels_in(self, labels: Iterable[str]) -> list[str]:
        """The operator's among labels of nodes, by their titles in a picture."""
        return [label for label in labels if label.split(" ")[1] in self._release.node_labels]

    def wait_until_unlabelled(self, cluster: Cluster, nodes: list[WorkerNode], deadline: Deadline) -> None:
        """Watch nodes until they have none of the operator's labels. Raises DeadlineExceeded."""
        own = set(self._release.node_labels)

        def without(found: dict[str, Any] | None, _: list[dict[str, Any]]) -> bool | None:
            return True if found is None or not own & set(found["metadata"].get("labels") or {}) else None

        for node in nodes:
            what = f"{node.name} to be without the operator's labels"
            cluster.wait("Node", node.name, None, without, what, deadline)

    def is_installed(self, path: str) -> bool:
        """Whether installing puts a file or folder there."""
        return any(_is_in(path, folder) for folder in self._release.installed_folders) or any(
            fnmatchcase(path, pattern) for pattern in self._release.installed_files
        )

    def still_there(self, files: Mapping[str, str]) -> Remainder:
        """What is there of the installed files, with folders that stay empty."""
        remainder = Remainder()
        for path in files:
            if not self.is_installed(path):
                continue
            removed = any(fnmatchcase(path, pattern) for pattern in self._release.removed_files)
            (remainder.kept if removed else remainder.left).append(path)
        return remainder

    def handlers(self, runtimes: Iterable[str]) -> list[str]:
        """The operator's among containerd's runtimes."""
        return [name for name in runtimes if name in self._runtime_classes]

    def harmed(self, before: Picture, after: Picture, mine: list[str]) -> list[str]:
        """What was others' before and is gone or changed; what others added meanwhile is theirs."""
        own = {*mine, *self.labels_in(before.labels), *self.labels_in(after.labels)}
        theirs = {
            name: what
            for name, what in before.everything.items()
            if name not in own
            and not self.is_installed(name)
            and not _is_in(name, FOLDER)
            and name != containerd.PATH
            and not _is_folder(what)
        }
        now = {name: what for name, what in after.everything.items() if name in theirs}
        return differences(theirs, now)


def lost_settings(
    before: ContainerdConfiguration | None, after: ContainerdConfiguration | None, belongings: Belongings
) -> list[str]:
    """What containerd was told before, beside the operator's runtimes, and is not any more."""
    if before is None:
        return []
    now = after.settings if after else {}
    runtimes = {*before.runtimes, *(after.runtimes if after else ())}
    own = tuple(f".runtimes.{name}." for name in belongings.handlers(runtimes))
    return [
        f"{key} was {value!r} and is {now.get(key)!r}" if key in now else f"{key} = {value!r}"
        for key, value in before.settings.items()
        if now.get(key) != value and not any(part in f"{key}." for part in own)
    ]


def users_of_runtime_classes(cluster: Cluster) -> list[str]:
    """Pods of others that run with one of the operator's RuntimeClasses."""
    classes = {
        item["metadata"]["name"]
        for item in cluster.list("RuntimeClass")
        if _is_operators("RuntimeClass", item)
    }
    return [
        title("Pod", pod)
        for pod in cluster.list("Pod")
        if pod["spec"].get("runtimeClassName") in classes
        and (pod.get("status") or {}).get("phase") not in {"Succeeded", "Failed"}
        and RUN_LABEL not in (pod["metadata"].get("labels") or {})
    ]


def _is_operators(kind: str, item: dict[str, Any]) -> bool:
    metadata = item["metadata"]
    name = str(metadata["name"])
    if NAMESPACE in (metadata.get("namespace"), name if kind == "Namespace" else None):
        return True
    if kind == "RuntimeClass":
        # One that was there before the operator keeps its owner: the operator makes only those that miss.
        return any(owner["kind"] == "CcRuntime" for owner in metadata.get("ownerReferences") or [])
    if kind in {"ClusterRole", "ClusterRoleBinding"}:
        return name.startswith(PREFIX)
    return kind == "CcRuntime" or (kind == "CustomResourceDefinition" and name == DEFINITION)


def _is_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")


def _is_folder(what: str) -> bool:
    return what.startswith("d ")
