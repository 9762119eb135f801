"""The registry of the guests: anybody pulls, one account pushes and deletes."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from simlab.images import catalog, oci
from simlab.images.layer import Entry, compress, digest, pack
from simlab.images.reference import Reference
from simlab.images.registry_client import RegistryError
from simlab.internet import server

if TYPE_CHECKING:
    from pathlib import Path

    from tests.simlab.internet.conftest import Internet

API = f"https://{server.GUESTS}/v2/sev/conformance"
TAR = pack({"etc/motd": Entry(b"hello")})
IMAGE = oci.build([oci.Layer(compress(TAR), digest(TAR))], {"Cmd": ["true"]})


def curl(internet: Internet, *arguments: str) -> str:
    argv = ["curl", "--silent", "--show-error", "--cacert", str(internet.roots)]
    argv += ["--connect-to", f"::127.0.0.1:{internet.port}", *arguments]
    return subprocess.run(argv, check=True, capture_output=True, timeout=30, text=True).stdout


def status(internet: Internet, token: str, *arguments: str) -> int:
    asked = ("--header", f"Authorization: Bearer {token}", *arguments)
    return int(curl(internet, "--output", "/dev/null", "--write-out", "%{http_code}", *asked))


def token(internet: Internet, *login: str) -> str:
    scope = "service=x&scope=repository:sev/conformance:pull,push"
    return str(json.loads(curl(internet, *login, f"https://{server.GUESTS}/token?{scope}"))["token"])


@pytest.fixture
def pusher(internet: Internet) -> str:
    return token(internet, "--user", f"{server.ACCOUNT}:{server.PASSWORD}")


def push(internet: Internet, pusher: str, folder: Path) -> int:
    for name, data in {**IMAGE.blobs, "manifest": IMAGE.manifest}.items():
        (folder / name).write_bytes(data)
    for name in IMAGE.blobs:
        whole = ("--data-binary", f"@{folder / name}", f"{API}/blobs/uploads/?digest={name}")
        assert status(internet, pusher, "--request", "POST", *whole) == 201
    sent = ("--header", f"Content-Type: {oci.MANIFEST}", "--data-binary", f"@{folder / 'manifest'}")
    return status(internet, pusher, "--request", "PUT", *sent, f"{API}/manifests/{IMAGE.digest}")


def test_an_account_pushes_what_anybody_pulls_and_deletes_it_again(
    internet: Internet, pusher: str, tmp_path: Path
) -> None:
    reference = Reference.parse(f"{server.REPOSITORY}@{IMAGE.digest}")
    assert push(internet, pusher, tmp_path) == 201
    assert internet.client().manifest(reference).digest == IMAGE.digest
    target = f"{API}/manifests/{IMAGE.digest}"
    assert status(internet, token(internet), "--request", "DELETE", target) == 401
    assert status(internet, pusher, "--request", "DELETE", target) == 202
    assert status(internet, pusher, "--request", "DELETE", target) == 404
    with pytest.raises(RegistryError, match="MANIFEST_UNKNOWN"):
        internet.client().manifest(reference)


def test_who_has_no_account_pushes_nothing(internet: Internet) -> None:
    begin = ("--request", "POST", "--data-binary", "@/dev/null", f"{API}/blobs/uploads/")
    assert status(internet, token(internet), *begin) == 401
    assert curl(internet, "--include", *begin).startswith("HTTP/1.1 401")
    wrong = curl(internet, "--include", "--user", f"{server.ACCOUNT}:guess", f"https://{server.GUESTS}/token")
    assert wrong.startswith("HTTP/1.1 401")


def test_the_public_registries_take_and_delete_nothing(internet: Internet, pusher: str) -> None:
    hub = "https://registry-1.docker.io/v2/library/busybox"
    assert status(internet, pusher, "--request", "DELETE", f"{hub}/manifests/{IMAGE.digest}") == 401
    assert status(internet, pusher, "--request", "POST", f"{hub}/blobs/uploads/") == 401


def test_the_plain_busybox_is_found_by_its_index(internet: Internet) -> None:
    client = internet.client()
    reference = Reference.parse(":".join(catalog.PLAIN_BUSYBOX))
    manifest = client.manifest(reference)
    assert [layer["mediaType"] for layer in manifest.content["layers"]] == [oci.LAYER_GZIP]
    config = json.loads(client.blob(reference, manifest.content["config"]["digest"]))
    assert config["config"]["Cmd"] == ["sh"]
