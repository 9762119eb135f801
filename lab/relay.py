"""A relay on the host between a guest and the KBS, which keeps what the guest sends.

It runs on the host because a guest cannot reach the runner, and in Python's standard library because Anolis'
dnf needs `platform-python`, so that every host has it. It ends when its standard input does.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

from lab.deadline import Deadline
from lab.errors import LabError
from lab.kbs.wire import online_requests

if TYPE_CHECKING:
    from types import TracebackType

    from lab.host import Held, Host
    from lab.kbs.wire import OnlineRequest

INTERPRETER = "/usr/libexec/platform-python"

PROGRAM = """
import base64, json, os, socket, sys, threading
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
say(port=listener.getsockname()[1])
threading.Thread(target=accept, args=(listener,), daemon=True).start()
sys.stdin.buffer.read()
os._exit(0)
"""


class Relay:
    """A running relay. `address` is what a guest is told instead of the KBS's."""

    def __init__(self, host: Host, kbs_address: str, *, seconds: float) -> None:
        name, _, port = kbs_address.rpartition(":")
        self._held: Held = host.hold(f"{INTERPRETER} -c %s %s %s %s", PROGRAM, name, name, port)
        first = self._held.read_line(Deadline(seconds))
        try:
            self.address = f"{name}:{json.loads(first)['port']}"
        except (ValueError, KeyError, TypeError):
            self._held.close()
            raise LabError(f"the relay on the host did not start: {first!r}") from None

    def __enter__(self) -> Relay:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._held.close()

    def requests(self) -> list[OnlineRequest]:
        """The key requests that guests have sent so far, in order."""
        streams: dict[int, bytes] = {}
        for line in self._held.lines():
            fact = json.loads(line)
            if "data" in fact:
                number = fact["connection"]
                streams[number] = streams.get(number, b"") + base64.b64decode(fact["data"])
        return [request for number in sorted(streams) for request in online_requests(streams[number])]
