"""What the manager does for a CcRuntime, one pass at a time.

Source: operator v0.3.0 and v0.7.0, `controllers/ccruntime_controller.go`. The order of the steps, and what a
pass does not wait for, are that file's: so are its races.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from simlab.kube.client import ApiError
from simlab.operator import daemonsets, names
from simlab.operator.status import Status

if TYPE_CHECKING:
    from collections.abc import Callable

    from simlab.kube.client import Api

Object = dict[str, Any]

_NODES: Final = "/api/v1/nodes"
_RUNTIME_CLASSES: Final = "/apis/node.k8s.io/v1/runtimeclasses"
_NO_NODES: Final = (
    "no suitable worker nodes found for runtime installation."
    " Please make sure to label the nodes with labels specified in CcNodeSelector"
)
_SECONDS: Final = 10.0
_NOT_FOUND: Final = 404
_CONFLICT: Final = 409


class ReconcileError(Exception):
    """A pass cannot go on; it is tried again, later each time."""


@dataclass(frozen=True)
class Again:
    """The next pass is due in `seconds`; None for soon, and later each time."""

    seconds: float | None = None


class Reconciler:
    """Passes over CcRuntimes. Every method raises ApiError, ApiUnreachableError, ReconcileError."""

    def __init__(self, api: Api, namespace: str, worker: dict[str, str], say: Callable[[str], None]) -> None:
        """`worker` is the label by which nodes are selected for a CcRuntime that selects none itself."""
        self._api = api
        self._worker = worker
        self._say = say
        self._daemon_sets = f"/apis/apps/v1/namespaces/{namespace}/daemonsets"
        self._namespace = namespace

    async def reconcile(self, name: str) -> Again | None:
        """Do one pass for a CcRuntime; None when nothing is left to do before something changes."""
        self._say("Reconciling CcRuntime in Kubernetes Cluster")
        runtime = await self._find(f"{names.CC_RUNTIMES}/{name}")
        if runtime is None:
            return None
        if not runtime["spec"].get("ccNodeSelector"):
            runtime["spec"]["ccNodeSelector"] = {"matchLabels": dict(self._worker)}
        await self._ensure(daemonsets.installer(runtime, names.UNINSTALL, self._namespace))
        if runtime["metadata"].get("deletionTimestamp"):
            self._say("ccRuntime instance marked deleted")
            return await self._delete(runtime)
        return await self._install(runtime)

    async def _install(self, runtime: Object) -> Again | None:
        config = runtime["spec"]["config"]
        status = Status(runtime)
        status.total = len(await self._workers(runtime))
        if status.total == 0:
            raise ReconcileError(_NO_NODES)
        if not config.get("payloadImage"):
            raise ReconcileError("PayloadImage must be specified to download the runtime binaries")
        status.runtime_name = runtime["spec"]["runtimeName"]
        await self._write_status(runtime, status)
        if config.get("preInstall", {}).get("image"):
            again = await self._run_hook(runtime, names.PRE_INSTALL, names.PRE_INSTALL_DONE, status)
            if again:
                return again
        if not status.all_installed:
            await self._ensure(daemonsets.installer(runtime, names.INSTALL, self._namespace))
        return await self._monitor(runtime, status)

    async def _run_hook(
        self, runtime: Object, operation: str, done: dict[str, str], status: Status
    ) -> Again | None:
        """Have the hook's DaemonSet there; None once every node says that it is done."""
        if len(await self._nodes(done)) >= status.total:
            return None
        await self._ensure(daemonsets.hook(runtime, operation, self._namespace))
        return Again(_SECONDS)

    async def _monitor(self, runtime: Object, status: Status) -> Again | None:
        if status.all_installed:
            await self._make_runtime_classes(runtime, status)
            if names.FINALIZER not in runtime["metadata"].get("finalizers", ()):
                self._say("Adding Finalizer for the RuntimeConfig")
                runtime["metadata"].setdefault("finalizers", []).append(names.FINALIZER)
                await self._update(runtime)
            status.completed_count = len(status.completed)
        status.installed = []
        await self._write_status(runtime, status)
        for node in await self._workers(runtime):
            name = node["metadata"]["name"]
            if name not in status.completed and _has_one(node, runtime["spec"]["config"]["installDoneLabel"]):
                self._say(f"adding new node to completed list {name}")
                status.completed_count += 1
                status.completed.append(name)
                status.installed.append(name)
        await self._write_status(runtime, status)
        return None if status.completed_count == status.total else Again()

    async def _make_runtime_classes(self, runtime: Object, status: Status) -> None:
        wanted = runtime["spec"]["config"].get("runtimeClassNames") or ["kata-clh", "kata-qemu", "kata"]
        selector = runtime["spec"]["ccNodeSelector"]
        for name in wanted:
            if await self._find(f"{_RUNTIME_CLASSES}/{name}") is None:
                self._say(f"Creating a new RuntimeClass {name}")
                await self._api.create(
                    _RUNTIME_CLASSES, runtime_class(name, runtime, selector.get("matchLabels", {}))
                )
        status.runtime_class = ",".join(wanted)
        await self._write_status(runtime, status)

    async def _delete(self, runtime: Object) -> Again | None:
        if names.FINALIZER not in runtime["metadata"].get("finalizers", ()):
            return None
        config, status = runtime["spec"]["config"], Status(runtime)
        if len(await self._nodes(config["uninstallDoneLabel"])) != status.total:
            await self._ask_nodes_to_clean_up(config["installDoneLabel"])
            return Again(_SECONDS)
        if not config.get("postUninstall", {}).get("image"):
            await self._release(runtime)
            return None
        # The real manager forgets when it wanted to look again: a change of a node's labels reminds it.
        if await self._run_hook(runtime, names.POST_UNINSTALL, names.POST_UNINSTALL_DONE, status) is None:
            await self._finish_deletion(runtime, status)
        return None

    async def _finish_deletion(self, runtime: Object, status: Status) -> None:
        await self._release(runtime)
        for operation in (names.UNINSTALL, names.POST_UNINSTALL, names.PRE_INSTALL):
            await self._remove(f"{self._daemon_sets}/{daemonsets.DAEMON_NAMES[operation]}")
        done = dict(names.POST_UNINSTALL_DONE)
        if runtime["spec"]["config"].get("preInstall", {}).get("image"):
            done |= names.PRE_INSTALL_DONE
        nodes = await self._nodes(done)
        if len(nodes) != status.total:
            return
        for node in nodes:
            labels = node["metadata"]["labels"]
            gone = [*names.PRE_INSTALL_DONE, *names.POST_UNINSTALL_DONE]
            if labels.get(names.KATA_RUNTIME_LABEL) == "cleanup":
                gone.append(names.KATA_RUNTIME_LABEL)
            await self._label(node, dict.fromkeys(gone))

    async def _ask_nodes_to_clean_up(self, installed: dict[str, str]) -> None:
        if len(installed) > 1:
            raise ReconcileError("installDoneLabel must only have one entry")
        for node in await self._nodes(installed):
            await self._label(
                node,
                {key: "cleanup" for key in installed if node["metadata"]["labels"].get(key) == "true"},
            )

    async def _release(self, runtime: Object) -> None:
        runtime["metadata"]["finalizers"].remove(names.FINALIZER)
        await self._update(runtime)

    async def _label(self, node: Object, labels: dict[str, str | None] | dict[str, str]) -> None:
        await self._api.patch(f"{_NODES}/{node['metadata']['name']}", {"metadata": {"labels": labels}})

    async def _workers(self, runtime: Object) -> list[Object]:
        return await self._nodes(runtime["spec"]["ccNodeSelector"].get("matchLabels", {}))

    async def _nodes(self, labels: dict[str, str]) -> list[Object]:
        selector = ",".join(f"{key}={value}" for key, value in labels.items())
        found: list[Object] = (await self._api.get(_NODES, labelSelector=selector))["items"]
        return found

    async def _ensure(self, daemon_set: Object) -> None:
        name = daemon_set["metadata"]["name"]
        if await self._find(f"{self._daemon_sets}/{name}") is None:
            self._say(f"Creating Daemonset {self._namespace}/{name}")
            await self._api.create(self._daemon_sets, daemon_set)

    async def _find(self, path: str) -> Object | None:
        try:
            return await self._api.get(path)
        except ApiError as error:
            if error.code == _NOT_FOUND:
                return None
            raise

    async def _remove(self, path: str) -> None:
        options = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}
        try:
            await self._api.delete(path, options)
        except ApiError as error:
            if error.code != _NOT_FOUND:
                raise

    async def _update(self, runtime: Object) -> None:
        path = f"{names.CC_RUNTIMES}/{runtime['metadata']['name']}"
        _take_over(runtime, await self._api.replace(path, runtime))

    async def _write_status(self, runtime: Object, status: Status) -> None:
        if runtime.get("status") == status.as_object():
            return
        runtime["status"] = status.as_object()
        path = f"{names.CC_RUNTIMES}/{runtime['metadata']['name']}/status"
        _take_over(runtime, await self._api.replace(path, runtime))


def runtime_class(name: str, runtime: Object, selector: dict[str, str]) -> Object:
    """Return a RuntimeClass of a CcRuntime's; its handler has its name."""
    return {
        "apiVersion": "node.k8s.io/v1",
        "kind": "RuntimeClass",
        "metadata": {"name": name, "ownerReferences": [daemonsets.owner_reference(runtime)]},
        "handler": name,
        "scheduling": {"nodeSelector": selector},
    }


def _has_one(node: Object, labels: dict[str, str]) -> bool:
    own = node["metadata"].get("labels", {})
    return any(own.get(key) == value for key, value in labels.items())


def _take_over(runtime: Object, answer: Object) -> None:
    runtime.clear()
    runtime.update(answer)
