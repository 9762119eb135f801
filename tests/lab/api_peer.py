"""A small HTTPS server that talks like a Kubernetes API, with watches that end the way a test wants."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import json
import ssl
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

TOKEN = "token-of-the-suite"


class Authority:
    """A certificate authority with one server certificate for `name`."""

    def __init__(self, folder: Path, name: str = "127.0.0.1") -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
        now = dt.datetime.now(dt.UTC)
        try:
            san: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(name))
        except ValueError:
            san = x509.DNSName(name)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(hours=1))
            .not_valid_after(now + dt.timedelta(hours=1))
            .add_extension(x509.SubjectAlternativeName([san]), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        folder.mkdir(exist_ok=True)
        self.certificate = folder / "certificate.pem"
        self.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        self.key = folder / "key.pem"
        self.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )


def pod(name: str, uid: str, version: int, phase: str = "Pending") -> dict[str, Any]:
    metadata = {"name": name, "namespace": "default", "uid": uid, "resourceVersion": str(version)}
    return {"kind": "Pod", "metadata": metadata, "status": {"phase": phase}}


def event(uid: str, about: str, version: int, reason: str, message: str, second: int = 0) -> dict[str, Any]:
    return {
        "kind": "Event",
        "metadata": {"name": uid, "uid": uid, "resourceVersion": str(version)},
        "involvedObject": {"uid": about},
        "lastTimestamp": f"2023-01-01T00:00:{second:02}Z",
        "reason": reason,
        "message": message,
    }


def line(kind: str, item: dict[str, Any]) -> bytes:
    return json.dumps({"type": kind, "object": item}).encode() + b"\n"


@dataclass
class ApiPeer:
    """Serves pods and events. Each watch of pods runs the next of `watches`; then they stay open, silent."""

    folder: Path
    name: str = "127.0.0.1"
    pods: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    watches: list[Callable[[web.StreamResponse], Awaitable[None]]] = field(default_factory=list)
    lists: list[Callable[[], web.Response]] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    port: int = 0

    def __post_init__(self) -> None:
        self.authority = Authority(self.folder / "pki", self.name)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._runner: web.AppRunner | None = None
        self.start()

    def start(self) -> None:
        self._call(self._start())

    def stop(self) -> None:
        self._call(self._stop())

    def restart(self) -> None:
        self.stop()
        self.start()

    def close(self) -> None:
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def kubeconfig(self, **changes: Any) -> dict[str, Any]:
        cluster = {
            "server": f"https://127.0.0.1:{self.port}",
            "certificate-authority": str(self.authority.certificate),
        }
        return {
            "current-context": "test",
            "contexts": [{"name": "test", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": cluster | changes.pop("cluster", {})}],
            "users": [{"name": "u", "user": {"token": TOKEN} | changes.pop("user", {})}],
        } | changes

    def write_kubeconfig(self, **changes: Any) -> Path:
        path = self.folder / "kubeconfig"
        path.write_text(yaml.safe_dump(self.kubeconfig(**changes)))
        return path

    def lists_of_pods(self) -> int:
        return sum(
            1 for each in self.requests if each.startswith("GET /api/v1/namespaces/default/pods?fieldSel")
        )

    def _call(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(60)

    async def _start(self) -> None:
        application = web.Application(middlewares=[self._door])
        application.router.add_get("/version", self._version)
        application.router.add_get("/api/v1", self._resources)
        application.router.add_get("/apis/node.k8s.io/v1", self._resources)
        for kind in ("pods", "events"):
            application.router.add_get(f"/api/v1/namespaces/default/{kind}", self._collection)
        application.router.add_post("/api/v1/namespaces/default/pods", self._create)
        application.router.add_get("/api/v1/namespaces/default/pods/{name}", self._one)
        application.router.add_delete("/api/v1/namespaces/default/pods/{name}", self._delete)
        application.router.add_get("/api/v1/namespaces/default/pods/{name}/log", self._log)
        self._runner = web.AppRunner(application, shutdown_timeout=0.1)
        await self._runner.setup()
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.authority.certificate, self.authority.key)
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, ssl_context=context, reuse_address=True)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def _stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
        self._runner = None

    @web.middleware
    async def _door(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.requests.append(f"{request.method} {request.path_qs}")
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return refusal(401, "Unauthorized", "Unauthorized")
        response: web.StreamResponse = await handler(request)
        return response

    async def _version(self, _: web.Request) -> web.Response:
        return web.json_response({"gitVersion": "v1.24.17"})

    async def _resources(self, request: web.Request) -> web.Response:
        if request.path != "/api/v1":
            return refusal(404, "NotFound", "the server could not find the requested resource")
        return web.json_response(
            {
                "resources": [
                    {"name": "pods", "kind": "Pod", "namespaced": True},
                    {"name": "pods/log", "kind": "Pod", "namespaced": True},
                    {"name": "events", "kind": "Event", "namespaced": True},
                ]
            }
        )

    async def _collection(self, request: web.Request) -> web.StreamResponse:
        pods = request.path.endswith("/pods")
        if "watch" not in request.query:
            if pods and self.lists:
                return self.lists.pop(0)()
            items = self.pods if pods else self.events
            return web.json_response({"metadata": {"resourceVersion": "100"}, "items": items})
        response = web.StreamResponse()
        response.enable_chunked_encoding()
        await response.prepare(request)
        if pods and self.watches:
            await self.watches.pop(0)(response)
        else:
            await asyncio.sleep(30)
        return response

    async def _one(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name == "forbidden":
            return refusal(403, "Forbidden", 'pods "forbidden" is forbidden: no')
        found = [each for each in self.pods if each["metadata"]["name"] == name]
        return web.json_response(found[0]) if found else refusal(404, "NotFound", "no such pod")

    async def _create(self, request: web.Request) -> web.Response:
        manifest = await request.json()
        if manifest["metadata"]["name"] == "refused":
            return refusal(403, "Forbidden", 'pods "refused" is forbidden: pod rejected: RuntimeClass "x"')
        manifest["metadata"]["uid"] = "made"
        self.pods.append(manifest)
        return web.json_response(manifest, status=201)

    async def _delete(self, request: web.Request) -> web.Response:
        wanted = (await request.json())["preconditions"]["uid"]
        for each in self.pods:
            if each["metadata"]["name"] == request.match_info["name"]:
                if each["metadata"]["uid"] != wanted:
                    return refusal(409, "Conflict", "Precondition failed: UID in precondition")
                self.pods.remove(each)
                return web.json_response(each)
        return refusal(404, "NotFound", "no such pod")

    async def _log(self, _: web.Request) -> web.Response:
        return web.Response(body=b"line\x1b[2J\xff\n")


def refusal(status: int, reason: str, message: str) -> web.Response:
    body = {"kind": "Status", "status": "Failure", "reason": reason, "message": message, "code": status}
    return web.json_response(body, status=status)
