"""A whole simulated lab under test: its host by SSH, its cluster by its API."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import shlex
import ssl
import subprocess
import sys
import time
import urllib.parse
from typing import TYPE_CHECKING, Any, Self, TypeVar

from simlab.layout import Layout

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

START_SECONDS = 60.0
PATIENCE = 20.0
ENCRYPTED = "docker.io/haosanzi/busybox-v1:encrypted"
PLAIN = "bitnami/nginx:1.22.0"
CONFIGURATIONS = "/opt/confidential-containers/share/defaults/kata-containers"
SEV_CONFIGURATION = f"{CONFIGURATIONS}/configuration-qemu-sev.toml"
DEMO = "https://mirrors.openanolis.cn/inclavare-containers/confidential-containers-demo/bin/ccv3-sev"
ONLINE_GUID = "1ee27366-0c87-43a6-af48-28543eaf7cb0"
OFFLINE_GUID = "e6f5a162-d67f-4750-a67c-5d065f2a9910"

PODS = "/api/v1/namespaces/default/pods"
EVENTS = "/api/v1/namespaces/default/events"

Object = dict[str, Any]
T = TypeVar("T")


class WholeLab:
    """One lab, from `python -m simlab up` to its end."""

    def __init__(self, folder: Path) -> None:
        self.layout = Layout(folder)
        self._keeper = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "simlab",
                "up",
                "--attached",
                "--root",
                str(folder),
                "--name",
                folder.name,
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._keeper.stdout is not None
        line = self._keeper.stdout.readline()
        assert line, f"the lab did not come up: {self._keeper.wait()}"
        self._ssh = shlex.split(json.loads(line)["ssh"])
        server = re.search(r"https://127\.0\.0\.1:(\d+)", self.layout.kubeconfig.read_text())
        assert server
        self._api_port = int(server[1])
        self._tls = ssl.create_default_context(cafile=str(self.layout.pki / "ca.crt"))
        self._tls.load_cert_chain(self.layout.pki / "admin.crt", self.layout.pki / "admin.key")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._keeper.stdin is not None
        self._keeper.stdin.close()
        try:
            self._keeper.wait(START_SECONDS)
        except subprocess.TimeoutExpired:
            self._keeper.kill()
            raise

    def run(self, command: str) -> str:
        """Output of a command on the host, which must succeed."""
        done = subprocess.run([*self._ssh, command], capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def api(self, method: str, path: str, body: Object | None = None) -> tuple[int, Object]:
        """Status and answer of a request to the cluster's API, made as its administrator."""
        connection = http.client.HTTPSConnection("127.0.0.1", self._api_port, context=self._tls, timeout=30)
        text = None if body is None else json.dumps(body)
        with contextlib.closing(connection):
            connection.request(method, path, text, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            content = answer.read()
        if "json" not in answer.getheader("Content-Type", ""):
            return answer.status, {"text": content.decode()}
        return answer.status, json.loads(content)

    def create(self, path: str, body: Object) -> None:
        """Create an object, which must succeed."""
        status, answer = self.api("POST", path, body)
        assert status == 201, answer

    def sql(self, statement: str) -> None:
        """Run a statement in the KBS's database."""
        query = shlex.quote(statement)
        self.run(f"mysql -ukbsuser -pkbspassword -h 172.18.0.2 -D simple_kbs -e {query}")

    def wait_for_database(self) -> None:
        """Wait until the database answers, as after its start."""
        ask = "mysql -ukbsuser -pkbspassword -h 172.18.0.2 -e 'select 1' >/dev/null 2>&1"
        self.run(f"timeout {PATIENCE:.0f} sh -c {shlex.quote(f'until {ask}; do sleep 0.1; done')}")

    @contextlib.contextmanager
    def pod(self, name: str, image: str, runtime_class: str = "", **annotations: str) -> Iterator[Pod]:
        """Create a pod, and delete it afterwards."""
        spec: Object = {
            "containers": [{"name": "it", "image": image, "imagePullPolicy": "Always"}],
            "restartPolicy": "Never",
        }
        if runtime_class:
            spec["runtimeClassName"] = runtime_class
        body = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": name,
                "annotations": {f"io.katacontainers.{k}": v for k, v in annotations.items()},
            },
            "spec": spec,
        }
        self.create(PODS, body)
        pod = Pod(self, name)
        try:
            yield pod
        finally:
            self.api("DELETE", f"{PODS}/{name}", {"gracePeriodSeconds": 1})
            until(lambda: self.api("GET", f"{PODS}/{name}")[0] == 404, f"pod {name} is gone", pod.describe)

    def kata_configuration(self, name: str, **values: str | int | bool) -> str:
        """Path of a copy of the SEV configuration with other values; keys as in the file."""
        path = f"/root/{name}.toml"
        edits = " ".join(
            "-e " + shlex.quote(f"s|^{key} = .*|{key} = {json.dumps(value)}|")
            for key, value in values.items()
        )
        self.run(f"sed {edits} {SEV_CONFIGURATION} > {path}" if edits else f"cp {SEV_CONFIGURATION} {path}")
        return path


class Pod:
    """A pod under test."""

    def __init__(self, lab: WholeLab, name: str) -> None:
        self.name = name
        self._lab = lab

    def object(self) -> Object:
        """The pod as the API has it."""
        return self._lab.api("GET", f"{PODS}/{self.name}")[1]

    def waiting_reason(self) -> str:
        """Why the pod's container waits."""
        statuses = self.object()["status"]["containerStatuses"]
        return str(statuses[0]["state"].get("waiting", {}).get("reason", ""))

    def pid(self) -> str:
        """Process id of the pod's QEMU on the host."""
        return self._lab.run(f"cat /run/vc/vm/{self.sandbox_id()}/pid").strip()

    def sandbox_id(self) -> str:
        """Id of the pod's sandbox, as containerd lists it."""
        listed = json.loads(self._lab.run("cat /var/lib/containerd/simlab/sandboxes.json"))
        return next(str(item["id"]) for item in listed if item["metadata"]["name"] == self.name)

    def events(self, reason: str = "") -> list[Object]:
        """Events of the pod with that reason, or all."""
        selector = f"involvedObject.name={self.name}" + (f",reason={reason}" if reason else "")
        listed = self._lab.api("GET", f"{EVENTS}?fieldSelector={urllib.parse.quote(selector)}")[1]
        items: list[Object] = listed["items"]
        return items

    def runs(self) -> None:
        """Wait until the pod is Ready."""
        until(self._ready, f"pod {self.name} is Ready", self.describe)

    def message(self, reason: str, beginning: str = "", seconds: float = PATIENCE) -> str:
        """Wait for an event with that reason whose message begins so, and return its message."""

        def look() -> str:
            found = [item["message"] for item in self.events(reason)]
            return next((text for text in found if text.startswith(beginning)), "")

        return until(look, f"event {reason} of pod {self.name}", self.describe, seconds)

    def logs(self) -> str:
        """The container's log, by way of the API server and the kubelet."""
        return str(self._lab.api("GET", f"{PODS}/{self.name}/log")[1]["text"])

    def describe(self) -> str:
        """The pod's status and events, to explain a failure."""
        told = [f"{event['reason']}: {event['message']}" for event in self.events()]
        return json.dumps(self.object().get("status", {}), indent=1) + "\n" + "\n".join(told)

    def _ready(self) -> bool:
        conditions = self.object().get("status", {}).get("conditions", [])
        return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def until(condition: Callable[[], T], what: str, explain: Callable[[], str], seconds: float = PATIENCE) -> T:
    """Wait until a condition gives something true, and return it."""
    deadline = time.monotonic() + seconds
    while True:
        if found := condition():
            return found
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}\n{explain()}"
        time.sleep(0.05)
