"""Who may ask, and what malformed requests get: a Status each time, never a traceback."""

from __future__ import annotations

import socket
import ssl
from typing import TYPE_CHECKING, Any

import pytest

from simlab.layout import Layout
from tests.simlab.kube.world import pod

if TYPE_CHECKING:
    from tests.simlab.kube.world import Kube


def test_anonymous_may_read_health_and_version_only(kube: Kube) -> None:
    for path in ("/healthz", "/livez", "/readyz", "/readyz/ping", "/version"):
        assert kube.request("GET", path, credentials=False).code == 200
    answer = kube.request("GET", "/api", credentials=False)
    assert answer.code == 403
    assert answer.body["message"] == 'forbidden: User "system:anonymous" cannot get path "/api"'
    answer = kube.request("GET", "/api/v1/namespaces/default/pods", credentials=False)
    assert answer.code == 403
    assert answer.body["message"] == (
        'pods is forbidden: User "system:anonymous" cannot list resource "pods" in API group "" '
        'in the namespace "default"'
    )
    answer = kube.request("GET", "/apis/apps/v1/namespaces/default/deployments/x/status", credentials=False)
    assert answer.body["message"] == (
        'deployments.apps "x" is forbidden: User "system:anonymous" cannot get resource '
        '"deployments/status" in API group "apps" in the namespace "default"'
    )


def test_tokens(kube: Kube) -> None:
    good = kube.request("GET", "/api", headers={"Authorization": "Bearer good-token"}, credentials=False)
    assert good.code == 200
    bad = kube.request("GET", "/api", headers={"Authorization": "Bearer bad"}, credentials=False)
    assert (bad.code, bad.body["reason"], bad.body["message"]) == (401, "Unauthorized", "Unauthorized")


def test_certificate_of_another_authority_is_refused(kube: Kube) -> None:
    layout = Layout(kube.root)
    context = ssl.create_default_context(cafile=str(layout.pki / "ca.crt"))
    context.load_cert_chain(layout.pki / "internet.crt", layout.pki / "internet.key")
    assert not answered(kube, context)
    context.load_cert_chain(layout.pki / "admin.crt", layout.pki / "admin.key")
    assert answered(kube, context)


def answered(kube: Kube, context: ssl.SSLContext) -> bool:
    """Whether the server talks to a client with this certificate (a refusal is a TLS alert or a reset)."""
    with socket.create_connection(("127.0.0.1", kube.port)) as plain:
        try:
            with context.wrap_socket(plain, server_hostname="127.0.0.1") as secured:
                secured.sendall(b"GET /version HTTP/1.1\r\nHost: x\r\n\r\n")
                return bool(secured.recv(100))
        except OSError:
            return False


def test_version(kube: Kube) -> None:
    version = kube.get("/version")
    assert (version["major"], version["minor"]) == ("1", "24")
    assert version["gitVersion"].startswith("v1.24.")


PODS = "/api/v1/namespaces/default/pods"


@pytest.mark.parametrize(
    ("method", "path", "body", "kind", "code"),
    [
        ("POST", PODS, b"{", "application/json", 400),
        ("POST", PODS, b"[]", "application/json", 400),
        ("POST", PODS, b"null", "application/json", 400),
        ("POST", PODS, b"", "application/json", 400),
        ("POST", PODS, b"\xff\xfe", "application/json", 400),
        ("POST", PODS, b"a: [", "application/yaml", 400),
        ("POST", PODS, b"x", "text/plain", 415),
        ("POST", PODS, b"k8s\x00\x0a\xff", "application/vnd.kubernetes.protobuf", 400),
        pytest.param("POST", PODS, b"[" * 100000, "application/json", 400, id="POST deeply nested"),
        ("POST", PODS, {"kind": "Node", "apiVersion": "v1"}, "application/json", 400),
        ("POST", PODS, {"kind": "Pod", "apiVersion": "v2"}, "application/json", 400),
        ("POST", PODS, {"metadata": [], "spec": {}}, "application/json", 400),
        ("POST", PODS, {"metadata": {"name": "a", "namespace": "b"}}, "application/json", 400),
        ("POST", PODS, {"metadata": {"name": "a"}, "spec": {"containers": {}}}, "application/json", 400),
        ("POST", PODS, {"metadata": {"name": "a"}, "spec": {"containers": [1]}}, "application/json", 400),
        ("POST", PODS, {"metadata": {"name": "a"}}, "application/json", 422),
        ("POST", PODS, {"metadata": {"name": "a", "labels": {"x": 1}}}, "application/json", 400),
        ("PATCH", f"{PODS}/none", {}, "application/merge-patch+json", 404),
        ("PATCH", f"{PODS}/none", {}, "application/json", 415),
        ("PUT", f"{PODS}/none", pod("other"), "application/json", 400),
        ("PUT", f"{PODS}/none", pod("none"), "application/json", 404),
        ("POST", f"{PODS}/none/binding", {"target": {}}, "application/json", 400),
        ("DELETE", f"{PODS}/none", {"gracePeriodSeconds": "x"}, "application/json", 400),
        ("DELETE", f"{PODS}/none", {"propagationPolicy": "Sideways"}, "application/json", 422),
        ("GET", f"{PODS}?limit=many", None, "", 400),
        ("GET", f"{PODS}?labelSelector=a%3D%3D%3Db", None, "", 400),
        ("GET", f"{PODS}?labelSelector=in%20(a", None, "", 400),
        ("GET", f"{PODS}?fieldSelector=nonsense", None, "", 400),
        ("GET", f"{PODS}?continue=abc", None, "", 400),
        ("GET", f"{PODS}?resourceVersion=new", None, "", 400),
        ("GET", f"{PODS}?watch=1&resourceVersion=-5", None, "", 400),
        ("GET", "/api/v1/namespaces/default/podz", None, "", 404),
        ("GET", "/apis/none/v1/things", None, "", 404),
        ("GET", "/nothing", None, "", 404),
        ("POST", "/api/v1/pods", pod("a"), "application/json", 400),
        ("POST", f"{PODS}/a", pod("a"), "application/json", 405),
        ("PUT", PODS, pod("a"), "application/json", 405),
        ("OPTIONS", PODS, None, "", 405),
        ("GET", f"{PODS}/none/exec", None, "", 404),
        ("GET", f"{PODS}/none/nonsense", None, "", 404),
    ],
)
def test_malformed_request_gets_a_status(
    kube: Kube, method: str, path: str, body: Any, kind: str, code: int
) -> None:
    answer = kube.request(method, path, body, kind=kind)
    assert answer.code == code, answer.body
    if code != 404:
        assert answer.body["kind"] == "Status"
        assert answer.body["status"] == "Failure"
        assert answer.body["code"] == code
    assert "Traceback" not in str(answer.body)


def test_body_that_is_too_large(kube: Kube) -> None:
    answer = kube.request("POST", PODS, b" " * (3 * 1024 * 1024 + 1))
    assert answer.code == 413
    assert answer.body["reason"] == "RequestEntityTooLarge"


@pytest.fixture(autouse=True)
def no_internal_errors(kube: Kube) -> Any:
    """A traceback in the server's log is a failure, whatever the client saw."""
    log = kube.root / "apiserver.log"
    before = log.stat().st_size
    yield
    assert "Traceback" not in log.read_text()[before:]
