"""The supervisor's control socket: what the tools on the simulated host ask of the lab's services.

One JSON object a line, answered by one: `{"op": …}` by `{"ok": …}` or `{"error": "…"}`.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from simlab.docker_images import ImageError
from simlab.docker_run import RunError
from simlab.engine import EngineError
from simlab.kustomize import KustomizeError
from simlab.machine.systemd import UnitError
from simlab.network import NetworkError
from simlab.node.rpc import RpcError
from simlab.service import STOP_SECONDS, ServiceError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from simlab.docker import Docker
    from simlab.engine import Engine
    from simlab.host_kustomize import HostKustomize
    from simlab.machine.power import Power
    from simlab.machine.systemd import Manager
    from simlab.node.containerd.images import HostImages
    from simlab.service import Service


_REFUSALS: Final = (
    *(EngineError, ImageError, KustomizeError, NetworkError, RpcError, RunError, ServiceError, UnitError),
)


@dataclass(frozen=True)
class Controlled:
    """What the host's tools may ask of and about."""

    services: Mapping[str, Service]
    engine: Engine
    docker: Docker
    images: HostImages
    kustomizations: HostKustomize
    manager: Manager
    power: Power


async def serve(path: Path, lab: Controlled) -> asyncio.Server:
    """Listen on a Unix socket at `path`, which must not exist."""

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                writer.write(json.dumps(await _answer(line, lab)).encode() + b"\n")
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    return await asyncio.start_unix_server(converse, path)


async def _answer(line: bytes, lab: Controlled) -> dict[str, Any]:
    try:
        request = json.loads(line)
        return {"ok": await _perform(request, lab)}
    except _REFUSALS as refused:
        return {"error": str(refused)}
    except (ValueError, KeyError, TypeError) as malformed:
        return {"error": f"malformed request: {malformed}"}


async def _perform(request: dict[str, Any], lab: Controlled) -> Any:  # noqa: PLR0911 -- one op, one answer
    match request["op"]:
        case "services":
            return [_describe(service) for service in lab.services.values()]
        case "unit":
            return lab.manager.describe(request["unit"])
        case "unit-start":
            return await lab.manager.start(request["unit"])
        case "unit-stop":
            return await lab.manager.stop(request["unit"])
        case "unit-restart":
            return await lab.manager.restart(request["unit"])
        case "reboot" | "poweroff" as verb:
            return lab.power.request(again=verb == "reboot")
        case "kustomize":
            return await asyncio.to_thread(lab.kustomizations.render, request["target"], request["folder"])
        case "cri-pull":
            return (await lab.images.pull(request["image"])).image_id
        case _:
            lab.engine.require_power()
            return await _ask_docker(request, lab)


async def _ask_docker(request: dict[str, Any], lab: Controlled) -> Any:
    engine = lab.engine
    seconds = float(request.get("seconds", STOP_SECONDS))
    match request["op"]:
        case "containers":
            return engine.inspect()
        case "networks":
            return engine.networks()
        case "compose-up" | "compose-down" | "container-start" | "container-stop" | "container-restart":
            async with engine.changing:
                return await _change(request, seconds, engine)
        case _:
            return await lab.docker.perform(request)


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
