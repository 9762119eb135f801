"""The schema documents and their forms; what kubectl makes of them is in `test_kubectl`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from simlab.kube import gnostic

if TYPE_CHECKING:
    from tests.simlab.kube.world import Kube

OLD_NAME = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"
NAME = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
BINARY, JSON = "application/octet-stream", "application/json"


def test_protobuf_form_to_the_byte() -> None:
    schema = {"type": "object", "x-k": [1]}
    document = {"swagger": "2.0", "info": {"title": "T"}, "definitions": {"A": schema}}
    written = (
        b"\x0a\x032.0"
        b"\x12\x03\x0a\x01T"
        b"\x4a\x21\x0a\x1f\x0a\x01A\x12\x1a"
        b"\xb2\x01\x08\x0a\x06object"
        b"\xfa\x01\x0c\x0a\x03x-k\x12\x05\x12\x03[1]"
    )
    assert gnostic.encode(document) == written


def test_numbers_on_the_wire() -> None:
    schema = {"minimum": -1, "maxLength": 300, "uniqueItems": True, "additionalProperties": False}
    named = b"\x49\x00\x00\x00\x00\x00\x00\xf0\xbf\x58\xac\x02\x80\x01\x01\xaa\x01\x02\x10\x00"
    length = len(named)
    written = bytes([0x4A, length + 7, 0x0A, length + 5]) + b"\x0a\x01A\x12" + bytes([length]) + named
    assert gnostic.encode({"definitions": {"A": schema}}) == written


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("", JSON),
        ("*/*", JSON),
        (OLD_NAME, BINARY),
        (NAME, BINARY),
        (f"{NAME};q=0.5, application/json", JSON),
        (f"application/json;q=0.5, {OLD_NAME}", BINARY),
        (f"text/html, {NAME}", BINARY),
    ],
)
def test_form_that_the_client_likes_best(kube: Kube, accept: str, kind: str) -> None:
    answer = kube.request("GET", "/openapi/v2", headers={"Accept": accept})
    assert (answer.code, answer.headers["Content-Type"].partition(";")[0]) == (200, kind)
    assert answer.headers["Vary"] == "Accept"


@pytest.mark.parametrize(("path", "accept"), [("/openapi/v2", "text/html"), ("/openapi/v3", NAME)])
def test_form_that_there_is_not(kube: Kube, path: str, accept: str) -> None:
    assert kube.request("GET", path, headers={"Accept": accept}).code == 406


def test_kinds_are_named_as_in_kubernetes(kube: Kube) -> None:
    names = kube.get("/openapi/v2")["definitions"]
    for name in (
        "io.k8s.api.core.v1.PodSpec",
        "io.k8s.api.core.v1.Event",
        "io.k8s.api.events.v1.Event",
        "io.k8s.api.apps.v1.DeploymentSpec",
        "io.k8s.api.rbac.v1.Subject",
        "io.k8s.api.node.v1.RuntimeClass",
        "io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelector",
        "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps",
    ):
        assert name in names
