"""The first program in a lab's world: starts every service, says when all are ready, ends with its stdin.

`python -m simlab.supervisor --root DIR …` is started by `simlab.world` inside of new namespaces; by itself it
would change the network and the mounts of the machine. Its stdout says one JSON object: `{"event": "ready"}`
or `{"event": "failed", "message": "…"}`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from setproctitle import setproctitle

from simlab.bringup import bring_up
from simlab.faults import lab_fault
from simlab.faults.acts import ActError
from simlab.layout import Layout
from simlab.machine.boot import BootError
from simlab.network import NetworkError
from simlab.service import ServiceError
from simlab.services import Lab, Sockets
from simlab.stage import StageError
from simlab.stages import Stage

if TYPE_CHECKING:
    from simlab.faults.fault import Fault

_log = logging.getLogger("supervisor")


async def supervise(layout: Layout, sockets: Sockets, stage: Stage, fault: Fault | None = None) -> int:
    """Bring the lab up, wait until stdin ends or SIGTERM comes, and take it down; returns the exit status."""
    told_to_stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, told_to_stop.set)
    # The keeper holds the other end and never writes: readable means that it is gone, or wants the end.
    loop.add_reader(sys.stdin.fileno(), told_to_stop.set)
    lab = Lab(layout, sockets, stage, fault)

    def on_done(step: str, seconds: float) -> None:
        _log.info("%s done in %.2f s", step, seconds)

    status = 0
    try:
        starting = asyncio.create_task(bring_up(lab.steps(), on_done))
        stopping = asyncio.create_task(told_to_stop.wait())
        await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            starting.result()
            _say(event="ready")
            await stopping
        else:
            starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)
    except Exception as failure:  # noqa: BLE001 -- whatever it is, the keeper must hear of it
        _log.exception("the lab did not come up")
        _say(event="failed", message=_explain(failure))
        status = 1
    finally:
        loop.remove_reader(sys.stdin.fileno())
        await lab.stop()
    return status


def main() -> int:
    """Parse the command line and supervise; returns the exit status."""
    parser = argparse.ArgumentParser(prog="simlab.supervisor", description=__doc__)
    parser.add_argument("--root", type=Path, required=True)
    for name in ("ssh-fd", "ssh-port", "api-fd", "api-port"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--stage", choices=Stage.names(), required=True)
    options = parser.parse_args()
    setproctitle("simlab-supervisor")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    sockets = Sockets(options.ssh_fd, options.ssh_port, options.api_fd, options.api_port)
    for descriptor in (sockets.ssh_fd, sockets.api_fd):
        os.set_inheritable(descriptor, False)
    _uncover_proc()
    layout = Layout(options.root)
    return asyncio.run(supervise(layout, sockets, Stage.named(options.stage), lab_fault.of(layout)))


def _uncover_proc() -> None:
    """Mount /proc once more: run by root, bubblewrap covers parts of it.

    The kernel refuses a container of a guest its own /proc as long as none in sight is whole
    (Linux `fs/namespace.c`, `mnt_already_visible`).
    """
    command = ["mount", "-t", "proc", "-o", "nosuid,nodev,noexec", "proc", "/proc"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        _log.warning("/proc could not be mounted again: %s", done.stderr.strip())


def _explain(failure: Exception) -> str:
    expected = isinstance(failure, ServiceError | NetworkError | StageError | BootError | ActError)
    return str(failure) if expected else f"{type(failure).__name__}: {failure}"


def _say(**message: Any) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
