"""The kubelet's HTTPS server on port 10250: what the API server asks of a node."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aiohttp import web

from simlab import addresses
from simlab.node import log_reader, serving_certificate
from simlab.node import pod as pods
from simlab.node.log_reader import LogOptions
from simlab.node.node_object import KUBELET_PORT

if TYPE_CHECKING:
    from collections.abc import Callable

    from simlab.node.host import Host
    from simlab.node.kubelet import Kubelet
    from simlab.node.status import ContainerTrack

# The guests' agent-config.toml leaves it out (kata CC-0.3.0 `tools/osbuilder/rootfs-builder`).
_EXEC_REFUSED: Final = "ExecProcessRequest is blocked"


class KubeletServer:
    """Container logs, health, and a refusal of exec."""

    def __init__(self, host: Host, kubelet: Kubelet) -> None:
        self._host = host
        self._kubelet = kubelet
        self._runner: web.AppRunner | None = None

    async def start(self, address: str = addresses.HOST_IP, port: int = KUBELET_PORT) -> None:
        """Listen. Raises OSError when the port is taken."""
        app = web.Application()
        app.router.add_get("/healthz", self._health)
        app.router.add_get("/containerLogs/{namespace}/{pod}/{container}", self._logs)
        app.router.add_route("*", "/exec/{namespace}/{pod}/{container}", self._exec)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        tls = serving_certificate.server_context(self._host)
        await web.TCPSite(self._runner, address, port, ssl_context=tls).start()

    async def stop(self) -> None:
        """Stop listening and end what is under way."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _health(self, _: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def _logs(self, request: web.Request) -> web.StreamResponse:
        found = self._find(request)
        if isinstance(found, web.Response):
            return found
        uid, track = found
        try:
            options = LogOptions.from_query(request.query)
        except ValueError as error:
            return web.Response(status=400, text=f"invalid log options: {error}")
        container = track.last if options.previous else track.current or track.last
        name = request.match_info["container"]
        if container is None:
            which = "previous terminated container" if options.previous else "container"
            pod = request.match_info["pod"]
            if options.previous:
                text = f'{which} "{name}" in pod "{pod}" not found'
            else:
                reason = track.waiting.reason
                text = f'container "{name}" in pod "{pod}" is waiting to start: {reason}'
            return web.Response(status=400, text=text)
        path = self._host.local(container.config.log_path)
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        await response.prepare(request)
        if path.exists():
            async for chunk in log_reader.read(path, options, self._runs(uid, track)):
                await response.write(chunk)
        await response.write_eof()
        return response

    async def _exec(self, request: web.Request) -> web.Response:
        found = self._find(request)
        if isinstance(found, web.Response):
            return found
        return web.Response(status=500, text=f"rpc error: code = Unimplemented desc = {_EXEC_REFUSED}")

    def _find(self, request: web.Request) -> tuple[str, ContainerTrack] | web.Response:
        where = request.match_info
        worker = self._kubelet.worker_of(where["namespace"], where["pod"])
        if worker is None:
            return web.Response(status=404, text=f'pod "{where["pod"]}" not found')
        track = (worker.containers.main | worker.containers.init).get(where["container"])
        if track is None:
            text = f'container "{where["container"]}" is not valid for pod "{where["pod"]}"'
            return web.Response(status=404, text=text)
        return pods.uid(worker.pod), track

    def _runs(self, uid: str, track: ContainerTrack) -> Callable[[], bool]:
        return lambda: uid in self._kubelet.workers and track.running
