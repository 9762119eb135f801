"""An API server and its controllers as processes of their own, for the tests."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from simlab import pki
from simlab.layout import Layout

REPOSITORY = Path(__file__).parents[3]
START_SECONDS = 20.0
COMMAND_SECONDS = 30.0

Obj = dict[str, Any]


@dataclass
class Answer:
    """What the server answered: code, headers, and the body as data."""

    code: int
    headers: dict[str, str]
    body: Any


@dataclass
class Kube:
    """A running API server on a port of 127.0.0.1."""

    root: Path
    port: int
    server: subprocess.Popen[bytes]
    kubectl_program: str = "kubectl"
    others: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def kubeconfig(self) -> Path:
        return self.root / "kubeconfig"

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @classmethod
    def start(cls, root: Path, *, history: int | None = None) -> Kube:
        listener = socket.create_server(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        layout = Layout(root)
        pki.create(layout, port)
        (layout.pki / "tokens.csv").write_text('good-token,robot,1,"makers,testers"\n')
        command = [sys.executable, "-m", "simlab.kube.apiserver", "--fd", str(listener.fileno())]
        command += ["--pki", str(layout.pki)]
        if history is not None:
            command += ["--history", str(history)]
        log = (root / "apiserver.log").open("wb")
        server = subprocess.Popen(command, cwd=REPOSITORY, pass_fds=(listener.fileno(),), stderr=log)
        listener.close()
        kube = cls(root, port, server)
        kube._await_health()
        return kube

    def start_controllers(self) -> None:
        command = [sys.executable, "-m", "simlab.kube.controllers", "--kubeconfig", str(self.kubeconfig)]
        log = (self.root / "controllers.log").open("wb")
        self.others.append(subprocess.Popen(command, cwd=REPOSITORY, stderr=log))

    def _await_health(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                if self.request("GET", "/healthz", credentials=False, decode=False).body == "ok":
                    return
            except OSError:
                if self.server.poll() is not None or time.monotonic() > deadline:
                    pytest.fail((self.root / "apiserver.log").read_text() or "the API server does not answer")
                time.sleep(0.02)

    def stop(self) -> None:
        for process in (*self.others, self.server):
            process.send_signal(signal.SIGTERM)
        for process in (*self.others, self.server):
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                pytest.fail("a process did not stop at SIGTERM")

    def context(self, *, credentials: bool = True) -> ssl.SSLContext:
        layout = Layout(self.root)
        context = ssl.create_default_context(cafile=str(layout.pki / "ca.crt"))
        if credentials:
            context.load_cert_chain(layout.pki / "admin.crt", layout.pki / "admin.key")
        return context

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        kind: str = "application/json",
        headers: dict[str, str] | None = None,
        credentials: bool = True,
        decode: bool = True,
    ) -> Answer:
        """Ask the server; an error is an answer too. `body` is data, or bytes as they are."""
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}{path}", data, method=method)  # noqa: S310 - https
        if data is not None:
            request.add_header("Content-Type", kind)
        for key, value in (headers or {}).items():
            request.add_header(key, value)
        try:
            context = self.context(credentials=credentials)
            with urllib.request.urlopen(request, context=context, timeout=COMMAND_SECONDS) as answer:  # noqa: S310 - https
                text = answer.read().decode(errors="replace")
                code, found = answer.status, dict(answer.headers)
        except urllib.error.HTTPError as error:
            text, code, found = error.read().decode(), error.code, dict(error.headers)
        return Answer(code, found, json.loads(text) if decode and text.startswith(("{", "[")) else text)

    def create(self, path: str, body: Obj, code: int = 201) -> Obj:
        answer = self.request("POST", path, body)
        assert answer.code == code, answer.body
        found: Obj = answer.body
        return found

    def get(self, path: str) -> Obj:
        answer = self.request("GET", path)
        assert answer.code == 200, answer.body
        found: Obj = answer.body
        return found

    def kubectl(self, *arguments: str, stdin: str | None = None, code: int = 0) -> str:
        """Run the real kubectl; return its output, both streams."""
        if shutil.which(self.kubectl_program) is None:
            pytest.skip("kubectl is not installed")
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.root),
            "KUBECONFIG": str(self.kubeconfig),
        }
        done = subprocess.run(
            [self.kubectl_program, *arguments],
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=COMMAND_SECONDS,
            env=environment,
            check=False,
        )
        assert done.returncode == code, f"exit code {done.returncode}: {done.stdout}"
        return done.stdout


def pod(name: str, **spec: Any) -> Obj:
    """A pod's manifest with one container. No scheduler minds it, unless `schedulerName` says so."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {
            "schedulerName": "nobody",
            "containers": [{"name": "main", "image": "busybox:1.36"}],
            **spec,
        },
    }


def node(name: str, *, ready: str = "True", labels: Obj | None = None, port: int = 10250) -> Obj:
    """A node's manifest with its status, as a kubelet registers it."""
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, **(labels or {})}},
        "status": {
            "allocatable": {"cpu": "4", "memory": "8Gi", "pods": "110"},
            "conditions": [{"type": "Ready", "status": ready, "reason": "KubeletReady"}],
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
            "nodeInfo": {"kubeletVersion": "v1.24.8", "osImage": "Anolis OS 8.6"},
        },
    }
