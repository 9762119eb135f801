"""The Node object: registered once, kept alive by a lease and a status."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from simlab import addresses
from simlab.kube.client import STRATEGIC_MERGE_PATCH, ApiError, ApiUnreachableError
from simlab.node import clock
from simlab.node.host import MEMORY_MIB

if TYPE_CHECKING:
    from simlab.kube.client import Api, Object
    from simlab.node.host import Host

KUBELET_VERSION: Final = "v1.24.8"
CONTAINER_RUNTIME_VERSION: Final = "containerd://1.6.6.0"
"""As the CoCo fork of operator v0.3.0 calls itself (`install/pre-install-payload/containerd/payload.sh`)."""
KUBELET_PORT: Final = 10250

_LEASES: Final = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
_LEASE_SECONDS: Final = 40
# kubelet 1.24: nodeStatusUpdateFrequency 10 s and a quarter of the lease's duration.
_HEARTBEAT_SECONDS: Final = 10.0
_RESERVED_MIB: Final = 100  # the hard eviction threshold of memory.available
_MAX_PODS: Final = 110

_CONDITIONS: Final = (
    ("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    ("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
    ("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
)

_log = logging.getLogger(__name__)


class NodeObject:
    """This node in the API."""

    def __init__(self, api: Api, host: Host, name: str = addresses.HOSTNAME) -> None:
        self.name = name
        self._api = api
        self._host = host
        self._uid = ""
        self._ready_since = clock.now()

    async def register(self) -> None:
        """Create the Node, or bring an existing one up to date; labels that others set stay.

        Raises ApiError, ApiUnreachableError.
        """
        try:
            node = await self._api.create("/api/v1/nodes", self._new())
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise
            patch = {"metadata": {"labels": self._labels()}}
            node = await self._api.patch(f"/api/v1/nodes/{self.name}", patch)
        self._uid = node["metadata"]["uid"]
        await self.post_status()
        await self.renew_lease()

    async def keep_alive(self) -> None:
        """Renew the lease and post the status every 10 s, until cancelled."""
        while True:
            await asyncio.sleep(_HEARTBEAT_SECONDS)
            try:
                await self.renew_lease()
                await self.post_status()
            except ApiError as error:
                _log.warning("heartbeat refused: %s", error)
                if error.reason == "NotFound":
                    await self._register_again()
            except ApiUnreachableError as error:
                _log.warning("heartbeat not sent: %s", error)

    async def post_status(self) -> None:
        """Write the Node's status. Raises ApiError, ApiUnreachableError."""
        path = f"/api/v1/nodes/{self.name}/status"
        await self._api.patch(path, {"status": self._status()}, STRATEGIC_MERGE_PATCH)

    async def renew_lease(self) -> None:
        """Renew this node's lease, or create it. Raises ApiError, ApiUnreachableError."""
        spec = {
            "holderIdentity": self.name,
            "leaseDurationSeconds": _LEASE_SECONDS,
            "renewTime": clock.now_micro(),
        }
        try:
            await self._api.patch(f"{_LEASES}/{self.name}", {"spec": spec})
        except ApiError as error:
            if error.reason != "NotFound":
                raise
            await self._api.create(_LEASES, self._new_lease(spec))

    async def _register_again(self) -> None:
        try:
            await self.register()
        except (ApiError, ApiUnreachableError) as error:
            _log.warning("node not registered: %s", error)

    def _new(self) -> Object:
        return {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {
                "name": self.name,
                "labels": self._labels(),
                "annotations": {
                    "node.alpha.kubernetes.io/ttl": "0",
                    "volumes.kubernetes.io/controller-managed-attach-detach": "true",
                },
            },
            "spec": {"podCIDR": "10.244.0.0/24", "podCIDRs": ["10.244.0.0/24"]},
            "status": self._status(),
        }

    def _labels(self) -> dict[str, str]:
        return {
            "beta.kubernetes.io/arch": "amd64",
            "beta.kubernetes.io/os": "linux",
            "kubernetes.io/arch": "amd64",
            "kubernetes.io/hostname": self.name,
            "kubernetes.io/os": "linux",
        }

    def _new_lease(self, spec: Object) -> Object:
        owner = {"apiVersion": "v1", "kind": "Node", "name": self.name, "uid": self._uid}
        return {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {
                "name": self.name,
                "namespace": "kube-node-lease",
                "ownerReferences": [owner] if self._uid else [],
            },
            "spec": spec,
        }

    def _status(self) -> Object:
        now = clock.now()
        resources = {
            "cpu": str(self._host.cpus()),
            "ephemeral-storage": "104806400Ki",
            "hugepages-1Gi": "0",
            "hugepages-2Mi": "0",
            "pods": str(_MAX_PODS),
        }
        return {
            "capacity": {**resources, "memory": f"{MEMORY_MIB * 1024}Ki"},
            "allocatable": {**resources, "memory": f"{(MEMORY_MIB - _RESERVED_MIB) * 1024}Ki"},
            "conditions": [
                {
                    "type": kind,
                    "status": status,
                    "reason": reason,
                    "message": message,
                    "lastHeartbeatTime": now,
                    "lastTransitionTime": self._ready_since,
                }
                for kind, status, reason, message in _CONDITIONS
            ],
            "addresses": [
                {"type": "InternalIP", "address": addresses.HOST_IP},
                {"type": "Hostname", "address": self.name},
            ],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": KUBELET_PORT}},
            "nodeInfo": {
                "architecture": "amd64",
                "bootID": self._host.boot_id(),
                "containerRuntimeVersion": CONTAINER_RUNTIME_VERSION,
                "kernelVersion": self._host.kernel_release(),
                "kubeProxyVersion": KUBELET_VERSION,
                "kubeletVersion": KUBELET_VERSION,
                "machineID": self._host.read_text("/etc/machine-id").strip(),
                "operatingSystem": "linux",
                "osImage": _os_image(self._host),
                "systemUUID": self._host.read_text("/etc/machine-id").strip(),
            },
        }


def _os_image(host: Host) -> str:
    for line in host.read_text("/etc/os-release").splitlines():
        key, _, value = line.partition("=")
        if key == "PRETTY_NAME":
            return value.strip('"')
    return "Linux"
