"""docker, as far as simple-kbs and a registry are run and looked at with it.

What containers and networks there are is asked of the lab's supervisor; logs are files.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any, Final

from simlab.machine.tools import compose, control, docker_logs, docker_run, gotemplate
from simlab.machine.tools.docker_ps import list_containers

# Docker 20.10 is what Docker's repository for CentOS 8 had in the guide's time.
_VERSION: Final = "20.10.21"
_COMPOSE_PLUGIN: Final = Path("/usr/libexec/docker/cli-plugins/docker-compose")


def main() -> int:
    """Carry out one command; returns the exit status."""
    if sys.argv[1:2] == ["compose"]:
        if not _COMPOSE_PLUGIN.exists():
            sys.stderr.write("docker: 'compose' is not a docker command.\nSee 'docker --help'\n")
            return 1
        return compose.main(sys.argv[2:])
    options = _parse()
    try:
        return int(options.run(options))
    except control.RefusedError as error:
        sys.stderr.write(f"{control.daemons_words(error)}\n")
    except gotemplate.TemplateError as error:
        sys.stderr.write(f"Template parsing error: {error}\n")
    except BrokenPipeError:
        sys.stderr.close()
    return 1


def inspect(options: argparse.Namespace) -> int:
    """Print containers as JSON, or through a template."""
    return _inspect(options, control.ask("containers"), "object", _is_container)


def network_inspect(options: argparse.Namespace) -> int:
    """Print networks as JSON, or through a template."""
    return _inspect(options, control.ask("networks"), "network", _is_network)


def network_list(options: argparse.Namespace) -> int:
    """List networks."""
    networks = control.ask("networks")
    if options.quiet:
        sys.stdout.writelines(f"{network['Id'][:12]}\n" for network in networks)
        return 0
    rows = ["NETWORK ID     NAME                 DRIVER    SCOPE\n"]
    rows += [
        f"{network['Id'][:12]}   {network['Name']:<18}   {network['Driver']:<7}   {network['Scope']}\n"
        for network in networks
    ]
    sys.stdout.writelines(rows)
    return 0


def change(options: argparse.Namespace) -> int:
    """Start, stop or restart containers; print the name of each that was."""
    status = 0
    for name in options.containers:
        try:
            control.ask(f"container-{options.verb}", container=name, seconds=options.time)
            sys.stdout.write(f"{name}\n")
        except control.RefusedError as error:
            sys.stderr.write(f"Error response from daemon: {error}\n")
            status = 1
    return status


def client_version() -> int:
    """Print the client's version, as `docker --version`."""
    sys.stdout.write(f"Docker version {_VERSION}, build simulated\n")
    return 0


def version(options: argparse.Namespace) -> int:
    """Print the versions of client and server, or what a template says of them."""
    if not options.format:
        sys.stdout.write(f"Client: Docker Engine - Community\n Version:           {_VERSION}\n\n")
    # The daemon is asked, and without one this ends here.
    control.ask("containers")
    about = {"Client": {"Version": _VERSION}, "Server": {"Version": _VERSION}}
    if options.format:
        sys.stdout.write(f"{gotemplate.render(options.format, about)}\n")
    else:
        text = f"Server: Docker Engine - Community\n Engine:\n  Version:          {_VERSION}\n"
        sys.stdout.write(text)
    return 0


def _inspect(options: argparse.Namespace, objects: list[dict[str, Any]], kind: str, is_it: Any) -> int:
    found, missing = [], []
    for name in options.names:
        matches = [entry for entry in objects if is_it(entry, name)]
        found += matches[:1]
        missing += [] if matches else [name]
    if options.format:
        sys.stdout.writelines(gotemplate.render(options.format, entry) + "\n" for entry in found)
    else:
        sys.stdout.write(json.dumps(found, indent=4) + "\n")
    sys.stderr.writelines(f"Error: No such {kind}: {name}\n" for name in missing)
    return 1 if missing else 0


def _is_container(container: dict[str, Any], name: str) -> bool:
    return bool(container["Name"] == f"/{name.lstrip('/')}" or container["Id"].startswith(name))


def _is_network(network: dict[str, Any], name: str) -> bool:
    return bool(network["Name"] == name or network["Id"].startswith(name))


def _parse() -> argparse.Namespace:
    if sys.argv[1:] in (["--version"], ["-v"]):
        sys.exit(client_version())
    parser = argparse.ArgumentParser(prog="docker")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    container = commands.add_parser("container").add_subparsers(required=True, metavar="COMMAND")
    network = commands.add_parser("network").add_subparsers(required=True, metavar="COMMAND")
    sub = commands.add_parser("version")
    sub.add_argument("--format", "-f")
    sub.set_defaults(run=version)

    for holder, names in ((commands, ("ps",)), (container, ("ls", "ps", "list"))):
        sub = holder.add_parser(names[0], aliases=names[1:])
        sub.add_argument("--all", "-a", action="store_true")
        sub.add_argument("--quiet", "-q", action="store_true")
        sub.add_argument("--no-trunc", action="store_true")
        sub.add_argument("--filter", "-f", action="append", default=[], metavar="KEY=VALUE")
        sub.add_argument("--format")
        sub.set_defaults(run=list_containers)
    docker_run.add_commands(commands, container)
    for holder in (commands, container):
        _add_inspect(holder, inspect)
        docker_logs.add_command(holder)
        for verb in ("start", "stop", "restart"):
            sub = holder.add_parser(verb)
            sub.add_argument("--time", "-t", type=float, default=10)
            sub.add_argument("containers", nargs="+", metavar="CONTAINER")
            sub.set_defaults(run=change, verb=verb)
    _add_inspect(network, network_inspect)
    sub = network.add_parser("ls", aliases=["list"])
    sub.add_argument("--quiet", "-q", action="store_true")
    sub.set_defaults(run=network_list)
    return parser.parse_args()


def _add_inspect(holder: Any, run: Any) -> None:
    sub = holder.add_parser("inspect")
    sub.add_argument("--format", "-f")
    sub.add_argument("--type", choices=("container",))
    sub.add_argument("names", nargs="+", metavar="NAME")
    sub.set_defaults(run=run)


if __name__ == "__main__":
    sys.exit(main())
