"""A Kubernetes API that is another one than it should be, or shows what is not so."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from aiohttp import web

from simlab.kube import version
from simlab.kube.answers import as_json
from simlab.kube.apiserver import main
from simlab.kube.cluster import Cluster
from simlab.kube.server import ApiServer
from simlab.operator.names import KATA_RUNTIME_LABEL

if TYPE_CHECKING:
    from simlab.kube.auth import User
    from simlab.kube.cluster import Write
    from simlab.kube.deleting import Deletion
    from simlab.kube.objects import Obj
    from simlab.kube.resources import Resource
    from simlab.layout import Layout

_STATUSES = "containerStatuses"


class OldServer(ApiServer):
    """Kubernetes 1.23."""

    def _document(self, request: web.Request, user: User, path: str) -> web.Response:
        if path != "/version":
            return super()._document(request, user, path)
        return as_json(request, {**version.document(), "minor": "23", "gitVersion": "v1.23.17"})


class SmallNode(Cluster):
    """Shows nodes with 2 vCPUs."""

    def _put(self, resource: Resource, obj: Obj) -> Obj:
        if resource.kind == "Node":
            for key in ("capacity", "allocatable"):
                obj.get("status", {}).get(key, {})["cpu"] = "2"
        return super()._put(resource, obj)


class CriO(Cluster):
    """Shows nodes that run CRI-O, once the operator has installed on them: it installs on containerd only."""

    def _put(self, resource: Resource, obj: Obj) -> Obj:
        installed = KATA_RUNTIME_LABEL in obj["metadata"].get("labels", {})
        if resource.kind == "Node" and installed and "nodeInfo" in obj.get("status", {}):
            obj["status"]["nodeInfo"]["containerRuntimeVersion"] = "cri-o://1.24.2"
        return super()._put(resource, obj)


class ReportsRunning(Cluster):
    """Shows pods of the default namespace as Running as soon as they have a node, and hides their events."""

    def create(self, resource: Resource, namespace: str, body: Any, write: Write) -> Obj:
        """Create an object; an event about one of those pods is lost."""
        if resource.kind == "Event" and namespace == "default":
            return self._decoded(resource, body, write)
        return super().create(resource, namespace, body, write)

    def _put(self, resource: Resource, obj: Obj) -> Obj:
        if resource.kind == "Pod" and obj["metadata"]["namespace"] == "default":
            _run(obj)
        return super()._put(resource, obj)


def _run(pod: Obj) -> None:
    """Make a pod that has a node look as if it ran."""
    if not pod["spec"].get("nodeName"):
        return
    status = pod.setdefault("status", {})
    since = pod["metadata"]["creationTimestamp"]
    status |= {"phase": "Running", "startTime": since}
    status["conditions"] = [
        {"type": kind, "status": "True", "lastProbeTime": None, "lastTransitionTime": since}
        for kind in ("Initialized", "Ready", "ContainersReady", "PodScheduled")
    ]
    status[_STATUSES] = [
        {
            "name": container["name"],
            "image": container["image"],
            "imageID": container["image"],
            "ready": True,
            "started": True,
            "restartCount": 0,
            "state": {"running": {"startedAt": since}},
        }
        for container in pod["spec"]["containers"]
    ]


class KeepsRuntimeClasses(Cluster):
    """Says of a RuntimeClass that it is deleted, and keeps it."""

    def delete(self, resource: Resource, namespace: str, name: str, deletion: Deletion) -> tuple[Obj, bool]:
        """Delete an object, or say so."""
        if resource.kind == "RuntimeClass":
            return self.get(resource, namespace, name).obj, True
        return super().delete(resource, namespace, name, deletion)


class InstallsOnce(Cluster):
    """Takes no CcRuntime for installed that is not the first one."""

    runtimes = 0

    def create(self, resource: Resource, namespace: str, body: Any, write: Write) -> Obj:
        """Create an object."""
        self.runtimes += resource.kind == "CcRuntime"
        return super().create(resource, namespace, body, write)

    def _put(self, resource: Resource, obj: Obj) -> Obj:
        completed = obj.get("status", {}).get("installationStatus", {}).get("completed", {})
        if resource.kind == "CcRuntime" and self.runtimes > 1 and completed:
            completed |= {"completedNodesCount": 0, "completedNodesList": []}
        return super()._put(resource, obj)


class GoneAtThirdPod(Cluster):
    """Dies when the third pod is made in the default namespace."""

    pods = 0

    def create(self, resource: Resource, namespace: str, body: Any, write: Write) -> Obj:
        """Create an object, or die of it."""
        if resource.kind == "Pod" and namespace == "default":
            self.pods += 1
            if self.pods == 3:
                os._exit(1)
        return super().create(resource, namespace, body, write)


class HostileToAdministrators(ApiServer):
    """Answers administrators for RuntimeClasses what cannot be used; the operator gets what it asks for."""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer a request."""
        answer = await super().handle(request)
        asked = request.method == "GET" and request.path.endswith("/runtimeclasses")
        if asked and isinstance(answer, web.Response) and self._is_administrator(request):
            return self.spoilt(answer)
        return answer

    def spoilt(self, answer: web.Response) -> web.Response:
        """Return what is sent in an answer's place."""
        raise NotImplementedError

    def _is_administrator(self, request: web.Request) -> bool:
        return "system:masters" in self._authenticator.user(request).groups


class AnswersHtml(HostileToAdministrators):
    """Answers as a proxy's login page does: 200, and HTML."""

    def spoilt(self, answer: web.Response) -> web.Response:
        """Return the page."""
        del answer
        return web.Response(text="<html><body>Please log in</body></html>", content_type="text/html")


class AnswersHalf(HostileToAdministrators):
    """Answers with the first half of the JSON, as if that were all."""

    def spoilt(self, answer: web.Response) -> web.Response:
        """Return the half."""
        if not isinstance(answer.body, bytes):
            return answer
        return web.Response(body=answer.body[: len(answer.body) // 2], content_type="application/json")


class AnswersNonsense(HostileToAdministrators):
    """Answers with JSON that is no list of objects."""

    def spoilt(self, answer: web.Response) -> web.Response:
        """Return the nonsense."""
        del answer
        return web.Response(text=json.dumps({"items": [17, None]}), content_type="application/json")


def old(_layout: Layout) -> int:
    """Run Kubernetes 1.23."""
    return main(new_server=OldServer)


def small_node(_layout: Layout) -> int:
    """Run an API whose nodes have 2 vCPUs."""
    return main(new_cluster=SmallNode)


def cri_o(_layout: Layout) -> int:
    """Run an API whose nodes run CRI-O."""
    return main(new_cluster=CriO)


def reports_running(_layout: Layout) -> int:
    """Run an API that reports Running for every pod that has a node."""
    return main(new_cluster=ReportsRunning)


def keeps_runtime_classes(_layout: Layout) -> int:
    """Run an API that deletes no RuntimeClass."""
    return main(new_cluster=KeepsRuntimeClasses)


def installs_once(_layout: Layout) -> int:
    """Run an API under which a second installation never ends."""
    return main(new_cluster=InstallsOnce)


def gone_at_third_pod(_layout: Layout) -> int:
    """Run an API that is lost on the way."""
    return main(new_cluster=GoneAtThirdPod)


def answers_html(_layout: Layout) -> int:
    """Run an API that answers HTML."""
    return main(new_server=AnswersHtml)


def answers_half(_layout: Layout) -> int:
    """Run an API that answers half of a JSON document."""
    return main(new_server=AnswersHalf)


def answers_nonsense(_layout: Layout) -> int:
    """Run an API that answers JSON of another kind."""
    return main(new_server=AnswersNonsense)
