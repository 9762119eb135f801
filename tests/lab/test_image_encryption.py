from __future__ import annotations

import base64
import json
import re
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from lab.errors import CommandFailed, NotProven
from lab.image_encryption import Reference, Registries, what_is_not_encrypted
from lab.layer_key import PACKET

if TYPE_CHECKING:
    from lab.host import Host

TAR = "application/vnd.oci.image.layer.v1.tar+gzip"


def layer(kid: str | None = "key_id1", kind: str = f"{TAR}+encrypted") -> dict[str, Any]:
    packet = base64.b64encode(json.dumps({"kid": kid}).encode()).decode()
    return {"mediaType": kind, "digest": "sha256:1", "annotations": {PACKET: packet} if kid else {}}


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("docker.io/haosanzi/busybox-v1:encrypted", "registry-1.docker.io haosanzi/busybox-v1 encrypted"),
        ("haosanzi/busybox-v1", "registry-1.docker.io haosanzi/busybox-v1 latest"),
        ("busybox", "registry-1.docker.io library/busybox latest"),
        ("mirror.example:5000/a/b/c:1", "mirror.example:5000 a/b/c 1"),
        ("localhost/a@sha256:f", "localhost a sha256:f"),
    ],
)
def test_a_reference_has_docker_s_defaults(text: str, parts: str) -> None:
    assert Reference.parse(text) == Reference(*parts.split())


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        ([layer()], None),
        ([layer(), layer(kind=TAR)], "1 of its 2 layers are not encrypted"),
        ([], "0 of its 0 layers"),
        ([layer(kid=None)], "not encrypted for the attestation agent"),
        ([layer(), layer("another")], "for the key 'another', not 'key_id1'"),
    ],
)
def test_every_layer_must_need_the_key(layers: list[dict[str, Any]], said: str | None) -> None:
    wrong = what_is_not_encrypted({"layers": layers}, "key_id1")
    assert wrong is None if said is None else said in str(wrong)


class Curl:
    """A host whose curl meets a registry with tokens and an index."""

    def __init__(self, status: str = "200") -> None:
        self._status = status
        self.seen: list[str] = []

    def run(self, command: str, *args: str, **options: Any) -> Any:
        self.seen.append(" ".join((command, *args)))
        if "--get" in command:
            assert args == ("https://auth.example/token", "service=r", "scope=repository:a/b:pull")
            return SimpleNamespace(stdout='{"token": "t0ken"}', succeeded=True)
        if "t0ken" not in options["input"]:
            offer = 'Bearer realm="https://auth.example/token",service="r",scope="repository:a/b:pull"'
            return SimpleNamespace(stdout=f"HTTP/1.1 401 No\r\nWww-Authenticate: {offer}\r\n\r\n{{}}")
        arm, amd = ({"digest": f"sha256:{x}", "platform": {"architecture": x}} for x in ("arm64", "amd64"))
        body = {"layers": []} if args[-1].endswith("/manifests/sha256:amd64") else {"manifests": [arm, amd]}
        return SimpleNamespace(stdout=f"HTTP/2 {self._status}\r\nx: y\r\n\r\n{json.dumps(body)}")


def test_a_manifest_is_fetched_with_a_token_that_no_command_line_shows() -> None:
    host = Curl()
    assert Registries(cast("Host", host), seconds=9).manifest("mirror.example/a/b:1") == {"layers": []}
    assert "t0ken" not in "".join(host.seen)


def test_a_registry_that_gives_no_manifest_is_a_precondition() -> None:
    with pytest.raises(NotProven, match=r"manifest of mirror\.example/a/b:1 .* status 404"):
        Registries(cast("Host", Curl("404")), seconds=9).manifest("mirror.example/a/b:1")


def test_a_registry_that_is_down_is_a_precondition() -> None:
    class Down:
        def run(self, command: str, *_: str, **__: Any) -> Any:
            raise CommandFailed(command, 7, "curl: (7) Failed to connect")

    with pytest.raises(NotProven, match="Failed to connect"):
        Registries(cast("Host", Down()), seconds=9).manifest("busybox")


def test_a_registry_is_asked_once_and_its_answer_kept() -> None:
    host = Curl()
    registries = Registries(cast("Host", host), seconds=9)
    for _ in range(2):
        with pytest.raises(
            NotProven, match=r"a pod of mirror\.example/a/b:1 proves nothing: 0 of its 0 layers"
        ):
            registries.require_encrypted("mirror.example/a/b:1", "key_id1")
    assert len([command for command in host.seen if "--get" in command]) == 1, (
        "the tag's, kept for the digest's"
    )


class Holding:
    """A host whose curl meets a registry with one manifest, and with blobs that come as it is told."""

    def __init__(self, manifest: Any, blob: str) -> None:
        self._manifest = json.dumps(manifest)
        self._blob = blob

    def run(self, command: str, *args: str, **_: Any) -> Any:
        if "/manifests/" in args[-1]:
            return SimpleNamespace(stdout=f"HTTP/1.1 200 OK\r\n\r\n{self._manifest}")
        if self._blob.startswith("curl"):
            raise CommandFailed(command, 18, self._blob)
        return SimpleNamespace(stdout=self._blob)


@pytest.mark.parametrize(
    ("blob", "said"),
    [
        ("HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n", None),
        ("HTTP/1.1 200 OK\r\n\r\n", None),
        ("HTTP/1.1 500 No\r\n\r\n", "sha256:1 of r.example/a:1 cannot be downloaded: status 500"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", "has 3 bytes, and should have 7"),
        ("curl: (18) transfer closed with 4 bytes remaining", "transfer closed"),
    ],
)
def test_an_image_that_its_registry_has_not_whole_is_a_precondition(blob: str, said: str | None) -> None:
    config = {"digest": "sha256:1", "size": 7}
    host = Holding({"config": config, "layers": [layer() | {"size": 7}]}, blob)
    registries = Registries(cast("Host", host), seconds=9)
    if said is None:
        registries.require_encrypted("r.example/a:1", "key_id1")
        return
    with pytest.raises(NotProven, match=re.escape(said)):
        registries.require_encrypted("r.example/a:1", "key_id1")


@pytest.mark.parametrize(
    "manifest", [[], "x", None, {"layers": "x"}, {"layers": [1]}, {"manifests": {"a": 1}}]
)
def test_json_that_is_no_manifest_is_a_precondition(manifest: Any) -> None:
    host = Holding(manifest, "")
    with pytest.raises(NotProven, match=r"cannot be read: .* JSON that is no manifest"):
        Registries(cast("Host", host), seconds=9).manifest("r.example/a:1")
