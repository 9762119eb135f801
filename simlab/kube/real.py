"""A real kube-apiserver and its etcd in the place of the lab's own API server: how each is started.

The two programs are those of a folder as envtest names it (sigs.k8s.io/controller-runtime, `pkg/envtest`).
The settings are kubeadm's for a control plane of one (Kubernetes v1.24, manifests.go of
`cmd/kubeadm/app/phases/controlplane`), but for the token of the lab's operator.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from simlab import addresses
from simlab.kubeclient import KubeClient

if TYPE_CHECKING:
    from pathlib import Path

    from simlab.layout import Layout

ETCD_PORT: Final = 2379
_PEER_PORT: Final = 2380
_LOOPBACK: Final = "127.0.0.1"
_SERVICE_NETWORK: Final = "10.96.0.0/12"

# One account does what kube-controller-manager's many and kube-scheduler's do.
_BINDING: Final = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRoleBinding",
    "metadata": {"name": "simlab-controllers"},
    "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
    "subjects": [
        {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "User",
            "name": "system:kube-controller-manager",
        }
    ],
}


def etcd_command(layout: Layout, assets: Path) -> list[str]:
    """Return the command of etcd, on the loopback of the lab's network and in a folder of the lab's."""
    client, peer = (f"http://{_LOOPBACK}:{port}" for port in (ETCD_PORT, _PEER_PORT))
    return [
        *(str(assets / "etcd"), "--name", addresses.HOSTNAME, "--data-dir", str(layout.world / "etcd")),
        *("--listen-client-urls", client, "--advertise-client-urls", client),
        *("--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer),
        *("--initial-cluster", f"{addresses.HOSTNAME}={peer}"),
    ]


def apiserver_command(layout: Layout, assets: Path) -> list[str]:
    """Return the command of kube-apiserver, which answers on the host's address."""
    pki = layout.pki
    options = {
        "advertise-address": addresses.HOST_IP,
        "allow-privileged": "true",
        "authorization-mode": "Node,RBAC",
        "bind-address": "0.0.0.0",  # noqa: S104 -- in the lab's own network namespace
        "client-ca-file": pki / "ca.crt",
        "enable-admission-plugins": "NodeRestriction",
        "enable-bootstrap-token-auth": "true",
        "etcd-servers": f"http://{_LOOPBACK}:{ETCD_PORT}",
        # The lab's kubelet asks for no certificate.
        "kubelet-preferred-address-types": "InternalIP,ExternalIP,Hostname",
        "secure-port": addresses.KUBE_API_PORT,
        "service-account-issuer": "https://kubernetes.default.svc.cluster.local",
        "service-account-key-file": pki / "sa.pub",
        "service-account-signing-key-file": pki / "sa.key",
        "service-cluster-ip-range": _SERVICE_NETWORK,
        "tls-cert-file": pki / "apiserver.crt",
        "tls-private-key-file": pki / "apiserver.key",
        "token-auth-file": pki / "tokens.csv",
    }
    return [str(assets / "kube-apiserver"), *(f"--{name}={value}" for name, value in options.items())]


def authorize(layout: Layout) -> None:
    """Let the lab's controllers do their work under RBAC. Raises KubeClientError."""
    with KubeClient(layout, "admin") as api:
        api.create("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", _BINDING)
