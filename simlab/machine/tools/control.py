"""The host's end of the supervisor's control socket."""

from __future__ import annotations

import json
import socket
from typing import Any, Final

SOCKET: Final = "/run/simlab/control.sock"


class RefusedError(Exception):
    """What was asked cannot be done; the message is for the user."""


def ask(op: str, *, at: str = SOCKET, **fields: Any) -> Any:
    """Send one request and return its answer. Raises RefusedError, also when the lab is going down."""
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(at)
            with client.makefile("rw") as stream:
                stream.write(json.dumps({"op": op, **fields}) + "\n")
                stream.flush()
                line = stream.readline()
    except OSError as error:
        raise RefusedError(f"{at}: {error.strerror}") from None
    if not line:
        raise RefusedError("the lab is going down")
    answer = json.loads(line)
    if "error" in answer:
        raise RefusedError(answer["error"])
    return answer["ok"]


def daemons_words(error: RefusedError) -> str:
    """Return a refusal as docker's client tells it: there may be no daemon that answered."""
    text = str(error)
    return text if text.startswith("Cannot connect") else f"Error response from daemon: {text}"


def is_running(service: str) -> bool:
    """Return whether a service of the lab runs."""
    return any(entry["name"] == service and entry["running"] for entry in ask("services"))
