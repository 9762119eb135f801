"""The lab's certificates: an authority for the cluster, as kubeadm makes it, and one for the internet."""

from __future__ import annotations

import base64
import ipaddress
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from simlab import addresses

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from simlab.layout import Layout

_LIFETIME: Final = timedelta(days=3650)
# A runner whose clock is a little behind must not find a certificate that is not valid yet.
_CLOCK_SKEW: Final = timedelta(hours=1)

_API_NAMES: Final = (
    addresses.HOSTNAME,
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
)
# The first address of kubeadm's default service network stands for the API server inside the cluster.
_API_ADDRESSES: Final = (addresses.HOST_IP, "127.0.0.1", "10.96.0.1")

# Common name and organisation (= group) of the clients, as kubeadm's certificates have them.
_CLIENTS: Final = {
    "admin": ("kubernetes-admin", "system:masters"),
    "node": (f"system:node:{addresses.HOSTNAME}", "system:nodes"),
    "controllers": ("system:kube-controller-manager", None),
}
# The account of the operator's pods. Its name is too long for a certificate; a pod has a token anyway.
_OPERATOR: Final = "system:serviceaccount:confidential-containers-system:cc-operator-controller-manager"


@dataclass(frozen=True)
class Identity:
    """A certificate and its private key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    def write(self, folder: Path, name: str) -> None:
        """Write NAME.crt and NAME.key (mode 0600) as PEM."""
        (folder / f"{name}.crt").write_bytes(self.certificate_pem())
        _write_secret(folder / f"{name}.key", self.key_pem())

    def certificate_pem(self) -> bytes:
        """Return the certificate as PEM."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def key_pem(self) -> bytes:
        """Return the private key as unencrypted PKCS #8 PEM."""
        return _key_pem(self.key)


def create(layout: Layout, api_port: int) -> None:
    """Make both authorities, every certificate and the kubeconfigs.

    `api_port` is the port on the runner's 127.0.0.1 that reaches the API server from outside of the world.
    """
    layout.pki.mkdir(parents=True, exist_ok=True)
    cluster = _authority("kubernetes")
    cluster.write(layout.pki, "ca")
    _issue(cluster, "kube-apiserver", names=_API_NAMES, ips=_API_ADDRESSES).write(layout.pki, "apiserver")

    inside = f"https://{addresses.HOST_IP}:{addresses.KUBE_API_PORT}"
    for client, (common_name, organisation) in _CLIENTS.items():
        identity = _issue(cluster, common_name, organisation=organisation)
        identity.write(layout.pki, client)
        _write_secret(layout.world / f"{client}.conf", _kubeconfig(inside, cluster, identity, common_name))
        if client == "admin":
            outside = f"https://127.0.0.1:{api_port}"
            _write_secret(layout.kubeconfig, _kubeconfig(outside, cluster, identity, common_name))

    token = secrets.token_urlsafe(32)
    groups = "system:serviceaccounts,system:serviceaccounts:confidential-containers-system"
    _write_secret(layout.pki / "tokens.csv", f'{token},{_OPERATOR},operator,"{groups}"\n'.encode())
    _write_secret(layout.pki / "operator.token", token.encode())
    _write_secret(layout.world / "operator.conf", _kubeconfig(inside, cluster, token, "operator"))

    internet = _authority("Simulated Internet Root")
    internet.write(layout.pki, "internet-ca")
    _issue(internet, addresses.INTERNET_NAMES[0], names=addresses.INTERNET_NAMES).write(
        layout.pki, "internet"
    )

    # The key pair that signs the tokens of service accounts.
    accounts = ec.generate_private_key(ec.SECP256R1())
    _write_secret(layout.pki / "sa.key", _key_pem(accounts))
    (layout.pki / "sa.pub").write_bytes(
        accounts.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )


def _authority(common_name: str) -> Identity:
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(common_name, None)
    certificate = (
        _builder(name, name, key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    return Identity(certificate, key)


def _issue(
    authority: Identity,
    common_name: str,
    *,
    organisation: str | None = None,
    names: Sequence[str] = (),
    ips: Sequence[str] = (),
) -> Identity:
    """Issue a server certificate when there are names or addresses, else a client certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    alternatives: list[x509.GeneralName] = [x509.DNSName(name) for name in names]
    alternatives += [x509.IPAddress(ipaddress.ip_address(ip)) for ip in ips]
    purpose = ExtendedKeyUsageOID.SERVER_AUTH if alternatives else ExtendedKeyUsageOID.CLIENT_AUTH
    builder = (
        _builder(_name(common_name, organisation), authority.certificate.subject, key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key()), critical=False
        )
    )
    if alternatives:
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    return Identity(builder.sign(authority.key, hashes.SHA256()), key)


def _builder(
    subject: x509.Name, issuer: x509.Name, public_key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(now + _LIFETIME)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def _name(common_name: str, organisation: str | None) -> x509.Name:
    parts = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    if organisation is not None:
        parts.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation))
    return x509.Name(parts)


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=not signs_certificates,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _kubeconfig(server: str, authority: Identity, client: Identity | str, user: str) -> bytes:
    """Return a kubeconfig for a client with a certificate, or with a token."""

    def encoded(pem: bytes) -> str:
        return base64.b64encode(pem).decode()

    if isinstance(client, str):
        credentials = f"    token: {client}\n"
    else:
        credentials = (
            f"    client-certificate-data: {encoded(client.certificate_pem())}\n"
            f"    client-key-data: {encoded(client.key_pem())}\n"
        )
    return f"""\
apiVersion: v1
kind: Config
current-context: {user}@kubernetes
clusters:
- name: kubernetes
  cluster:
    server: {server}
    certificate-authority-data: {encoded(authority.certificate_pem())}
contexts:
- name: {user}@kubernetes
  context:
    cluster: kubernetes
    user: {user}
users:
- name: {user}
  user:
{credentials}""".encode()


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write_secret(path: Path, content: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(content)
