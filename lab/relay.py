"""A relay on the host between a guest and the KBS, which keeps what the guest sends.

It runs on the host because a guest cannot reach the runner, and in Python's standard library because Anolis'
dnf needs `platform-python`, so that every host has it. It lives as long as it is held.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any, Self

from lab.deadline import Deadline
from lab.errors import LabError
from lab.kbs.wire import online_requests

if TYPE_CHECKING:
    from types import TracebackType

    from lab.held import Held
    from lab.host import Host
    from lab.kbs.wire import OnlineRequest

INTERPRETER = "/usr/libexec/platform-python"

PROGRAM = """
import base64, json, os, signal, socket, sys, threading
bind, host, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
said = threading.Lock()
def say(**fact):
    with said:
        sys.stdout.write(json.dumps(fact) + "\\n")
        sys.stdout.flush()
def pump(source, sink, number):
    try:
        while True:
            data = source.recv(65536)
            if not data:
                break
            if number is not None:
                say(connection=number, data=base64.b64encode(data).decode())
            sink.sendall(data)
    except OSError:
        pass
    finally:
        try:
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass
def serve(client, number):
    try:
        server = socket.create_connection((host, port), 10)
    except OSError as error:
        say(error=str(error))
        client.close()
        return
    threading.Thread(target=pump, args=(client, server, number), daemon=True).start()
    pump(server, client, None)
def accept(listener):
    number = 0
    while True:
        client, _ = listener.accept()
        number += 1
        threading.Thread(target=serve, args=(client, number), daemon=True).start()
listener = socket.socket()
listener.bind((bind, 0))
listener.listen(16)
signal.signal(signal.SIGUSR1, lambda *_: say(mark=True))
threading.Thread(target=accept, args=(listener,), daemon=True).start()
say(port=listener.getsockname()[1], pid=os.getpid())
while True:
    signal.pause()
"""


class Relay:
    """A running relay. `address` is what a guest is told instead of the KBS's."""

    def __init__(self, host: Host, kbs_address: str, *, seconds: float) -> None:
        name, _, port = kbs_address.rpartition(":")
        self._host = host
        self._seconds = seconds
        self._held: Held = host.hold(f"exec {INTERPRETER} -c %s %s %s %s", PROGRAM, name, name, port)
        self._streams: dict[int, bytes] = {}
        first = self._held.read_line(Deadline(seconds))
        try:
            started = json.loads(first or "")
            self.address = f"{name}:{started['port']}"
            self._pid = int(started["pid"])
        except (ValueError, KeyError, TypeError):
            self._held.close()
            raise LabError(f"the relay on the host did not start: {first!r}") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._held.close()

    def requests(self) -> list[OnlineRequest]:
        """The key requests that guests have sent so far, in order."""
        self._host.run("kill -USR1 %s", self._pid)
        deadline = Deadline(self._seconds)
        while not (fact := self._next(deadline)).get("mark"):
            if "data" in fact:
                number = fact["connection"]
                sent = base64.b64decode(fact["data"])
                self._streams[number] = self._streams.get(number, b"") + sent
        return [
            request for number in sorted(self._streams) for request in online_requests(self._streams[number])
        ]

    def _next(self, deadline: Deadline) -> dict[str, Any]:
        line = self._held.read_line(deadline)
        if line is None:
            raise LabError("the relay on the host ended")
        fact: dict[str, Any] = json.loads(line)
        return fact


def unused_port(host: Host, address: str) -> int:
    """A port of `address` on which nobody listens: the kernel's own choice of a free one."""
    program = "import socket, sys; s = socket.socket(); s.bind((sys.argv[1], 0)); print(s.getsockname()[1])"
    return int(host.run(f"{INTERPRETER} -c %s %s", program, address).stdout)
