"""An OCI registry: the distribution specification 1.0, pull and push.

`python -m simlab.internet.registry --listen ADDRESS:PORT --root FOLDER` serves one over plain HTTP, as the
`registry` container does.
"""

from __future__ import annotations

import argparse
import json
import re
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web
from setproctitle import setproctitle

from simlab.images.layer import digest
from simlab.images.store import Store

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from simlab.internet.token import Bearer

_ROUTE: Final = re.compile(r"/v2/(?P<name>.+?)/(?P<what>manifests|blobs/uploads|blobs|tags)/(?P<item>[^/]*)")
_VERSION: Final = {"Docker-Distribution-Api-Version": "registry/2.0"}
_MAX_MANIFEST: Final = 4 << 20  # distribution's own limit

# Codes and texts of github.com/distribution/distribution v2.8, registry/api/v2/errors.go.
_MESSAGES: Final = {
    "BLOB_UNKNOWN": (404, "blob unknown to registry"),
    "BLOB_UPLOAD_UNKNOWN": (404, "blob upload unknown to registry"),
    "DIGEST_INVALID": (400, "provided digest did not match uploaded content"),
    "MANIFEST_BLOB_UNKNOWN": (400, "blob unknown to registry"),
    "MANIFEST_INVALID": (400, "manifest invalid"),
    "MANIFEST_UNKNOWN": (404, "manifest unknown"),
    "NAME_INVALID": (400, "invalid repository name"),
    "NAME_UNKNOWN": (404, "repository name not known to registry"),
    "UNAUTHORIZED": (401, "authentication required"),
    "UNSUPPORTED": (405, "The operation is unsupported."),
}


class Registry:
    """Answers the `/v2/` requests for one store; with `bearer`, only those that bring its token.

    It deletes manifests only where that is switched on, as distribution's `storage.delete.enabled` does.
    """

    def __init__(self, store: Store, bearer: Bearer | None = None, *, deletes: bool = False) -> None:
        self._store = store
        self._deletes = deletes
        self._bearer = bearer
        self._uploads: dict[str, bytearray] = {}
        self._handlers: dict[str, Callable[[web.Request, str, str], Awaitable[web.StreamResponse]]] = {
            "manifests": self._manifests,
            "blobs": self._blobs,
            "blobs/uploads": self._blob_uploads,
            "tags": self._tags,
        }

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request below `/v2/`."""
        route = _ROUTE.fullmatch(request.path)
        name = route["name"] if route else ""
        if self._bearer and not self._allows(request, name):
            return _refusal("UNAUTHORIZED", self._bearer.challenge(request, name))
        if request.path == "/v2/":
            return web.json_response({}, headers=_VERSION)
        if request.path == "/v2/_catalog":
            return web.json_response({"repositories": self._store.repositories()}, headers=_VERSION)
        if route is None:
            return web.Response(status=404, text="404 page not found\n", headers=_VERSION)
        if not Store.is_name(name):
            return _refusal("NAME_INVALID")
        return await self._handlers[route["what"]](request, name, route["item"])

    def _allows(self, request: web.Request, name: str) -> bool:
        """With tokens, a repository that does not exist looks like one that is private, as on Docker Hub."""
        reads = request.method in ("GET", "HEAD")
        known = not name or not reads or (Store.is_name(name) and self._store.has_repository(name))
        return known and self._bearer is not None and self._bearer.allows(request, name)

    async def _manifests(self, request: web.Request, name: str, reference: str) -> web.StreamResponse:
        if request.method == "PUT":
            return await self._put_manifest(request, name, reference)
        if request.method == "DELETE" and self._deletes and Store.is_digest(reference):
            if not self._store.delete_manifest(name, reference):
                return _refusal("MANIFEST_UNKNOWN", detail={"Tag": reference})
            return web.Response(status=202, headers=_VERSION)
        if request.method not in ("GET", "HEAD"):
            return _refusal("UNSUPPORTED")
        found = self._store.manifest(name, reference)
        if found is None:
            return _refusal("MANIFEST_UNKNOWN", detail={"Tag": reference})
        data, media_type = found
        headers = _VERSION | {"Docker-Content-Digest": digest(data), "Etag": f'"{digest(data)}"'}
        return web.Response(body=data, content_type=media_type, headers=headers)

    async def _put_manifest(self, request: web.Request, name: str, reference: str) -> web.StreamResponse:
        data = await request.read()
        try:
            manifest = json.loads(data)
            named = [manifest["config"]["digest"], *(layer["digest"] for layer in manifest["layers"])]
        except (ValueError, LookupError, TypeError):
            return _refusal("MANIFEST_INVALID")
        if len(data) > _MAX_MANIFEST or not (Store.is_digest(reference) or Store.is_tag(reference)):
            return _refusal("MANIFEST_INVALID")
        for blob in named:
            if not Store.is_digest(blob) or self._store.blob_path(blob) is None:
                return _refusal("MANIFEST_BLOB_UNKNOWN", detail={"digest": blob})
        if Store.is_digest(reference) and reference != digest(data):
            return _refusal("DIGEST_INVALID")
        stored = self._store.put_manifest(name, reference, data)
        return _created(f"/v2/{name}/manifests/{stored}", stored)

    async def _blobs(self, request: web.Request, name: str, blob: str) -> web.StreamResponse:
        if request.method not in ("GET", "HEAD"):
            return _refusal("UNSUPPORTED")
        if not Store.is_digest(blob):
            return _refusal("DIGEST_INVALID", detail=blob)
        path = self._store.blob_path(blob) if self._store.has_repository(name) else None
        if path is None:
            return _refusal("BLOB_UNKNOWN", detail=blob)
        headers = _VERSION | {"Docker-Content-Digest": blob, "Content-Type": "application/octet-stream"}
        return web.FileResponse(path, headers=headers)

    async def _blob_uploads(self, request: web.Request, name: str, upload: str) -> web.StreamResponse:
        if request.method == "POST":
            return await self._start_upload(request, name)
        if upload not in self._uploads:
            return _refusal("BLOB_UPLOAD_UNKNOWN")
        if request.method == "DELETE":
            del self._uploads[upload]
            return web.Response(status=204, headers=_VERSION)
        if request.method == "GET":
            return self._accepted(name, upload, status=204)
        self._uploads[upload] += await request.read()
        if request.method == "PUT":
            return self._finish(name, upload, request.query.get("digest", ""))
        return self._accepted(name, upload)

    async def _start_upload(self, request: web.Request, name: str) -> web.StreamResponse:
        mounted = request.query.get("mount", "")
        if Store.is_digest(mounted) and self._store.blob_path(mounted):
            return _created(f"/v2/{name}/blobs/{mounted}", mounted)
        upload = str(uuid.uuid4())
        self._uploads[upload] = bytearray(await request.read())
        whole = request.query.get("digest")
        return self._finish(name, upload, whole) if whole else self._accepted(name, upload)

    def _accepted(self, name: str, upload: str, status: int = 202) -> web.Response:
        headers = {
            "Location": f"/v2/{name}/blobs/uploads/{upload}",
            "Range": f"0-{max(len(self._uploads[upload]) - 1, 0)}",
            "Docker-Upload-UUID": upload,
        }
        return web.Response(status=status, headers=_VERSION | headers)

    def _finish(self, name: str, upload: str, wanted: str) -> web.Response:
        data = bytes(self._uploads.pop(upload))
        if digest(data) != wanted:
            return _refusal("DIGEST_INVALID", detail=wanted)
        self._store.put_blob(data)
        return _created(f"/v2/{name}/blobs/{wanted}", wanted)

    async def _tags(self, request: web.Request, name: str, item: str) -> web.StreamResponse:
        if request.method not in ("GET", "HEAD") or item != "list":
            return _refusal("UNSUPPORTED")
        if not self._store.has_repository(name):
            return _refusal("NAME_UNKNOWN", detail={"name": name})
        tags = [tag for tag in self._store.tags(name) if tag > request.query.get("last", "")]
        count = request.query.get("n", "")
        limit = int(count) if count.isdecimal() else len(tags)
        headers = dict(_VERSION)
        if limit < len(tags):
            tags = tags[:limit]
            headers["Link"] = f'</v2/{name}/tags/list?last={tags[-1]}&n={limit}>; rel="next"' if tags else ""
        return web.json_response({"name": name, "tags": tags}, headers=headers)


def _created(location: str, stored: str) -> web.Response:
    headers = {"Location": location, "Docker-Content-Digest": stored}
    return web.Response(status=201, headers=_VERSION | headers)


def _refusal(code: str, headers: dict[str, str] | None = None, detail: Any = None) -> web.Response:
    status, message = _MESSAGES[code]
    body = {"errors": [{"code": code, "message": message, "detail": detail}]}
    return web.json_response(body, status=status, headers=_VERSION | (headers or {}))


def application(store: Store) -> web.Application:
    """Make a web application that is one registry without authentication."""
    registry = Registry(store)

    async def root(_request: web.Request) -> web.StreamResponse:
        raise web.HTTPMovedPermanently("/v2/")

    app = web.Application(client_max_size=1 << 30)
    app.router.add_get("/v2", root)
    app.router.add_route("*", "/v2/{path:.*}", registry.handle)
    return app


def main() -> None:
    """Serve a registry until SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m simlab.internet.registry")
    parser.add_argument("--listen", required=True, metavar="ADDRESS:PORT")
    parser.add_argument("--root", required=True, type=Path, metavar="FOLDER")
    options = parser.parse_args()
    host, _, port = options.listen.rpartition(":")
    setproctitle("registry serve /etc/docker/registry/config.yml")
    web.run_app(application(Store(options.root)), host=host, port=int(port), print=None)


if __name__ == "__main__":
    main()
