"""`docker compose`, for the one project that the simulated host has: simple-kbs, in /root/simple-kbs."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any, Final

from simlab.machine.tools import control, docker_logs, text
from simlab.machine.tools.docker_ps import ports, status

_PROJECT: Final = "simple-kbs"
_PROJECT_LABEL: Final = "com.docker.compose.project"
_FILES: Final = ("compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml")
_VERSION: Final = "v2.12.2"


def main(arguments: list[str]) -> int:
    """Carry out one command; returns the exit status."""
    options = _parse(arguments)
    try:
        if options.run is not version and not _is_project(options):
            sys.stderr.write("no configuration file provided: not found\n")
            return 14
        return int(options.run(options))
    except control.RefusedError as error:
        sys.stderr.write(f"{control.daemons_words(error)}\n")
        return 1


def up(options: argparse.Namespace) -> int:
    """Make and start the containers."""
    if not options.detach:
        sys.stderr.write("the simulated docker compose knows `up -d` only\n")
        return 1
    started = control.ask("compose-up")
    for container in reversed(_containers()):
        name = container["Name"].lstrip("/")
        sys.stderr.write(f" Container {name}  {'Started' if name in started else 'Running'}\n")
    return 0


def down(options: argparse.Namespace) -> int:
    """Stop and remove the containers and their network."""
    removed = control.ask("compose-down", seconds=options.timeout)
    sys.stderr.writelines(f" Container {name}  Removed\n" for name in removed)
    if removed:
        sys.stderr.write(f" Network {_PROJECT}_default  Removed\n")
    return 0


def change(options: argparse.Namespace) -> int:
    """Start, stop or restart containers."""
    past = {"start": "Started", "stop": "Stopped", "restart": "Restarted"}[options.verb]
    for container in _chosen(options.services):
        name = container["Name"].lstrip("/")
        control.ask(f"container-{options.verb}", container=name)
        sys.stderr.write(f" Container {name}  {past}\n")
    return 0


def show(options: argparse.Namespace) -> int:
    """List the containers."""
    found = [entry for entry in _chosen(options.services) if options.all or entry["State"]["Running"]]
    if options.format == "json":
        sys.stdout.write(json.dumps([_summary(entry) for entry in found]) + "\n")
    elif options.quiet:
        sys.stdout.writelines(f"{entry['Id']}\n" for entry in found)
    else:
        rows = [("NAME", "COMMAND", "SERVICE", "STATUS", "PORTS")]
        for entry in found:
            command = json.dumps(" ".join([entry["Path"], *entry["Args"]]))
            state = entry["State"]
            shown = "running" if state["Running"] else f"{state['Status']} ({state['ExitCode']})"
            rows.append((entry["Name"].lstrip("/"), command, _service(entry), shown, ports(entry)))
        sys.stdout.write(text.table(rows, 20))
    return 0


def logs(options: argparse.Namespace) -> int:
    """Print the output of one service."""
    for container in _chosen([options.service]):
        options.container = container["Name"]
        docker_logs.print_logs(options)
    return 0


def version(_options: argparse.Namespace) -> int:
    """Print the plugin's version."""
    sys.stdout.write(f"Docker Compose version {_VERSION}\n")
    return 0


def _containers() -> list[dict[str, Any]]:
    return [entry for entry in control.ask("containers") if _PROJECT_LABEL in entry["Config"]["Labels"]]


def _chosen(services: list[str]) -> list[dict[str, Any]]:
    found = _containers()
    for wanted in services:
        if all(_service(entry) != wanted for entry in found):
            raise control.RefusedError(f"no such service: {wanted}")
    return [entry for entry in found if not services or _service(entry) in services]


def _service(container: dict[str, Any]) -> str:
    return str(container["Config"]["Labels"]["com.docker.compose.service"])


def _summary(container: dict[str, Any]) -> dict[str, Any]:
    return {
        "ID": container["Id"],
        "Name": container["Name"].lstrip("/"),
        "Project": _PROJECT,
        "Service": _service(container),
        "State": container["State"]["Status"],
        "Status": status(container),
        "ExitCode": container["State"]["ExitCode"],
    }


def _is_project(options: argparse.Namespace) -> bool:
    """Return whether the command line, or the working directory, names the project."""
    if options.project_name:
        return bool(options.project_name == _PROJECT)
    files = [Path(options.file)] if options.file else [Path(name) for name in _FILES]
    folder = Path(options.project_directory or ".")
    return any((folder / file).resolve() == Path(f"/root/{_PROJECT}/docker-compose.yml") for file in files)


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="docker compose")
    parser.add_argument("--project-name", "-p")
    parser.add_argument("--file", "-f")
    parser.add_argument("--project-directory")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    sub = commands.add_parser("up")
    sub.add_argument("--detach", "-d", action="store_true")
    sub.set_defaults(run=up)
    sub = commands.add_parser("down")
    sub.add_argument("--timeout", "-t", type=float, default=10)
    sub.set_defaults(run=down)
    for verb in ("start", "stop", "restart"):
        sub = commands.add_parser(verb)
        sub.add_argument("services", nargs="*", metavar="SERVICE")
        sub.set_defaults(run=change, verb=verb)
    sub = commands.add_parser("ps")
    sub.add_argument("--all", "-a", action="store_true")
    sub.add_argument("--quiet", "-q", action="store_true")
    sub.add_argument("--format", choices=("table", "pretty", "json"), default="table")
    sub.add_argument("services", nargs="*", metavar="SERVICE")
    sub.set_defaults(run=show)
    sub = commands.add_parser("logs")
    sub.add_argument("--follow", "-f", action="store_true")
    sub.add_argument("--since")
    sub.add_argument("--tail", "-n", default="all")
    sub.add_argument("--timestamps", "-t", action="store_true")
    sub.add_argument("service", metavar="SERVICE")
    sub.set_defaults(run=logs)
    commands.add_parser("version").set_defaults(run=version)
    return parser.parse_args(arguments)
