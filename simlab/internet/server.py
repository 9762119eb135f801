"""Which host of the simulated internet answers with what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aiohttp import web

from simlab.images.store import Store
from simlab.internet import git, static
from simlab.internet.registry import Registry
from simlab.internet.token import Bearer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from simlab.layout import Layout

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


# A registry of the lab's own: it is empty, guests pull from it, and one account pushes and deletes.
GUESTS: Final = "registry.example.com"
REPOSITORY: Final = f"{GUESTS}/sev/conformance"
ACCOUNT: Final = "conformance"
PASSWORD: Final = "of-this-lab-only"  # noqa: S105 -- of a lab that only this machine reaches


def application(layout: Layout) -> web.Application:
    """Make the web application of all hosts: the registries, and `layout.internet/<host>/` for the others.

    Among the latter is AMD's key service, which has each chip's certificate at `/cek/id/<chip id>`.
    """
    docker_bearer = Bearer("https://auth.docker.io/token", "registry.docker.io")
    docker_hub = Registry(Store(layout.registry / "docker.io"), docker_bearer)
    guests_bearer = Bearer(f"https://{GUESTS}/token", GUESTS, {ACCOUNT: PASSWORD})
    guests = Registry(Store(layout.registry / GUESTS), guests_bearer, deletes=True)
    quay_bearer = Bearer("https://quay.io/v2/auth", "quay.io")
    quay = Registry(Store(layout.registry / "quay.io"), quay_bearer)
    ghcr_bearer = Bearer("https://ghcr.io/token", "ghcr.io")
    ghcr = Registry(Store(layout.registry / "ghcr.io"), ghcr_bearer)

    async def token(request: web.Request) -> web.StreamResponse:
        return await docker_bearer.issue(request)

    async def quay_host(request: web.Request) -> web.StreamResponse:
        return await (quay_bearer.issue(request) if request.path == "/v2/auth" else quay.handle(request))

    async def ghcr_host(request: web.Request) -> web.StreamResponse:
        return await (ghcr_bearer.issue(request) if request.path == "/token" else ghcr.handle(request))

    async def guests_host(request: web.Request) -> web.StreamResponse:
        return await (guests_bearer.issue(request) if request.path == "/token" else guests.handle(request))

    hosts: dict[str, Handler] = {
        "registry-1.docker.io": docker_hub.handle,
        "docker.io": docker_hub.handle,
        "auth.docker.io": token,
        "quay.io": quay_host,
        "ghcr.io": ghcr_host,
        GUESTS: guests_host,
    }

    async def dispatch(request: web.Request) -> web.StreamResponse:
        host = request.host.partition(":")[0].lower()
        if handler := hosts.get(host):
            return await handler(request)
        if host == "github.com" and git.is_for_git(request):
            return await git.serve(request, layout.world / "git")
        root = layout.internet / host
        if not host or "/" in host or not root.is_dir():
            raise web.HTTPMisdirectedRequest(text=f"421 Misdirected Request: no host {host!r} here\n")
        return await static.serve(request, root, request.path)

    app = web.Application(client_max_size=1 << 30)
    app.router.add_route("*", "/{path:.*}", dispatch)
    return app
