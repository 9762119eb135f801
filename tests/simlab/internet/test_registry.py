"""The local registry takes and gives images over plain HTTP."""

from __future__ import annotations

import http.client
import json
import urllib.parse
from typing import TYPE_CHECKING

from simlab.images import oci
from simlab.images.layer import Entry, compress, digest, pack
from simlab.images.reference import Reference
from simlab.images.registry_client import RegistryClient

if TYPE_CHECKING:
    from http.client import HTTPMessage

TAR = pack({"etc/motd": Entry(b"hello")})
IMAGE = oci.build([oci.Layer(compress(TAR), digest(TAR))], {"Cmd": ["true"]})


def request(
    method: str, url: str, data: bytes | None = None, content_type: str = "application/octet-stream"
) -> tuple[int, HTTPMessage, bytes]:
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=10)
    target = parts._replace(scheme="", netloc="").geturl()
    connection.request(method, target, body=data, headers={"Content-Type": content_type})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, answer.headers, body


def push(registry: str) -> None:
    base = f"http://{registry}"
    for name, data in IMAGE.blobs.items():
        status, headers, _ = request("POST", f"{base}/v2/team/app/blobs/uploads/", b"")
        assert status == 202
        status, headers, _ = request("PATCH", base + headers["Location"], data[:10])
        assert (status, headers["Range"]) == (202, "0-9")
        status, headers, _ = request("PUT", f"{base}{headers['Location']}?digest={name}", data[10:])
        assert (status, headers["Docker-Content-Digest"]) == (201, name)
    status, _, _ = request("PUT", f"{base}/v2/team/app/manifests/v1", IMAGE.manifest, oci.MANIFEST)
    assert status == 201


def test_pushed_image_is_pulled_again(local_registry: str) -> None:
    assert request("GET", f"http://{local_registry}/v2/")[0] == 200
    push(local_registry)
    reference = Reference.parse(f"{local_registry}/team/app:v1")
    client = RegistryClient()
    manifest = client.manifest(reference)
    assert manifest.digest == IMAGE.digest
    for name, data in IMAGE.blobs.items():
        assert client.blob(reference, name) == data


def test_lists(local_registry: str) -> None:
    push(local_registry)
    base = f"http://{local_registry}/v2"
    assert json.loads(request("GET", f"{base}/_catalog")[2]) == {"repositories": ["team/app"]}
    assert json.loads(request("GET", f"{base}/team/app/tags/list")[2]) == {"name": "team/app", "tags": ["v1"]}
    assert request("HEAD", f"{base}/team/app/manifests/v1")[1]["Docker-Content-Digest"] == IMAGE.digest


def code(answer: tuple[int, HTTPMessage, bytes]) -> tuple[int, str]:
    return answer[0], json.loads(answer[2])["errors"][0]["code"]


def test_refusals_are_the_specifications(local_registry: str) -> None:
    base = f"http://{local_registry}/v2"
    none = "sha256:" + "0" * 64
    assert code(request("GET", f"{base}/no/such/manifests/v1")) == (404, "MANIFEST_UNKNOWN")
    assert code(request("GET", f"{base}/no/such/blobs/{none}")) == (404, "BLOB_UNKNOWN")
    assert code(request("GET", f"{base}/no/such/tags/list")) == (404, "NAME_UNKNOWN")
    assert code(request("GET", f"{base}/UPPER/manifests/v1")) == (400, "NAME_INVALID")
    assert code(request("PUT", f"{base}/a/manifests/v1", IMAGE.manifest)) == (400, "MANIFEST_BLOB_UNKNOWN")
    assert code(request("PUT", f"{base}/a/manifests/v1", b"{}")) == (400, "MANIFEST_INVALID")
    _, headers, _ = request("POST", f"{base}/a/blobs/uploads/", b"")
    location = f"http://{local_registry}{headers['Location']}"
    assert code(request("PUT", f"{location}?digest={none}", b"x")) == (400, "DIGEST_INVALID")
    assert code(request("PATCH", location, b"x")) == (404, "BLOB_UPLOAD_UNKNOWN")
