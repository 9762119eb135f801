"""What every namespace holds (its default service account, the cluster's CA), and how a namespace is emptied.

Behaviour: Kubernetes v1.24, `pkg/controller/serviceaccount`,
`pkg/controller/certificates/rootcacertpublisher`, `pkg/controller/namespace/deletion`.
"""

from __future__ import annotations

from typing import Final

from simlab.kube.client import Api, ApiError
from simlab.kube.controllers.controller import Cluster, Controller
from simlab.kube.objects import Obj, dig, items, name_of

_ACCOUNT: Final = "default"
_CA_MAP: Final = "kube-root-ca.crt"
_EMPTYING_SECONDS: Final = 0.2
_CA_NOTE: Final = (
    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such "
    "as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions "
    "of Kubernetes clusters."
)


class NamespaceContent(Controller):
    """Gives each namespace its service account and CA certificate."""

    def __init__(self, cluster: Cluster, authority: str) -> None:
        super().__init__(cluster)
        self._authority = authority
        self._namespaces = self.watched("/api/v1/namespaces")
        self._accounts = self.watched("/api/v1/serviceaccounts", _is_removal)
        self._maps = self.watched("/api/v1/configmaps", _is_removal)

    async def step(self) -> float | None:
        """Create what is missing."""
        for namespace in self._namespaces.all():
            if dig(namespace, "metadata", "deletionTimestamp"):
                continue
            name = name_of(namespace)
            path = f"/api/v1/namespaces/{name}"
            if self._accounts.get(name, _ACCOUNT) is None:
                account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": _ACCOUNT}}
                await _create(self.api, f"{path}/serviceaccounts", account)
            if self._maps.get(name, _CA_MAP) is None:
                content = {
                    "apiVersion": "v1",
                    "kind": "ConfigMap",
                    "metadata": {"name": _CA_MAP, "annotations": {"kubernetes.io/description": _CA_NOTE}},
                    "data": {"ca.crt": self._authority},
                }
                await _create(self.api, f"{path}/configmaps", content)
        return None


def _is_removal(_before: Obj | None, after: Obj | None) -> bool:
    return after is None


async def _create(api: Api, path: str, obj: Obj) -> None:
    try:
        await api.create(path, obj)
    except ApiError as error:
        # Someone was faster, or the namespace is going.
        if error.code not in (403, 404, 409):
            raise


class NamespaceDeletion(Controller):
    """Empties namespaces that are being deleted, and lets them go."""

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(cluster)
        self._namespaces = self.watched(
            "/api/v1/namespaces", lambda _before, after: bool(dig(after, "metadata", "deletionTimestamp"))
        )

    async def step(self) -> float | None:
        """Empty each namespace that is going; return soon where something in it still lives."""
        again: float | None = None
        for namespace in self._namespaces.all():
            if not dig(namespace, "metadata", "deletionTimestamp"):
                continue
            if "kubernetes" not in items(namespace, "spec", "finalizers"):
                continue
            if await self._empty(name_of(namespace)):
                await self._finalize(namespace)
            else:
                again = _EMPTYING_SECONDS
        return again

    async def _empty(self, namespace: str) -> bool:
        left = False
        for path in await namespaced_paths(self.api, namespace):
            listed = await self.api.get(path, limit="1")
            if listed.get("items"):
                left = True
                await self.api.delete(path, {"kind": "DeleteOptions", "apiVersion": "v1"})
                # What has neither a finalizer nor a grace period is gone at once.
                left = bool((await self.api.get(path, limit="1")).get("items")) or left
        return not left

    async def _finalize(self, namespace: Obj) -> None:
        name = name_of(namespace)
        current = await self.api.get(f"/api/v1/namespaces/{name}")
        finalizers = [each for each in items(current, "spec", "finalizers") if each != "kubernetes"]
        current["spec"] = {"finalizers": finalizers}
        try:
            self._namespaces.forget(await self.api.replace(f"/api/v1/namespaces/{name}/finalize", current))
        except ApiError as error:
            if error.code != 404:
                raise


async def group_versions(api: Api) -> list[tuple[str, str]]:
    """Return the path prefix and group version of every version that the server prefers."""
    found = [("/api/v1", "v1")]
    for group in (await api.get("/apis")).get("groups") or []:
        version = group["preferredVersion"]["groupVersion"]
        found.append((f"/apis/{version}", version))
    return found


async def namespaced_paths(api: Api, namespace: str) -> list[str]:
    """Return the collection paths, in a namespace, of every resource whose collections can be deleted."""
    paths = []
    for prefix, _ in await group_versions(api):
        for resource in (await api.get(prefix)).get("resources") or []:
            verbs = resource.get("verbs") or []
            if resource["namespaced"] and "/" not in resource["name"] and "deletecollection" in verbs:
                paths.append(f"{prefix}/namespaces/{namespace}/{resource['name']}")
    return paths
