"""What a fresh cluster holds.

Its own namespaces and the `kubernetes` service, as the API server itself makes them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from simlab.kube.cluster import Write

if TYPE_CHECKING:
    from simlab.kube.cluster import Cluster
    from simlab.kube.objects import Obj

_MANAGER: Final = "kube-apiserver"
_NAMESPACES: Final = ("default", "kube-system", "kube-public", "kube-node-lease")
# The first address of the service network that kubeadm chooses.
_SERVICE_IP: Final = "10.96.0.1"


def fill(cluster: Cluster, address: str, port: int) -> None:
    """Put into an empty cluster what every cluster has; `address` and `port` are the API server's own."""
    for name in _NAMESPACES:
        _create(cluster, "namespaces", "", {"metadata": {"name": name}})
    labels = {"component": "apiserver", "provider": "kubernetes"}
    spec = {
        "clusterIP": _SERVICE_IP,
        "clusterIPs": [_SERVICE_IP],
        "ports": [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": port}],
    }
    _create(
        cluster, "services", "default", {"metadata": {"name": "kubernetes", "labels": labels}, "spec": spec}
    )
    subsets = [
        {"addresses": [{"ip": address}], "ports": [{"name": "https", "port": port, "protocol": "TCP"}]}
    ]
    _create(cluster, "endpoints", "default", {"metadata": {"name": "kubernetes"}, "subsets": subsets})


def _create(cluster: Cluster, plural: str, namespace: str, obj: Obj) -> None:
    resource = cluster.registry.find("", "v1", plural)
    if resource is None:
        raise LookupError(plural)
    cluster.create(resource, namespace, obj, Write(manager=_MANAGER))
