"""`python -m simlab.node --root DIR --kubeconfig FILE`: run the node until SIGTERM."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

# Before grpc is imported: its fork handlers are for programs that go on using it in the child.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")

from setproctitle import setproctitle

from simlab.kube.client import Api, ApiError, ApiUnreachableError
from simlab.layout import Layout
from simlab.node.containerd.cri import Cri
from simlab.node.events import EventRecorder
from simlab.node.host import Host
from simlab.node.kata.shim import KataShim
from simlab.node.kata.vm import Vm
from simlab.node.kubelet import Kubelet
from simlab.node.kubelet_server import KubeletServer
from simlab.node.node_object import NodeObject

if TYPE_CHECKING:
    from collections.abc import Callable

_REGISTER_AGAIN_SECONDS: Final = 0.2

_log = logging.getLogger("simlab.node")


async def run(layout: Layout, kubeconfig: Path, new_cri: Callable[[Host], Cri] = Cri) -> None:
    """Run kubelet and containerd until cancelled; then end the node's VMs."""
    host = Host(layout)
    api = Api.from_kubeconfig(kubeconfig)
    cri = new_cri(host)
    node = NodeObject(api, host)
    events = EventRecorder(api, node.name)
    kubelet = Kubelet(api, cri, events, node.name)
    server = KubeletServer(host, kubelet)
    try:
        await _register(node)
        await server.start()
        events.node(node.name, "Normal", "Starting", "Starting kubelet.")
        async with asyncio.TaskGroup() as group:
            for work in (node.keep_alive(), events.run(), kubelet.run()):
                group.create_task(work)
    finally:
        await server.stop()
        await cri.shut_down()
        await api.close()


async def _register(node: NodeObject) -> None:
    while True:
        try:
            await node.register()
        except (ApiError, ApiUnreachableError) as error:
            _log.warning("node not registered yet: %s", error)
            await asyncio.sleep(_REGISTER_AGAIN_SECONDS)
        else:
            _log.info("node %s is registered", node.name)
            return


async def _until_signal(layout: Layout, kubeconfig: Path, new_cri: Callable[[Host], Cri]) -> None:
    task = asyncio.create_task(run(layout, kubeconfig, new_cri))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task


def main(new_cri: Callable[..., Cri] = Cri) -> None:
    """Read the command line and run; `new_cri` makes containerd of a host and a maker of kata's shims."""
    parser = argparse.ArgumentParser(prog="python -m simlab.node")
    parser.add_argument("--root", type=Path, required=True, help="the lab's folder")
    parser.add_argument("--kubeconfig", type=Path, required=True, help="how to reach the API server")
    parser.add_argument("--guest", default="simlab.guest", metavar="MODULE", help="the program of a VM")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(name)s: %(message)s")
    setproctitle("kubelet")
    new_vm = partial(Vm, program=(sys.executable, "-m", arguments.guest))

    def containerd(host: Host) -> Cri:
        return new_cri(host, partial(KataShim, new_vm=new_vm))

    asyncio.run(_until_signal(Layout(arguments.root), arguments.kubeconfig, containerd))


if __name__ == "__main__":
    main()
