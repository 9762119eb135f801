"""kata's agent: a JSON object a line over the VM's agent socket, requests named as kata names them.

{"id": 1, "method": "PullImage", "params": {"image": "…"}}
{"id": 1, "result": {"image_ref": "…"}}  or  {"id": 1, "error": {"code": "INTERNAL", "message": "…"}}
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
from typing import TYPE_CHECKING, Any, Final

from simlab.guest.container import Container, ContainerError, Process, copy_root
from simlab.guest.image_service import ImageError, ImageService, PulledImage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from pathlib import Path

    from simlab.guest.agent_config import AgentConfig

    Params = Mapping[str, Any]
    Method = Callable[[Params], Awaitable[Any]]

_log = logging.getLogger(__name__)

LINE_LIMIT: Final = 1 << 20
_EXEC_LIMIT: Final = 60.0


class _Refusal(Exception):  # noqa: N818 - an answer, not a failure of the agent
    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Agent:
    """The agent of one guest. `folder` stands for the guest's memory; `shared` finds what the host shares."""

    def __init__(
        self, config: AgentConfig, images: ImageService, folder: Path, shared: Callable[[str], Path]
    ) -> None:
        self._config = config
        self._images = images
        self._folder = folder
        self._shared = shared
        self._pulled: dict[str, PulledImage] = {}
        self._containers: dict[str, Container] = {}
        self._pulling = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._clients: set[asyncio.StreamWriter] = set()
        # Method, and the name by which the agent's configuration allows it (kata's protocol buffer messages).
        self._methods: dict[str, tuple[str, Method]] = {
            "CreateSandbox": ("CreateSandboxRequest", self._create_sandbox),
            "DestroySandbox": ("DestroySandboxRequest", self._destroy_sandbox),
            "PullImage": ("PullImageRequest", self._pull_image),
            "CreateContainer": ("CreateContainerRequest", self._create_container),
            "StartContainer": ("StartContainerRequest", self._start_container),
            "ContainerStatus": ("StatsContainerRequest", self._container_status),
            "WaitProcess": ("WaitProcessRequest", self._wait_process),
            "ReadLogs": ("ReadStreamRequest", self._read_logs),
            "SignalContainer": ("SignalProcessRequest", self._signal_container),
            "RemoveContainer": ("RemoveContainerRequest", self._remove_container),
            "ExecProcess": ("ExecProcessRequest", self._exec_process),
        }

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection's requests, many at once, until it closes."""
        self._clients.add(writer)
        try:
            while line := await reader.readline():
                task = asyncio.create_task(self._answer(line, writer))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        except (OSError, ValueError) as error:
            _log.info("connection to the agent broke: %s", error)
        finally:
            self._clients.discard(writer)
            writer.close()

    async def close(self) -> None:
        """End all containers and hang up."""
        await self._end_containers()
        for client in self._clients.copy():
            client.close()
            await client.wait_closed()

    async def _end_containers(self) -> None:
        for container in self._containers.values():
            await container.remove()
        self._containers.clear()

    async def _answer(self, line: bytes, writer: asyncio.StreamWriter) -> None:
        answer: dict[str, Any] = {"id": None}
        try:
            request = json.loads(line)
            answer["id"] = request["id"]
            answer["result"] = await self._call(request["method"], request.get("params", {}))
        except _Refusal as error:
            answer["error"] = {"code": error.code, "message": str(error)}
        except (ImageError, ContainerError) as error:
            answer["error"] = {"code": "INTERNAL", "message": str(error)}
        except (ValueError, KeyError, TypeError) as error:
            answer["error"] = {"code": "INVALID_ARGUMENT", "message": f"malformed request: {error!r}"}
        try:
            writer.write(json.dumps(answer).encode() + b"\n")
            await writer.drain()
        except OSError as error:
            _log.info("nobody waits for the answer to request %s: %s", answer["id"], error)

    async def _call(self, name: str, params: Params) -> Any:
        if name not in self._methods:
            raise _Refusal("UNIMPLEMENTED", f"/grpc.AgentService/{name} is not supported")
        message, method = self._methods[name]
        if not self._config.allows(message):
            raise _Refusal("UNIMPLEMENTED", f"{message} is blocked")
        _log.info("%s %s", name, params.get("container_id") or params.get("image") or "")
        return await method(params)

    async def _create_sandbox(self, _params: Params) -> None:
        """Nothing is to be set up: the sandbox is the guest."""

    async def _destroy_sandbox(self, _params: Params) -> None:
        await self._end_containers()

    async def _pull_image(self, params: Params) -> Any:
        image = params["image"]
        async with self._pulling:
            try:
                pulled = await asyncio.to_thread(self._images.pull, image)
            except ImageError as error:
                _log.warning("pull of %s failed: %s", image, error)
                raise
        self._pulled[image] = pulled
        return {"image_ref": image, "image_id": pulled.image_id, "digest": pulled.digest, "size": pulled.size}

    async def _create_container(self, params: Params) -> None:
        """Merge the request's process with the image's (kata's src/agent/src/rpc.rs, merge_oci_process)."""
        container_id = params["container_id"]
        if container_id in self._containers or "/" in container_id:
            raise _Refusal("INTERNAL", f"container {container_id} exists already or has a bad name")
        args, env = list(params.get("args") or []), dict(params.get("env") or {})
        cwd = params.get("cwd") or "/"
        if params.get("rootfs"):
            rootfs = self._shared(params["rootfs"])
        else:
            image = self._pulled.get(params["image"])
            if image is None:
                raise _Refusal("INTERNAL", "No such file or directory (os error 2)")
            args = args or list(image.args)
            env = {name: value for name, _, value in (text.partition("=") for text in image.env)} | env
            cwd = image.cwd if cwd == "/" else cwd
            rootfs = await asyncio.to_thread(copy_root, image.rootfs, self._folder / container_id)
        self._containers[container_id] = Container(rootfs, Process(args, env, cwd))

    async def _start_container(self, params: Params) -> None:
        await self._container(params).start()

    async def _container_status(self, params: Params) -> Any:
        container = self._container(params)
        return {"state": container.state, "exit_code": container.exit_code, "pid": container.pid}

    async def _wait_process(self, params: Params) -> Any:
        return {"exit_code": await self._container(params).wait()}

    async def _read_logs(self, params: Params) -> Any:
        stream, data, end = await self._container(params).output(int(params.get("offset", 0)))
        return {"stream": stream, "data": base64.b64encode(data).decode(), "eof": end}

    async def _signal_container(self, params: Params) -> None:
        self._container(params).signal(int(params["signal"]))

    async def _remove_container(self, params: Params) -> None:
        container = self._container(params)
        await container.remove()
        self._containers.pop(params["container_id"], None)

    async def _exec_process(self, params: Params) -> Any:
        container = self._container(params)
        if container.state != "running":
            raise ContainerError("container is not running")
        enter = [
            "nsenter",
            f"--target={container.pid}",
            "--user",
            "--preserve-credentials",
            "--mount",
            "--pid",
        ]
        enter += ["--net", "--ipc", "--uts", "--root", "--wd", "--", *params["args"]]
        process = await asyncio.create_subprocess_exec(
            *enter,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(_EXEC_LIMIT):
                stdout, stderr = await process.communicate()
        except TimeoutError:
            process.kill()
            await process.wait()
            raise _Refusal("DEADLINE_EXCEEDED", "the process did not end in time") from None
        return {
            "exit_code": process.returncode,
            "stdout": base64.b64encode(stdout).decode(),
            "stderr": base64.b64encode(stderr).decode(),
        }

    def _container(self, params: Params) -> Container:
        container = self._containers.get(params["container_id"])
        if container is None:
            raise _Refusal("NOT_FOUND", f"Invalid container id {params['container_id']}")
        return container
