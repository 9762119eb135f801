"""What `docker pull`, `run`, `rm` and `images` do on the simulated host."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from simlab import docker_run
from simlab.docker_images import DockerImages
from simlab.docker_run import Wish

if TYPE_CHECKING:
    from simlab.containers import Container
    from simlab.docker_images import DockerImage
    from simlab.engine import Engine
    from simlab.layout import Layout


class Docker:
    """The docker daemon for what is not compose's. Raises EngineError, ImageError, RunError."""

    def __init__(self, layout: Layout, engine: Engine) -> None:
        self._layout = layout
        self._engine = engine
        self._images = DockerImages(layout)

    async def perform(self, request: dict[str, Any]) -> Any:
        """Carry out a request of the control socket. Raises ValueError for an unknown one, too."""
        match request["op"]:
            case "images":
                return [asdict(image) for image in self._images.all()]
            case "image-find":
                return self._images.find(request["image"]) is not None
            case "image-pull":
                return asdict(await self.pull(request["image"]))
            case "container-run":
                published = {int(inside): int(port) for inside, port in request["published"].items()}
                wish = Wish(
                    request["image"], request["name"], published, request["restart"], request["command"]
                )
                return (await self.run(wish)).id
            case "container-remove":
                async with self._engine.changing:
                    container = self._engine.find(request["container"])
                    await self._engine.remove(container, force=bool(request["force"]))
                return container.name
        raise ValueError(f"there is no op {request['op']!r}")

    async def pull(self, image: str) -> DockerImage:
        """Pull an image."""
        return await asyncio.to_thread(self._images.pull, image)

    async def run(self, wish: Wish) -> Container:
        """Make a container and start it, after a pull where the image is missing.

        A container whose ports are taken stays, not started, as docker has it.
        """
        image = self._images.find(wish.image) or await self.pull(wish.image)
        async with self._engine.changing:
            container = docker_run.make(self._layout, wish, image, self._engine.present())
            self._engine.add(container)
            docker_run.require_free_ports(container, self._engine.present())
            await self._engine.start(container)
        return container
