"""The simulated internet answers as the real hosts do."""

from __future__ import annotations

import hashlib
import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from simlab import artifacts
from simlab.images import catalog, oci
from simlab.images.reference import Reference
from simlab.images.registry_client import RegistryError, UnreachableError
from simlab.release import versions

if TYPE_CHECKING:
    from tests.simlab.internet.conftest import Internet

DEMO = f"https://{artifacts.DEMO_HOST}/{artifacts.DEMO_FOLDER}/{artifacts.DEMO_OFFLINE}"
HUB = "https://registry-1.docker.io/v2"


def curl(internet: Internet, *arguments: str) -> str:
    argv = ["curl", "--silent", "--show-error", "--cacert", str(internet.roots)]
    argv += ["--connect-to", f"::127.0.0.1:{internet.port}", *arguments]
    return subprocess.run(argv, check=True, capture_output=True, timeout=30).stdout.decode("latin-1")


def test_demo_initrd_is_served_whole(internet: Internet) -> None:
    data = curl(internet, DEMO).encode("latin-1")
    recorded = json.loads((internet.layout.world / "artifacts/artifacts.json").read_text())
    assert hashlib.sha256(data).hexdigest() == recorded[artifacts.DEMO_OFFLINE]


def test_ranges_and_head(internet: Internet) -> None:
    part = curl(internet, "--include", "--range", "2-5", DEMO)
    assert "206 Partial Content" in part
    assert "Content-Range: bytes 2-5/" in part
    assert "200 OK" in curl(internet, "--head", DEMO)


@pytest.mark.parametrize("path", ["nothing", "%2e%2e/%2e%2e/pki/internet.key", ""])
def test_what_is_not_published_is_not_found(internet: Internet, path: str) -> None:
    answer = curl(internet, "--include", f"https://{artifacts.DEMO_HOST}/{path}")
    assert answer.startswith("HTTP/1.1 404")


def test_unknown_certificate_authority_is_not_trusted(internet: Internet) -> None:
    other = (internet.layout.pki / "ca.crt").read_text()
    with pytest.raises(UnreachableError, match="certificate verify failed"):
        internet.client(other).manifest(Reference.parse("bitnami/nginx:1.22.0"))


def test_docker_hub_sends_to_its_token_service(internet: Internet) -> None:
    answer = curl(internet, "--include", f"{HUB}/bitnami/nginx/tags/list")
    assert answer.startswith("HTTP/1.1 401")
    challenge = 'Bearer realm="https://auth.docker.io/token",service="registry.docker.io"'
    assert f'{challenge},scope="repository:bitnami/nginx:pull"' in answer


def test_images_of_the_guide_are_pulled(internet: Internet) -> None:
    client = internet.client()
    for (repository, tag), media_type in (
        (catalog.NGINX, oci.DOCKER_MANIFEST),
        (versions.DEFAULT.image.name, oci.MANIFEST),
    ):
        reference = Reference.parse(f"{repository}:{tag}")
        manifest = client.manifest(reference)
        assert manifest.media_type == media_type
        for described in (manifest.content["config"], *manifest.content["layers"]):
            assert len(client.blob(reference, described["digest"])) == described["size"]
        by_digest = Reference.parse(f"{repository}@{manifest.digest}")
        assert client.manifest(by_digest) == manifest


def test_encrypted_layer_has_ocis_media_type_and_no_busybox(internet: Internet) -> None:
    client = internet.client()
    reference = Reference.parse("docker.io/haosanzi/busybox-v1:encrypted")
    (described,) = client.manifest(reference).content["layers"]
    assert described["mediaType"] == "application/vnd.oci.image.layer.v1.tar+gzip+encrypted"
    assert not client.blob(reference, described["digest"]).startswith(b"\x1f\x8b")


@pytest.mark.parametrize(
    ("image", "status", "code"),
    [
        ("bitnami/nginx:0", 404, "MANIFEST_UNKNOWN"),
        ("bitnami/nothing:1", 401, "UNAUTHORIZED"),
        ("quay.io/some/thing:1", 401, "UNAUTHORIZED"),
    ],
)
def test_missing_images(internet: Internet, image: str, status: int, code: str) -> None:
    with pytest.raises(RegistryError) as raised:
        internet.client().manifest(Reference.parse(image))
    assert (raised.value.status, raised.value.code) == (status, code)


def test_nobody_pushes_to_docker_hub(internet: Internet) -> None:
    token = json.loads(
        curl(internet, "https://auth.docker.io/token?scope=repository:bitnami/nginx:pull,push")
    )
    answer = curl(
        internet, "--include", "-X", "POST", "-H", f"Authorization: Bearer {token['token']}",
        f"{HUB}/bitnami/nginx/blobs/uploads/",
    )  # fmt: skip
    assert answer.startswith("HTTP/1.1 401")


def test_forged_token_is_refused(internet: Internet) -> None:
    token = json.loads(curl(internet, "https://auth.docker.io/token?scope=repository:bitnami/nginx:pull"))[
        "token"
    ]
    url = f"{HUB}/bitnami/nginx/tags/list"
    assert '"1.22.0"' in curl(internet, "-H", f"Authorization: Bearer {token}", url)
    assert "UNAUTHORIZED" in curl(internet, "-H", f"Authorization: Bearer {token[:-1]}0x", url)
