"""One lab's world, seen from the runner: namespaces of its own, and in them a supervisor of its services."""

from __future__ import annotations

import errno
import json
import os
import select
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from simlab import addresses, real_parts
from simlab.faults import lab_fault
from simlab.release import versions
from simlab.requirements import PROGRAM_PATH
from simlab.stages import Stage

if TYPE_CHECKING:
    from simlab.faults.fault import Fault
    from simlab.layout import Layout

START_SECONDS: Final = 90.0
STOP_SECONDS: Final = 15.0

_REPOSITORY: Final = Path(__file__).resolve().parents[1]

# Nothing else of the runner's environment reaches the lab: its proxy or CA bundle would break it.
_INHERITED: Final = (
    *("HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV", "PYTHONPATH"),
    *real_parts.VARIABLES,
)


class StartError(Exception):
    """The lab did not come up; the message says why, and may go on with the tail of a log."""


class World:
    """The namespaces of one lab and the supervisor in them; they end when this process does, however it ends.

    `ssh_port` and `api_port`: where the SSH server and the Kubernetes API are on the runner's 127.0.0.1.
    """

    def __init__(
        self,
        layout: Layout,
        stage: Stage = Stage.KBS,
        release: str = versions.DEFAULT.name,
        fault: Fault | None = None,
    ) -> None:
        versions.write(layout, release)
        if fault is not None:
            lab_fault.write(layout, fault)
        self._layout = layout
        self._stage = stage
        # The sockets are made before the namespaces, so that they listen on the runner's loopback.
        self._ssh = _listen()
        self._api = _listen()
        self.ssh_port = int(self._ssh.getsockname()[1])
        self.api_port = int(self._api.getsockname()[1])
        self._process: subprocess.Popen[bytes] | None = None
        # The namespaces' first process: when it has ended, so have all others.
        self._init: int | None = None

    def start(self, wake: int | None = None) -> None:
        """Start everything and wait until the lab is ready.

        A file descriptor `wake` that becomes readable ends the wait early.
        Raises StartError when a service dies or is not ready in time, or the wait was ended.
        """
        self._layout.log.mkdir(exist_ok=True)
        fds = (self._ssh.fileno(), self._api.fileno())
        info_read, info_write = os.pipe()
        argv = [
            *(
                "bwrap",
                "--info-fd",
                str(info_write),
                "--unshare-user",
                "--uid",
                "0",
                "--gid",
                "0",
                "--cap-add",
                "ALL",
            ),
            *("--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-ipc"),
            *("--hostname", addresses.HOSTNAME, "--die-with-parent"),
            *("--dev-bind", "/", "/", "--proc", "/proc", "--"),
            *(sys.executable, "-m", "simlab.supervisor", "--root", str(self._layout.root)),
            *("--stage", self._stage.name.lower()),
            *("--ssh-fd", str(fds[0]), "--ssh-port", str(self.ssh_port)),
            *("--api-fd", str(fds[1]), "--api-port", str(self.api_port)),
        ]
        with (self._layout.log / "supervisor.log").open("wb") as log:
            self._process = subprocess.Popen(
                argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                pass_fds=(*fds, info_write),
                env=_environment(),
                cwd=_REPOSITORY,
                # Ctrl-C at a terminal is for the keeper alone, which then stops the lab in order.
                start_new_session=True,
            )
        for own in (self._ssh, self._api):
            own.close()
        os.close(info_write)
        self._init = _init_process(info_read)
        event = self._first_event(wake)
        if event.get("event") != "ready":
            raise StartError(str(event.get("message", "the supervisor said nothing")))

    def fileno(self) -> int:
        """Return the supervisor's output, which ends when the world does (for select)."""
        return int(self._stdout().fileno())

    def stop(self) -> None:
        """Stop the services in order; after STOP_SECONDS, kill them all."""
        if self._process is None:
            return
        if self._process.stdin and not self._process.stdin.closed:
            self._process.stdin.close()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._init is not None:
            # Readable once the process has ended (pidfd_open(2)).
            select.select([self._init], [], [], STOP_SECONDS)

    def _first_event(self, wake: int | None) -> dict[str, Any]:
        deadline = time.monotonic() + START_SECONDS
        watched = [self.fileno()] + ([] if wake is None else [wake])
        text = b""
        while not text.endswith(b"\n"):
            readable, _, _ = select.select(watched, [], [], max(0.0, deadline - time.monotonic()))
            if not readable:
                raise StartError(f"the lab was not ready after {START_SECONDS:.0f} s; see {self._layout.log}")
            if wake in readable:
                raise StartError("stopped while it was starting")
            chunk = os.read(self.fileno(), 65536)
            if not chunk:
                raise StartError(
                    f"the supervisor died at start: {_tail(self._layout.log / 'supervisor.log')}"
                )
            text += chunk
        event: dict[str, Any] = json.loads(text)
        return event

    def _stdout(self) -> Any:
        if self._process is None or self._process.stdout is None:
            raise AssertionError("the world was not started")
        return self._process.stdout


def _listen() -> socket.socket:
    """Return a socket that listens on a free port, which it asks for by its number.

    So it keeps its port when the host is rebooted and nothing listens for a while; the kernel takes back a
    port that it chose itself (Linux `net/ipv4/tcp.c`, `tcp_set_state`, SOCK_BINDPORT_LOCK).
    """
    while True:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            address = probe.getsockname()
        try:
            return socket.create_server(address, backlog=128)
        except OSError as error:
            # Somebody else was quicker.
            if error.errno != errno.EADDRINUSE:
                raise


def _init_process(info: int) -> int | None:
    """Return a pidfd of the namespaces' first process; None when bubblewrap died before it made them."""
    with os.fdopen(info) as pipe:
        text = pipe.read()
    if not text:
        return None
    try:
        return os.pidfd_open(json.loads(text)["child-pid"])
    except ProcessLookupError:
        return None


def _environment() -> dict[str, str]:
    environment = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    paths = [str(_REPOSITORY), *environment.get("PYTHONPATH", "").split(":")]
    return {
        **environment,
        "PATH": PROGRAM_PATH,
        "PYTHONPATH": ":".join(path for path in paths if path),
        "PYTHONUNBUFFERED": "1",
    }


def _tail(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "its log is empty"
