"""`docker run -d`, `pull`, `rm` and `images`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

from simlab.machine.tools import control, text

if TYPE_CHECKING:
    import argparse

# docker-run(1), EXIT STATUS: the daemon's own errors.
_DAEMONS_ERROR: Final = 125


def add_commands(commands: Any, container: Any) -> None:
    """Add the commands to docker's command line."""
    for holder in (commands, container):
        sub = holder.add_parser("run")
        for flag in ("--detach", "-d"), ("--interactive", "-i"), ("--tty", "-t"):
            sub.add_argument(*flag, action="store_true")
        sub.add_argument("--publish", "-p", action="append", default=[], metavar="HOST:CONTAINER")
        sub.add_argument("--name", default="")
        sub.add_argument("--restart", default="no")
        sub.add_argument("image", metavar="IMAGE")
        sub.add_argument("command", nargs="*", metavar="COMMAND")
        sub.set_defaults(run=run)
        sub = holder.add_parser("rm")
        sub.add_argument("--force", "-f", action="store_true")
        sub.add_argument("--volumes", "-v", action="store_true")
        sub.add_argument("containers", nargs="+", metavar="CONTAINER")
        sub.set_defaults(run=remove)
    sub = commands.add_parser("pull")
    sub.add_argument("--quiet", "-q", action="store_true")
    sub.add_argument("image", metavar="NAME")
    sub.set_defaults(run=pull)
    sub = commands.add_parser("images")
    sub.add_argument("--quiet", "-q", action="store_true")
    sub.set_defaults(run=images)


def run(options: argparse.Namespace) -> int:
    """Make and start a container, and print its id."""
    if not options.detach:
        sys.stderr.write("the simulated docker knows `run -d` only\n")
        return _DAEMONS_ERROR
    try:
        published = dict(_ports(value) for value in options.publish)
        if not control.ask("image-find", image=options.image):
            sys.stderr.write(f"Unable to find image '{options.image}' locally\n")
            _report(control.ask("image-pull", image=options.image), sys.stderr)
        made = control.ask(
            "container-run",
            image=options.image,
            name=options.name,
            published=published,
            restart=options.restart,
            command=options.command,
        )
    except control.RefusedError as error:
        sys.stderr.write(f"docker: Error response from daemon: {error}.\nSee 'docker run --help'.\n")
        return _DAEMONS_ERROR
    sys.stdout.write(f"{made}\n")
    return 0


def remove(options: argparse.Namespace) -> int:
    """Throw containers away; print the name of each that was."""
    status = 0
    for name in options.containers:
        try:
            control.ask("container-remove", container=name, force=options.force)
            sys.stdout.write(f"{name}\n")
        except control.RefusedError as error:
            sys.stderr.write(f"Error response from daemon: {error}\n")
            status = 1
    return status


def pull(options: argparse.Namespace) -> int:
    """Pull an image."""
    pulled = control.ask("image-pull", image=options.image)
    if options.quiet:
        sys.stdout.write(f"{_complete(options.image)}\n")
        return 0
    _report(pulled, sys.stdout)
    sys.stdout.write(f"{_complete(options.image)}\n")
    return 0


def images(options: argparse.Namespace) -> int:
    """List the images."""
    found = control.ask("images")
    if options.quiet:
        sys.stdout.writelines(f"{_short(image)}\n" for image in found)
        return 0
    rows = [["REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE"]]
    for image in found:
        age = text.duration(text.age(text.parse_time(image["created"])))
        rows.append([image["name"], image["tag"], _short(image), f"{age} ago", f"{image['size']}B"])
    sys.stdout.write(text.table(rows))
    return 0


def _ports(value: str) -> tuple[str, str]:
    """Read `[ADDRESS:]HOST:CONTAINER`; return the container's port and the host's."""
    host, colon, inside = value.rpartition(":")
    inside, host = inside.removesuffix("/tcp"), host.rpartition(":")[2]
    if not colon or not inside.isdecimal() or not host.isdecimal():
        raise control.RefusedError(f"invalid port specification: {value!r}")
    return inside, host


def _report(pulled: dict[str, Any], stream: Any) -> None:
    stream.write(f"{pulled['tag']}: Pulling from {pulled['name']}\nDigest: {pulled['digest']}\n")
    stream.write(f"Status: Downloaded newer image for {pulled['name']}:{pulled['tag']}\n")


def _complete(image: str) -> str:
    name = image if ":" in image.rpartition("/")[2] else f"{image}:latest"
    first = name.partition("/")[0]
    if "/" in name and ("." in first or ":" in first or first == "localhost"):
        return name
    return f"docker.io/{name}" if "/" in name else f"docker.io/library/{name}"


def _short(image: dict[str, Any]) -> str:
    return str(image["image_id"]).removeprefix("sha256:")[:12]
