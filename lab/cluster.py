"""The Kubernetes API of a lab, through the host's SSH connection unless the lab file says otherwise."""

from __future__ import annotations

import threading
from collections import deque
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from lab.deadline import Deadline
from lab.errors import ApiRefused, LabError, NoSuchHostFile, Unreachable
from lab.fact import Fact
from lab.kube_api import KubeApi, path_of
from lab.kubeconfig import Access, parse_kubeconfig
from lab.last_seen import in_order
from lab.printable import printable
from lab.secret import Secret
from lab.settling import News, settle
from lab.watching import Feed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from lab.forward import Forward
    from lab.host import Host
    from lab.labfile import LabFile
    from lab.record import Record
    from lab.secret import Redactor

T = TypeVar("T")
Items = list[dict[str, Any]]

# Where the kinds live that the suite asks for by name alone.
API_VERSIONS = {
    "CcRuntime": "confidentialcontainers.org/v1beta1",
    "CustomResourceDefinition": "apiextensions.k8s.io/v1",
    "DaemonSet": "apps/v1",
    "Deployment": "apps/v1",
    "Event": "v1",
    "Lease": "coordination.k8s.io/v1",
    "Namespace": "v1",
    "Node": "v1",
    "Pod": "v1",
    "RuntimeClass": "node.k8s.io/v1",
}


class Cluster:
    """One cluster. Connects when it is first used. Objects are plain JSON."""

    def __init__(self, lab: LabFile, host: Host, record: Record, redactor: Redactor) -> None:
        self._lab = lab
        self._host = host
        self._record = record
        self._redact = redactor
        self._lock = threading.RLock()
        self._api: KubeApi | None = None
        self._forward: Forward | None = None
        self._sent_again: deque[tuple[str, str]] = deque()
        self._plurals: dict[tuple[str, str], tuple[str, bool]] = {}

    def get(
        self,
        kind: str,
        name: str,
        namespace: str | None = None,
        *,
        api_version: str | None = None,
        as_evidence: bool = False,
    ) -> dict[str, Any] | None:
        """An object, or None where there is none, or where the API does not know its kind."""
        try:
            found = self._json("GET", self._path(kind, namespace, name, api_version))
        except ApiRefused as refusal:
            if refusal.status != 404:
                raise
            found = None
        if as_evidence:
            self._record.evidence(f"get {kind} {name}", found or "there is none")
        return found

    def list(
        self,
        kind: str,
        namespace: str | None = None,
        label_selector: str | None = None,
        field_selector: str | None = None,
        *,
        api_version: str | None = None,
        as_evidence: bool = False,
    ) -> Items:
        """The objects of a kind; none where the API does not know the kind. Without namespace: of all."""
        try:
            path = self._path(kind, namespace, None, api_version)
            answer = self._json("GET", path, labelSelector=label_selector, fieldSelector=field_selector)
        except ApiRefused as refusal:
            if refusal.status != 404:
                raise
            answer = {}
        items: Items = answer.get("items") or []
        if as_evidence:
            self._record.evidence(f"list {kind}", items, fact=Fact.OBJECTS)
        return items

    def create(self, manifest: dict[str, Any]) -> dict[str, Any]:
        """Create an object; as the API stored it. Raises ApiRefused."""
        kind, metadata = manifest["kind"], manifest["metadata"]
        self._record.evidence(f"create {kind} {metadata['name']}", manifest)
        path = self._path(kind, metadata.get("namespace"), None, manifest["apiVersion"])
        return self._json("POST", path, manifest)

    def patch(
        self, kind: str, name: str, changes: dict[str, Any], namespace: str | None = None
    ) -> dict[str, Any]:
        """Change an object by a JSON merge patch (RFC 7386); as the API stored it. Raises ApiRefused."""
        self._record.evidence(f"patch {kind} {name}", changes)
        return self._json("PATCH", self._path(kind, namespace, name), changes)

    def delete(
        self, kind: str, name: str, namespace: str | None, uid: str, deadline: Deadline | float
    ) -> None:
        """Delete the object with this uid, and wait until it is gone; another one of its name stays.

        Raises DeadlineExceeded, ApiRefused.
        """
        options = {"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": {"uid": uid}}
        try:
            self._json("DELETE", self._path(kind, namespace, name), options)
        except ApiRefused as refusal:
            # 404: it is gone; 409: the name is another object's by now.
            if refusal.status not in {404, 409}:
                raise
        limit = deadline if isinstance(deadline, Deadline) else Deadline(deadline)

        def gone(current: dict[str, Any] | None, _: Items) -> bool | None:
            return current is None or current["metadata"]["uid"] != uid or None

        self.wait(kind, name, namespace, gone, f"{kind} {name} to be gone", limit)

    def events(self, namespace: str, pod_uid: str) -> Items:
        """The events about an object, oldest first."""
        return in_order(self.list("Event", namespace, field_selector=f"involvedObject.uid={pod_uid}"))

    def pod_log(
        self,
        namespace: str,
        name: str,
        container: str | None = None,
        *,
        previous: bool = False,
        limit: int = 1 << 20,
    ) -> str:
        """What a container printed, safe to print again, at most `limit` bytes. Raises ApiRefused."""
        path = f"{path_of('v1', 'pods', namespace, name)}/log"
        data = self._connected().data(
            "GET", path, container=container, previous="true" if previous else None, limitBytes=limit
        )
        return printable(data)

    def server_version(self) -> str:
        """The API server's version, such as `v1.24.17`."""
        answer = self._json("GET", "/version")
        self._record.evidence("GET /version", answer)
        version = str(answer.get("gitVersion"))
        self._record.version("Kubernetes", version)
        return version

    def wait(
        self,
        kind: str,
        name: str,
        namespace: str | None,
        settled: Callable[[dict[str, Any] | None, Items], T | None],
        what: str,
        deadline: Deadline,
    ) -> T:
        """Watch an object and its events until `settled` gives something for them, and return that.

        `settled` gets the object, or None where there is none, and the events about it, oldest first. Raises
        DeadlineExceeded, which names the last thing seen; ApiRefused; Unreachable when the API was gone at
        the end, or the host rebooted.
        """

        def settled_on_one_boot(current: dict[str, Any] | None, events: Items) -> T | None:
            self._host.require_same_boot()
            return settled(current, events)

        api = self._connected()
        news = News()
        about = f"involvedObject.kind={kind},involvedObject.name={name}"
        paths = self._path(kind, namespace, None), self._path("Event", namespace, None)
        feeds = [
            Feed(api, paths[0], news.of_object, fieldSelector=f"metadata.name={name}"),
            Feed(api, paths[1], news.of_events, fieldSelector=about),
        ]
        try:
            with self._way_told():
                return settle(news, settled_on_one_boot, what, deadline, self._record)
        finally:
            for feed in feeds:
                feed.close()
            self._tell_sent_again()

    def close(self) -> None:
        """Close the way to the API, and remove its credentials from the runner."""
        with self._lock:
            if self._api is not None:
                self._api.close()
            if self._forward is not None:
                self._forward.close()
            self._api = self._forward = None

    def _connected(self) -> KubeApi:
        with self._lock:
            if self._api is None:
                access = self._access()
                for secret in (access.token, access.key.decode() if access.key else None):
                    if secret:
                        self._redact.learn(Secret(secret))
                address = f"{access.host}:{access.port}"
                if self._lab.cluster.reach == "ssh":
                    self._forward = self._host.forward(access.host, access.port)
                    address = self._forward.address
                self._api = KubeApi(access, address, self._hindrance, self._repeated, self._record.exchange)
            return self._api

    def _json(
        self, method: str, path: str, body: dict[str, Any] | None = None, **query: Any
    ) -> dict[str, Any]:
        try:
            with self._way_told():
                answer = self._connected().json(method, path, body, **query)
        finally:
            self._tell_sent_again()
        self._record.reached("cluster")
        return answer

    @contextmanager
    def _way_told(self) -> Iterator[None]:
        """Tell that the host is lost, where the way to the API leads over it: one loss is one cause."""
        try:
            yield
        except Unreachable as lost:
            failure = self._forward.failure if self._forward else None
            if not isinstance(failure, Unreachable) or lost.service == failure.service:
                raise
            raise Unreachable(failure.service, lost.cause.removeprefix(f"{failure.service}: ")) from None

    def _hindrance(self) -> str | None:
        failure = self._forward.failure if self._forward else None
        return str(failure) if failure else None

    def _repeated(self, request: str, cause: str) -> None:
        self._sent_again.append((request, self._hindrance() or cause))

    def _tell_sent_again(self) -> None:
        """Tell it in the thread that the scenario runs in: a watch has one of its own."""
        while self._sent_again:
            request, cause = self._sent_again.popleft()
            self._record.evidence(f"{request} sent again", cause)

    def _access(self) -> Access:
        local = self._lab.cluster.local_kubeconfig
        if local is not None:
            folder = local.parent
            try:
                return parse_kubeconfig(local.read_bytes(), str(local), lambda name: _read(folder / name))
            except OSError as error:
                raise Unreachable("cluster", f"{local} cannot be read: {error.strerror}") from None
        path = self._lab.cluster.kubeconfig
        where = f"{path} on the host"
        read = partial(self._host.read_file, sensitive=True)
        try:
            return parse_kubeconfig(read(path), where, read)
        except NoSuchHostFile as error:
            raise Unreachable(
                "cluster", f"no kubeconfig: {error}; see cluster.kubeconfig in the lab file"
            ) from None

    def _path(
        self, kind: str, namespace: str | None, name: str | None, api_version: str | None = None
    ) -> str:
        version = api_version or API_VERSIONS.get(kind)
        if version is None:
            raise LabError(f"the API version of the kind {kind!r} is not known here: name it")
        plural, namespaced = self._plural(version, kind)
        if name is not None and namespaced and namespace is None:
            raise LabError(f"{kind} {name!r} lies in a namespace: name it")
        return path_of(version, plural, namespace if namespaced else None, name)

    def _plural(self, api_version: str, kind: str) -> tuple[str, bool]:
        """How a kind is called in paths, and whether it lies in namespaces, as the API itself says."""
        if (api_version, kind) not in self._plurals:
            prefix = "/apis/" if "/" in api_version else "/api/"
            for each in self._json("GET", f"{prefix}{api_version}").get("resources") or []:
                if "/" not in each["name"]:
                    self._plurals[api_version, each["kind"]] = (each["name"], each["namespaced"])
        try:
            return self._plurals[api_version, kind]
        except KeyError:
            raise ApiRefused(f"GET {kind}", 404, "NotFound", f"no kind {kind} in {api_version}") from None


def _read(path: Path) -> bytes:
    return path.read_bytes()
