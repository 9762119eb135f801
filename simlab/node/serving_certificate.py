"""The kubelet's own serving certificate, signed by itself as kubeadm leaves it."""

from __future__ import annotations

import ipaddress
import ssl
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from simlab import addresses

if TYPE_CHECKING:
    from simlab.node.host import Host

_FOLDER: Final = "/var/lib/kubelet/pki"
_LIFETIME: Final = timedelta(days=365)


def server_context(host: Host) -> ssl.SSLContext:
    """TLS for port 10250; certificate and key are made at the first start and kept on the host."""
    certificate, key = host.local(f"{_FOLDER}/kubelet.crt"), host.local(f"{_FOLDER}/kubelet.key")
    if not key.exists():
        certificate.parent.mkdir(parents=True, exist_ok=True)
        new_key = ec.generate_private_key(ec.SECP256R1())
        key.touch(mode=0o600)
        key.write_bytes(
            new_key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        certificate.write_bytes(_self_signed(new_key).public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


def _self_signed(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{addresses.HOSTNAME}-ca")])
    names = x509.SubjectAlternativeName(
        [x509.DNSName(addresses.HOSTNAME), x509.IPAddress(ipaddress.ip_address(addresses.HOST_IP))]
    )
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + _LIFETIME)
        .add_extension(names, critical=False)
        .sign(key, hashes.SHA256())
    )
