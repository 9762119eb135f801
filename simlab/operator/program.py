"""What the programs in the operator's pods share: their command line, the host's files, the node's labels."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from setproctitle import setproctitle

from simlab.kubeclient import KubeClient, KubeClientError
from simlab.layout import Layout
from simlab.machine import sandbox
from simlab.machine.tools import control
from simlab.release.files import Files

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class ScriptError(Exception):
    """What ends a script: the message is its last line, `status` its exit status."""

    def __init__(self, message: str, status: int = 1) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Program:
    """A program as the node starts it in a container's stead."""

    layout: Layout
    files: Files
    command: tuple[str, ...]

    @classmethod
    def from_arguments(cls, arguments: Sequence[str] | None = None) -> Program:
        """Read `--root DIR --mount CONTAINER_PATH=FOLDER… -- COMMAND…`."""
        parser = argparse.ArgumentParser()
        parser.add_argument("--root", type=Path, required=True)
        parser.add_argument("--mount", action="append", default=[])
        parser.add_argument("command", nargs="*")
        options = parser.parse_args(arguments)
        setproctitle(" ".join(options.command))
        mounts = {point: Path(folder) for point, _, folder in (one.partition("=") for one in options.mount)}
        return cls(Layout(options.root), Files(mounts), tuple(options.command))


@dataclass(frozen=True)
class Node:
    """The node that the pod is on, by NODE_NAME of its environment."""

    layout: Layout

    @property
    def _path(self) -> str:
        return f"/api/v1/nodes/{os.environ.get('NODE_NAME', '')}"

    def container_engine(self) -> str:
        """Return the name of the node's container engine. Raises ScriptError."""
        with KubeClient(self.layout, "operator") as api:
            node = api.find(self._path)
        if node is None:
            raise ScriptError("ERROR: invalid node name")
        return str(node["status"]["nodeInfo"]["containerRuntimeVersion"]).partition(":")[0]

    def label(self, key: str, value: str | None, *, overwrite: bool = True) -> None:
        """Set a label, or take it away, as `kubectl label node` does. Raises ScriptError."""
        with KubeClient(self.layout, "operator") as api:
            try:
                node = api.find(self._path) or {}
                has = node.get("metadata", {}).get("labels", {}).get(key)
                if not overwrite and has not in (None, value):
                    raise ScriptError(f"error: '{key}' already has a value ({has}), and --overwrite is false")
                if has != value:
                    api.merge(self._path, {"metadata": {"labels": {key: value}}})
                done = "unlabeled" if value is None else "not labeled" if has == value else "labeled"
                say(f"node/{self._path.rpartition('/')[2]} {done}")
            except KubeClientError as error:
                raise ScriptError(f"Error from server: {error}") from None


def restart(unit: str, layout: Layout) -> None:
    """`systemctl restart`, on the host that the script's root is. Raises ScriptError."""
    try:
        control.ask("unit-restart", at=str(sandbox.control_socket(layout)), unit=f"{unit}.service")
    except control.RefusedError as refused:
        raise ScriptError(str(refused)) from None


def say(line: str) -> None:
    """Write a line to the container's log."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def run_script(script: Callable[[Program], bool]) -> int:
    """Run a script that ends in `sleep infinity` where it returns True; returns the exit status.

    SIGTERM waits until the script's work is done: bash as a container's first process does not heed it at
    all, and the kubelet kills it after the grace period.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    try:
        if script(Program.from_arguments()):
            signal.sigwait({signal.SIGTERM})
    except ScriptError as error:
        say(str(error))
        return error.status
    except (KubeClientError, OSError) as error:
        say(f"ERROR: {error}")
        return 1
    return 0


def take(seconds: float) -> None:
    """Last as long as what the simulated host does in no time would."""
    time.sleep(seconds)
