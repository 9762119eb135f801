"""The controllers and the scheduler as a program: `python -m simlab.kube.controllers --kubeconfig FILE`."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import setproctitle
import yaml

from simlab.kube.client import Api
from simlab.kube.controllers.controller import Cluster, Controller
from simlab.kube.controllers.daemonsets import DaemonSets
from simlab.kube.controllers.deployments import Deployments
from simlab.kube.controllers.evictions import Evictions
from simlab.kube.controllers.garbage import GarbageCollector
from simlab.kube.controllers.kubeconfig import authority_of
from simlab.kube.controllers.namespaces import NamespaceContent, NamespaceDeletion
from simlab.kube.controllers.nodes import NodeLifecycle
from simlab.kube.controllers.replicasets import ReplicaSets
from simlab.kube.controllers.scheduler import Scheduler

if TYPE_CHECKING:
    from collections.abc import Sequence

_log = logging.getLogger("simlab.kube.controllers")


def _controllers(cluster: Cluster, authority: str) -> list[Controller]:
    return [
        NamespaceContent(cluster, authority),
        Scheduler(cluster),
        NodeLifecycle(cluster),
        Evictions(cluster),
        NamespaceDeletion(cluster),
        GarbageCollector(cluster),
        Deployments(cluster),
        ReplicaSets(cluster),
        DaemonSets(cluster),
    ]


async def run(kubeconfig: Path) -> None:
    """Run every controller until SIGTERM or SIGINT."""
    api = Api.from_kubeconfig(kubeconfig)
    cluster = Cluster(api)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    tasks = [
        asyncio.create_task(_forever(controller))
        for controller in _controllers(cluster, authority_of(kubeconfig))
    ]
    try:
        await stop.wait()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await cluster.stop()
        await api.close()


async def _forever(controller: Controller) -> None:
    """Run a controller; one that trips over something unforeseen says so and starts again."""
    while True:
        try:
            await controller.run()
        except Exception:  # noqa: BLE001 - one controller's bug must not end the others
            _log.exception("%s", type(controller).__name__)
            await asyncio.sleep(1)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; returns its exit code."""
    parser = argparse.ArgumentParser(prog="simlab.kube.controllers", description=__doc__)
    parser.add_argument("--kubeconfig", type=Path, required=True)
    options = parser.parse_args(arguments)
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(name)s %(levelname)s %(message)s"
    )
    setproctitle.setproctitle("kube-controller-manager")
    try:
        asyncio.run(run(options.kubeconfig))
    except (OSError, KeyError, StopIteration, yaml.YAMLError) as error:
        print(f"kube-controller-manager: {options.kubeconfig}: {error}", file=sys.stderr)  # noqa: T201 - a program's own message
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
