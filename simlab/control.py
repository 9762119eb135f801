"""The supervisor's control socket: what the tools on the simulated host ask of the lab's services.

One JSON object a line, answered by one: `{"op": …}` by `{"ok": …}` or `{"error": "…"}`.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from simlab.docker_images import ImageError
from simlab.docker_run import RunError
from simlab.engine import EngineError
from simlab.kustomize import KustomizeError
from simlab.network import NetworkError
from simlab.service import STOP_SECONDS, ServiceError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from simlab.docker import Docker
    from simlab.engine import Engine
    from simlab.host_kustomize import HostKustomize
    from simlab.service import Service


async def serve(
    path: Path, services: Mapping[str, Service], engine: Engine, docker: Docker, kustomizations: HostKustomize
) -> asyncio.Server:
    """Listen on a Unix socket at `path`, which must not exist."""

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                writer.write(
                    json.dumps(await _answer(line, services, engine, docker, kustomizations)).encode() + b"\n"
                )
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    return await asyncio.start_unix_server(converse, path)


async def _answer(
    line: bytes,
    services: Mapping[str, Service],
    engine: Engine,
    docker: Docker,
    kustomizations: HostKustomize,
) -> dict[str, Any]:
    try:
        request = json.loads(line)
        return {"ok": await _perform(request, services, engine, docker, kustomizations)}
    except (EngineError, ImageError, KustomizeError, RunError, ServiceError, NetworkError) as refused:
        return {"error": str(refused)}
    except (ValueError, KeyError, TypeError) as malformed:
        return {"error": f"malformed request: {malformed}"}


async def _perform(
    request: dict[str, Any],
    services: Mapping[str, Service],
    engine: Engine,
    docker: Docker,
    kustomizations: HostKustomize,
) -> Any:
    seconds = float(request.get("seconds", STOP_SECONDS))
    match request["op"]:
        case "services":
            return [_describe(service) for service in services.values()]
        case "containers":
            return engine.inspect()
        case "networks":
            return engine.networks()
        case "compose-up" | "compose-down" | "container-start" | "container-stop" | "container-restart":
            async with engine.changing:
                return await _change(request, seconds, engine)
        case "kustomize":
            return await asyncio.to_thread(kustomizations.render, request["target"], request["folder"])
        case _:
            return await docker.perform(request)


async def _change(request: dict[str, Any], seconds: float, engine: Engine) -> Any:
    verb = request["op"]
    if verb == "compose-up":
        return await engine.compose_up()
    if verb == "compose-down":
        return await engine.compose_down(seconds)
    container = engine.find(request["container"])
    if verb != "container-start":
        await engine.stop(container, seconds)
    if verb != "container-stop":
        await engine.start(container)
    return container.name


def _describe(service: Service) -> dict[str, Any]:
    return {
        "name": service.spec.name,
        "running": service.running,
        "pid": service.pid,
        "started": service.started.isoformat() if service.started else None,
        "exit_code": service.exit_code,
    }
