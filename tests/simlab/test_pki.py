from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from simlab import addresses, pki
from simlab.layout import Layout

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    made = Layout(tmp_path_factory.mktemp("pki"))
    pki.create(made, 12345)
    return made


def certificate(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


@pytest.mark.parametrize(
    ("name", "common_name", "organisation"),
    [
        ("admin", "kubernetes-admin", "system:masters"),
        ("node", f"system:node:{addresses.HOSTNAME}", "system:nodes"),
        ("controllers", "system:kube-controller-manager", None),
    ],
)
def test_clients_are_who_kubernetes_takes_them_for(
    layout: Layout, name: str, common_name: str, organisation: str | None
) -> None:
    subject = certificate(layout.pki / f"{name}.crt").subject
    assert [part.value for part in subject.get_attributes_for_oid(NameOID.COMMON_NAME)] == [common_name]
    groups = [part.value for part in subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)]
    assert groups == ([organisation] if organisation else [])


def shake_hands(layout: Layout, server: str, authority: str, name: str) -> None:
    """Let a client that trusts the authority and asks for the name meet the server, in memory."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(layout.pki / f"{server}.crt", layout.pki / f"{server}.key")
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    host = context.wrap_bio(to_server, to_client, server_side=True)
    trusting = ssl.create_default_context(cafile=str(layout.pki / f"{authority}.crt"))
    guest = trusting.wrap_bio(to_client, to_server, server_hostname=name)
    done = set()
    for side in (guest, host) * 5:
        if side not in done:
            try:
                side.do_handshake()
                done.add(side)
            except ssl.SSLWantReadError:
                continue
    assert done == {guest, host}


@pytest.mark.parametrize("name", [addresses.HOST_IP, "127.0.0.1", "localhost", "kubernetes.default.svc"])
def test_the_api_server_is_trusted_under_all_its_names(layout: Layout, name: str) -> None:
    shake_hands(layout, "apiserver", "ca", name)


@pytest.mark.parametrize("name", addresses.INTERNET_NAMES)
def test_the_internet_is_trusted_under_its_names(layout: Layout, name: str) -> None:
    shake_hands(layout, "internet", "internet-ca", name)


@pytest.mark.parametrize(
    ("server", "authority", "name"),
    [
        ("apiserver", "ca", "example.com"),
        ("apiserver", "internet-ca", "localhost"),
        ("internet", "ca", addresses.INTERNET_NAMES[0]),
    ],
)
def test_nobody_is_trusted_under_a_wrong_name_or_authority(
    layout: Layout, server: str, authority: str, name: str
) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(layout, server, authority, name)


def test_private_keys_and_kubeconfigs_are_private(layout: Layout) -> None:
    secrets = [*layout.pki.glob("*.key"), *layout.world.glob("*.conf"), layout.kubeconfig]
    assert len(secrets) > 8
    assert {path.stat().st_mode & 0o777 for path in secrets} == {0o600}
