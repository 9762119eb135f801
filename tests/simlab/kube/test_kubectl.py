"""The real kubectl, as a person uses it, without any special flag: Debian 12's old one, and newer ones."""

from __future__ import annotations

import functools
import http.server
import json
import os
import shutil
import ssl
import subprocess
import threading
from typing import TYPE_CHECKING

import pytest

from simlab.layout import Layout
from tests.simlab.kube.world import node, pod

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.simlab.kube.world import Kube

MERGE = "application/strategic-merge-patch+json"

# From this minor version on kubectl leaves it to the server to say what is wrong with a manifest.
SERVER_VALIDATES = 24
OLD, NEW = "before 1.24", "1.24 or later"


@functools.cache
def programs() -> dict[str, str]:
    """The first kubectl of either age in the folders of PATH."""
    found: dict[str, str] = {}
    for folder in os.get_exec_path():
        program = shutil.which("kubectl", path=folder)
        if program is not None:
            said = subprocess.run(
                [program, "version", "--client", "--output=json"], capture_output=True, check=True, timeout=30
            ).stdout
            minor = int(json.loads(said)["clientVersion"]["minor"].rstrip("+"))
            found.setdefault(OLD if minor < SERVER_VALIDATES else NEW, program)
    return found


@pytest.fixture(params=[OLD, NEW], autouse=True)
def age(request: pytest.FixtureRequest, kube: Kube, monkeypatch: pytest.MonkeyPatch) -> str:
    """Which kubectl `kube` runs."""
    program = programs().get(request.param)
    if program is None:
        pytest.skip(f"no kubectl {request.param} in the folders of PATH")
    monkeypatch.setattr(kube, "kubectl_program", program)
    return str(request.param)


def test_apply_create_change_prune_and_delete(kube: Kube, namespace: str) -> None:
    manifest = pod("web")
    manifest["metadata"]["labels"] = {"app": "web", "old": "yes"}
    text = json.dumps(manifest)
    assert kube.kubectl("apply", "-n", namespace, "-f", "-", stdin=text) == "pod/web created\n"
    assert kube.kubectl("apply", "-n", namespace, "-f", "-", stdin=text) == "pod/web unchanged\n"
    kube.kubectl("label", "-n", namespace, "pod/web", "mine=kept")
    manifest["metadata"]["labels"] = {"app": "web2"}
    manifest["spec"]["containers"][0]["image"] = "busybox:2"
    text = json.dumps(manifest)
    assert kube.kubectl("apply", "-n", namespace, "-f", "-", stdin=text) == "pod/web configured\n"
    found = json.loads(kube.kubectl("get", "-n", namespace, "pod/web", "-o", "json"))
    assert found["metadata"]["labels"] == {"app": "web2", "mine": "kept"}
    assert found["spec"]["containers"][0]["image"] == "busybox:2"
    assert found["spec"]["containers"][0]["volumeMounts"]
    assert 'pod "web" deleted' in kube.kubectl("delete", "-n", namespace, "-f", "-", stdin=text)


def test_apply_refuses_unknown_fields(kube: Kube, namespace: str, age: str) -> None:
    text = json.dumps(pod("web", runtimeClas="kata"))
    said = kube.kubectl("apply", "-n", namespace, "-f", "-", stdin=text, code=1)
    texts = {
        OLD: 'ValidationError(Pod.spec): unknown field "runtimeClas" in io.k8s.api.core.v1.PodSpec',
        NEW: 'strict decoding error: unknown field "spec.runtimeClas"',
    }
    assert texts[age] in said


def test_apply_takes_numbers_where_strings_may_stand(kube: Kube, namespace: str) -> None:
    main = {
        "name": "main",
        "image": "busybox:1.36",
        "resources": {"limits": {"cpu": 1, "memory": "1Gi"}},
        "livenessProbe": {"httpGet": {"port": 80}},
        "readinessProbe": {"tcpSocket": {"port": "http"}},
    }
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "creationTimestamp": None},
        "spec": {
            "replicas": 0,
            "strategy": {"rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 1}},
            "selector": {"matchLabels": {"app": "web"}},
            "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [main]}},
        },
    }
    text = json.dumps(deployment)
    assert kube.kubectl("create", "-n", namespace, "-f", "-", stdin=text) == "deployment.apps/web created\n"
    kube.kubectl("delete", "-n", namespace, "deployment/web")


def test_runtime_class_refusal_is_shown(kube: Kube, namespace: str) -> None:
    text = json.dumps(pod("busybox", runtimeClassName="kata-qemu-sev"))
    said = kube.kubectl("apply", "-n", namespace, "-f", "-", stdin=text, code=1)
    assert 'pods "busybox" is forbidden: pod rejected: RuntimeClass "kata-qemu-sev" not found' in said


def test_server_side_apply_keeps_owners_apart(kube: Kube, namespace: str) -> None:
    def apply(manager: str, labels: dict[str, str], *flags: str, code: int = 0) -> str:
        text = json.dumps(
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m", "labels": labels}}
        )
        return kube.kubectl(
            "apply",
            "-n",
            namespace,
            "--server-side",
            f"--field-manager={manager}",
            *flags,
            "-f",
            "-",
            stdin=text,
            code=code,
        )

    apply("one", {"a": "1", "b": "1"})
    apply("two", {"c": "2"})
    said = apply("two", {"a": "2"}, code=1)
    assert 'Apply failed with 1 conflict: conflict with "one" using v1: .metadata.labels.a' in said
    apply("two", {"a": "2"}, "--force-conflicts")
    apply("one", {"b": "1"})
    found = kube.get(f"/api/v1/namespaces/{namespace}/configmaps/m")["metadata"]
    assert found["labels"] == {"a": "2", "b": "1"}
    owned = {entry["manager"]: entry["fieldsV1"] for entry in found["managedFields"]}
    assert owned == {
        "one": {"f:metadata": {"f:labels": {"f:b": {}}}},
        "two": {"f:metadata": {"f:labels": {"f:a": {}}}},
    }


def test_annotate_patch_and_set(kube: Kube, namespace: str) -> None:
    kube.create(f"/api/v1/namespaces/{namespace}/pods", pod("a"))
    kube.kubectl("annotate", "-n", namespace, "pod", "a", "note=one")
    kube.kubectl("annotate", "-n", namespace, "pod", "a", "note=two", "--overwrite")
    kube.kubectl("patch", "-n", namespace, "pod", "a", "-p", '{"metadata":{"labels":{"x":"y"}}}')
    kube.kubectl("set", "image", "-n", namespace, "pod/a", "main=busybox:9")
    shown = kube.kubectl("get", "-n", namespace, "pod", "a", "-L", "x", "-o", "wide")
    assert shown.splitlines()[0].split()[-1] == "X"
    assert shown.splitlines()[1].split()[-1] == "y"
    image = kube.kubectl("get", "-n", namespace, "pod/a", "-o", "jsonpath={.spec.containers[0].image}")
    assert image == "busybox:9"


def test_create_commands_that_speak_protobuf(kube: Kube, namespace: str) -> None:
    for arguments in (
        ("create", "configmap", "m", "--from-literal=a=b"),
        ("create", "secret", "generic", "s", "--from-literal=password=hunter2"),
        ("create", "serviceaccount", "robot"),
        ("create", "deployment", "web", "--image=nginx:1.22", "--port=80", "--replicas=0"),
        ("create", "service", "clusterip", "web", "--tcp=80:8080"),
        ("create", "role", "reader", "--verb=get", "--resource=pods"),
        ("create", "quota", "q", "--hard=pods=5"),
    ):
        kube.kubectl(*arguments, "-n", namespace)
    root = f"/api/v1/namespaces/{namespace}"
    assert kube.get(f"{root}/configmaps/m")["data"] == {"a": "b"}
    assert kube.get(f"{root}/secrets/s")["data"] == {"password": "aHVudGVyMg=="}
    assert kube.get(f"{root}/services/web")["spec"]["ports"][0]["targetPort"] == 8080
    assert kube.get(f"{root}/resourcequotas/q")["spec"]["hard"] == {"pods": "5"}
    deployment = kube.get(f"/apis/apps/v1/namespaces/{namespace}/deployments/web")
    assert deployment["spec"]["replicas"] == 0
    assert deployment["spec"]["template"]["spec"]["containers"][0]["ports"] == [
        {"containerPort": 80, "protocol": "TCP"}
    ]


def test_get_shows_status_as_a_real_server_computes_it(kube: Kube, pods: str, namespace: str) -> None:
    kube.create(pods, pod("a", nodeName="somewhere"))
    waiting = {
        "name": "main",
        "ready": False,
        "restartCount": 0,
        "image": "",
        "imageID": "",
        "state": {"waiting": {"reason": "ImagePullBackOff"}},
    }
    status = {"status": {"podIP": "10.0.0.7", "containerStatuses": [waiting]}}
    kube.request("PATCH", f"{pods}/a/status", status, kind=MERGE)
    row = kube.kubectl("get", "-n", namespace, "pod", "a", "-o", "wide", "--no-headers").split()
    assert row[:4] == ["a", "0/1", "ImagePullBackOff", "0"]
    assert row[5:] == ["10.0.0.7", "somewhere", "<none>", "<none>"]
    kube.kubectl("delete", "-n", namespace, "pod", "a", "--wait=false")
    assert kube.kubectl("get", "-n", namespace, "pod", "a", "--no-headers").split()[2] == "Terminating"
    kube.kubectl("delete", "-n", namespace, "pod", "a", "--force", "--grace-period=0")


def test_describe_shows_events(kube: Kube, pods: str, namespace: str) -> None:
    made = kube.create(pods, pod("a", nodeSelector={"nowhere": "true"}))
    event = {
        "metadata": {"name": "a.1"},
        "involvedObject": {
            "kind": "Pod",
            "namespace": namespace,
            "name": "a",
            "uid": made["metadata"]["uid"],
        },
        "reason": "FailedCreatePodSandBox",
        "message": "Failed to create pod sandbox: no",
        "type": "Warning",
        "count": 1,
        "source": {"component": "kubelet", "host": "n"},
    }
    kube.create(f"/api/v1/namespaces/{namespace}/events", event)
    shown = kube.kubectl("describe", "-n", namespace, "pod", "a")
    assert "Failed to create pod sandbox: no" in shown
    assert "kube-api-access-" in shown
    assert "FailedCreatePodSandBox" in kube.kubectl("get", "events", "-n", namespace)


def test_wait_sees_a_condition_and_a_deletion(kube: Kube, pods: str, namespace: str, age: str) -> None:
    kube.create(pods, pod("a", nodeName="somewhere"))

    def become_ready() -> None:
        status = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
        kube.request("PATCH", f"{pods}/a/status", status, kind=MERGE)

    timer = threading.Timer(0.5, become_ready)
    timer.start()
    said = kube.kubectl("wait", "-n", namespace, "--for=condition=Ready", "pod/a", "--timeout=20s")
    timer.join()
    assert said == "pod/a condition met\n"
    # The old one takes what is gone when it comes for a mistake: it needs time to come.
    delay = 3 if age == OLD else 0.5
    timer = threading.Timer(delay, lambda: kube.request("DELETE", f"{pods}/a", {"gracePeriodSeconds": 0}))
    timer.start()
    assert kube.kubectl("wait", "-n", namespace, "--for=delete", "pod/a", "--timeout=20s")
    timer.join()


@pytest.fixture
def kubelet(kube: Kube) -> Iterator[int]:
    """A kubelet that answers for one container's log, over TLS; the value is its port."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            ready = self.path.startswith("/containerLogs/") and "/started/" in self.path
            text = (
                "one\ntwo\n"
                if ready
                else 'container "main" in pod "a" is waiting to start: ContainerCreating'
            )
            if "tailLines=1" in self.path:
                text = "two\n"
            self.answer(200 if ready else 400, text)

        def do_POST(self) -> None:
            self.answer(500, "rpc error: code = Unimplemented desc = ExecProcessRequest is blocked")

        def answer(self, code: int, text: str) -> None:
            self.send_response(code)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    pki = Layout(kube.root).pki
    context.load_cert_chain(pki / "apiserver.crt", pki / "apiserver.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


def test_logs_and_refusals_of_exec_come_from_the_kubelet(
    kube: Kube, pods: str, namespace: str, kubelet: int
) -> None:
    name = f"{namespace}-node"
    kube.create("/api/v1/nodes", node(name, port=kubelet))
    kube.create(pods, pod("started", nodeName=name))
    kube.create(pods, pod("a", nodeName=name))
    assert kube.kubectl("logs", "-n", namespace, "started") == "one\ntwo\n"
    assert kube.kubectl("logs", "-n", namespace, "started", "--tail=1") == "two\n"
    said = kube.kubectl("logs", "-n", namespace, "a", code=1)
    assert said.startswith("Error from server (BadRequest): ")
    assert "is waiting to start: ContainerCreating" in said
    assert "container other is not valid for pod a" in kube.kubectl(
        "logs", "-n", namespace, "a", "-c", "other", code=1
    )
    said = kube.kubectl("exec", "-n", namespace, "a", "--", "true", code=1)
    assert said.endswith("rpc error: code = Unimplemented desc = ExecProcessRequest is blocked\n")
    kube.request("DELETE", f"/api/v1/nodes/{name}")


def test_nodes_in_wide_form(kube: Kube) -> None:
    kube.create("/api/v1/nodes", node("shown", labels={"node-role.kubernetes.io/worker": ""}))
    kube.kubectl("cordon", "shown")
    row = kube.kubectl("get", "node", "shown", "-o", "wide", "--no-headers").split(maxsplit=7)
    assert row[:3] == ["shown", "Ready,SchedulingDisabled", "worker"]
    assert row[4:7] == ["v1.24.8", "127.0.0.1", "<none>"]
    assert "Anolis OS 8.6" in row[7]
    assert "Ready" in kube.kubectl("describe", "node", "shown")
    kube.kubectl("delete", "node", "shown")


def test_custom_resources_are_explained_and_validated(kube: Kube, namespace: str, age: str) -> None:
    open_ended = {"x-kubernetes-preserve-unknown-fields": True}
    spec = {
        "description": "How the gadget shall be.",
        "type": "object",
        "required": ["size"],
        "properties": {
            "size": {"type": "integer", "minimum": 1, "default": 2},
            "colour": {"type": "string", "enum": ["red", "blue"], "nullable": True},
            "port": {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]},
            "more": {"type": "object", "properties": {"a": {"type": "string"}}, **open_ended},
            "lists": {
                "type": "object",
                "additionalProperties": {"type": "array", "items": {"type": "string"}},
            },
        },
    }
    schema = {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}}
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "gadgets.example.com"},
        "spec": {
            "group": "example.com",
            "names": {"kind": "Gadget", "plural": "gadgets"},
            "scope": "Namespaced",
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
        },
    }
    gadget = {
        "apiVersion": "example.com/v1",
        "kind": "Gadget",
        "metadata": {"name": "g"},
        "spec": {"size": 3, "colour": None, "port": 80, "more": {"b": {"c": 1}}, "lists": {"x": ["y"]}},
    }
    kube.kubectl("apply", "-f", "-", stdin=json.dumps(definition))
    kube.kubectl("wait", "--for=condition=Established", "crd/gadgets.example.com", "--timeout=20s")
    apply = ("apply", "-n", namespace, "-f", "-")
    assert kube.kubectl(*apply, stdin=json.dumps(gadget)) == "gadget.example.com/g created\n"
    assert "How the gadget shall be." in kube.kubectl("explain", "gadgets.spec")
    said = kube.kubectl(*apply, stdin=json.dumps({**gadget, "spec": {"size": 3, "weight": 1}}), code=1)
    texts = {OLD: 'unknown field "weight" in com.example.v1.Gadget.spec', NEW: 'unknown field "spec.weight"'}
    assert texts[age] in said
    kube.kubectl("delete", "-f", "-", stdin=json.dumps(definition))


def test_explain_api_resources_and_diff(kube: Kube, namespace: str, age: str) -> None:
    assert "RuntimeClassName refers to" in kube.kubectl("explain", "pod.spec.runtimeClassName")
    if age == NEW:
        # The old one reads no other document.
        of_version_2 = kube.kubectl("explain", "runtimeclass", "--output=plaintext-openapiv2")
        assert "handler\t<string> -required-" in of_version_2
    resources = kube.kubectl("api-resources")
    assert "runtimeclasses" in resources
    assert "po " in resources
    assert "v1.24" in kube.kubectl("version")
    text = json.dumps(pod("a"))
    assert "+  name: a" in kube.kubectl("diff", "-n", namespace, "-f", "-", stdin=text, code=1)
    assert "pod/a created (server dry run)" in kube.kubectl(
        "apply", "-n", namespace, "--dry-run=server", "-f", "-", stdin=text
    )
    assert kube.kubectl("auth", "can-i", "delete", "pods") == "yes\n"
