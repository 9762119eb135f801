"""The node's containerd and kata, but not as their configuration wants them."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from simlab.node.__main__ import main
from simlab.node.containerd.cri import Cri
from simlab.node.rpc import RpcError
from simlab.node.runc import RuncShim

if TYPE_CHECKING:
    from simlab.layout import Layout
    from simlab.node.containerd.config import Runtime
    from simlab.node.containerd.records import Sandbox, SandboxConfig
    from simlab.node.containerd.shim import Shim


class RunsEverythingInRunc(Cri):
    """Starts no VM for a runtime of kata's, but a container on the host."""

    def _new_shim(self, runtime: Runtime, sandbox_id: str, wanted: SandboxConfig) -> Shim:
        del runtime, wanted
        return RuncShim(self._host, sandbox_id)


class PullsOnTheHostToo(Cri):
    """Has the guest pull, and the host as well."""

    async def pull_image(self, sandbox: Sandbox, image: str) -> str:
        """Pull an image for a sandbox, and another time for the host. Raises RpcError."""
        with contextlib.suppress(RpcError):
            await self.images.pull(image)
        return await super().pull_image(sandbox, image)


def runs_runc(_layout: Layout) -> None:
    """Run a node whose kata is runc."""
    main(RunsEverythingInRunc)


def pulls_on_host(_layout: Layout) -> None:
    """Run a node whose containerd pulls what the guest pulls."""
    main(PullsOnTheHostToo)
