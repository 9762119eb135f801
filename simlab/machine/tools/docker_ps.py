"""`docker ps`: its columns, filters and formats."""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING, Any, Final

from simlab.machine.tools import control, gotemplate, text

if TYPE_CHECKING:
    import argparse

_COLUMNS: Final = {
    "ID": "CONTAINER ID",
    "Image": "IMAGE",
    "Command": "COMMAND",
    "RunningFor": "CREATED",
    "Status": "STATUS",
    "Ports": "PORTS",
    "Names": "NAMES",
}
_HEADINGS: Final = _COLUMNS | {"State": "STATE", "CreatedAt": "CREATED AT", "Labels": "LABELS"}
_COMMAND_LENGTH: Final = 20


def list_containers(options: argparse.Namespace) -> int:
    """Print the containers that run, or all."""
    chosen = [
        container
        for container in control.ask("containers")
        if (options.all or container["State"]["Running"] or _asks_for_status(options.filter))
        and all(_passes(container, condition) for condition in options.filter)
    ]
    rows = [describe(container, truncate=not options.no_trunc) for container in chosen]
    if options.quiet:
        output = "".join(f"{row['ID']}\n" for row in rows)
    elif options.format:
        output = _format(options.format, rows)
    else:
        cells = [list(_COLUMNS.values()), *([row[key] for key in _COLUMNS] for row in rows)]
        output = text.table(cells)
    sys.stdout.write(output)
    return 0


def describe(container: dict[str, Any], *, truncate: bool) -> dict[str, str]:
    """Return the cells of one container, by the names that `--format` has for them."""
    command = " ".join([container["Path"], *container["Args"]])
    if truncate and len(command) > _COMMAND_LENGTH:
        command = command[: _COMMAND_LENGTH - 1] + "…"
    created = text.parse_time(container["Created"])
    return {
        "ID": container["Id"][:12] if truncate else container["Id"],
        "Image": container["Config"]["Image"],
        "Command": f'"{command}"',
        "CreatedAt": created.strftime("%Y-%m-%d %H:%M:%S +0000 UTC"),
        "RunningFor": f"{text.duration(text.age(created))} ago",
        "Status": status(container),
        "State": container["State"]["Status"],
        "Ports": ports(container),
        "Names": container["Name"].lstrip("/"),
        "Labels": ",".join(f"{key}={value}" for key, value in container["Config"]["Labels"].items()),
    }


def status(container: dict[str, Any]) -> str:
    """Tell a container's state as `docker ps` does."""
    state = container["State"]
    if state["Restarting"]:
        ended = text.duration(text.age(text.parse_time(state["FinishedAt"])))
        return f"Restarting ({state['ExitCode']}) {ended} ago"
    if state["Running"]:
        return f"Up {text.duration(text.age(text.parse_time(state['StartedAt'])))}"
    if state["Status"] == "created":
        return "Created"
    ended = text.duration(text.age(text.parse_time(state["FinishedAt"])))
    return f"Exited ({state['ExitCode']}) {ended} ago"


def ports(container: dict[str, Any]) -> str:
    """Tell a container's ports as `docker ps` does: published ones on IPv4 and IPv6, the others bare."""
    shown = []
    for port, bindings in container["NetworkSettings"]["Ports"].items():
        if not bindings:
            shown.append(port)
        for binding in bindings or []:
            shown += [f"{address}:{binding['HostPort']}->{port}" for address in (binding["HostIp"], "::")]
    return ", ".join(shown)


def _format(template: str, rows: list[dict[str, str]]) -> str:
    body = template.removeprefix("table ")
    lines = [
        json.dumps(row) if body in ("json", "{{json .}}") else gotemplate.render(body, row) for row in rows
    ]
    if body == template:
        return "".join(f"{line}\n" for line in lines)
    heading = gotemplate.render(body, _HEADINGS)
    return text.table([line.split("\t") for line in [heading, *lines]])


def _asks_for_status(filters: list[str]) -> bool:
    return any(condition.startswith("status=") for condition in filters)


def _passes(container: dict[str, Any], condition: str) -> bool:
    key, equals, value = condition.partition("=")
    if not equals:
        raise control.RefusedError(
            f"invalid argument {condition!r}: bad format of filter (expected name=value)"
        )
    match key:
        case "name":
            return re.search(value, container["Name"].lstrip("/")) is not None
        case "id":
            return bool(container["Id"].startswith(value))
        case "status":
            return bool(container["State"]["Status"] == value)
        case "network":
            return value in container["NetworkSettings"]["Networks"]
        case "ancestor":
            return bool(container["Config"]["Image"].partition(":")[0] == value.partition(":")[0])
        case "label":
            name, has_value, wanted = value.partition("=")
            labels = container["Config"]["Labels"]
            return name in labels and (not has_value or labels[name] == wanted)
    raise control.RefusedError(f"invalid filter '{key}'")
