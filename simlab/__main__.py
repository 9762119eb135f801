"""`python -m simlab`: start, stop, list and enter simulated labs."""

# ruff: noqa: T201 -- a command's output

from __future__ import annotations

import argparse
import json
import os
import select
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from simlab import labs, real_parts, requirements
from simlab.compare import command as comparing
from simlab.faults import catalogue
from simlab.machine import access, boot, power
from simlab.release import versions
from simlab.stages import Stage
from simlab.world import StartError, World

if TYPE_CHECKING:
    from simlab.faults.fault import Fault
    from simlab.layout import Layout

_DOWN_SECONDS: Final = 30.0
_MISTAKES: Final = (
    *(labs.LabError, real_parts.RealPartError, requirements.MissingRequirementError, StartError),
)


def main() -> int:
    """Carry out one command; returns the exit status. A user's mistake is one line on stderr."""
    options = _parse()
    try:
        code = int(options.run(options))
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read has read enough. What is left in the buffer must not be written at the end, either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except _MISTAKES as error:
        print(f"simlab: {error}", file=sys.stderr)
        return 1
    return code


def up(options: argparse.Namespace) -> int:
    """Start a lab, and keep it until the end of stdin (--attached), or SIGTERM or SIGINT."""
    requirements.check()
    real_parts.from_environment()
    if options.detach:
        return _up_detached(options)
    # Signals are read from a pipe, so that they end every wait and none is lost.
    wake = _signals_to_pipe()
    record = labs.claim(options.root, options.name or f"run-{os.getpid()}")
    layout = record.layout
    stage = options.stage or _stage_for(options.fault)
    world = World(layout, Stage.named(stage), options.release, options.fault)
    try:
        world.start(wake)
        _announce(layout, world, as_json=options.attached or options.json)
        watched = [wake, world.fileno()]
        if options.attached:
            watched.append(sys.stdin.fileno())
        ended = _wait(watched, sys.stdin.fileno() if options.attached else None)
        if ended == world.fileno():
            raise StartError("the lab ended by itself; its supervisor is gone")
    finally:
        world.stop()
        labs.release(record)
    return 0


def down(options: argparse.Namespace) -> int:
    """Stop a lab and wait until its folder is gone."""
    record = labs.find(options.root, options.name or "default")
    if record.alive:
        os.kill(record.pid, signal.SIGTERM)
        deadline = time.monotonic() + _DOWN_SECONDS
        while record.alive and time.monotonic() < deadline:
            time.sleep(0.05)
        if record.alive:
            # Its world dies with it.
            os.kill(record.pid, signal.SIGKILL)
            while record.alive:
                time.sleep(0.05)
    labs.release(record)
    return 0


def show_list(options: argparse.Namespace) -> int:
    """Print every lab, also one whose keeper was killed; as JSON only those that are up."""
    for record in labs.records():
        state = _state(record)
        if not options.json:
            print(f"{record.name}\t{state}\t{record.pid}\t{record.root}")
        elif state.startswith("up"):
            print(json.dumps({"name": record.name, **_read_ready(record.layout)}))
    return 0


def _state(record: labs.Record) -> str:
    if not record.alive:
        return "stale"
    if not _ready_file(record.layout).exists():
        return "starting"
    host = power.state(record.layout)
    return "up" if host == "on" else f"up, but its host {host}"


def shell(options: argparse.Namespace) -> int:
    """Log in to a lab's host; what follows is run there."""
    record = labs.find(options.root, options.name or "default")
    command = [*shlex.split(_read_ready(record.layout)["ssh"]), *options.command]
    return subprocess.run(command, check=False).returncode


def console(options: argparse.Namespace) -> int:
    """Print the host's console log: why it does not come back, when it does not."""
    record = labs.find(options.root, options.name or "default")
    print(boot.console_log(record.layout).read_text(), end="")
    return 0


def reset(options: argparse.Namespace) -> int:
    """Have the host start anew, also when it hangs or is off."""
    record = labs.find(options.root, options.name or "default")
    try:
        power.press_reset(record.layout)
    except OSError as error:
        raise labs.LabError(f"the lab in {record.root} does not answer: {error}") from None
    return 0


def show_faults(options: argparse.Namespace) -> int:
    """Print the catalogue of faults, by the clauses that must turn red; a fault stands at each of its own."""
    del options
    known = catalogue.faults().values()
    for clause in sorted({clause for fault in known for clause in fault.clauses}):
        print(clause)
        for fault in known:
            if clause in fault.clauses:
                print(f"  {fault.name} ({fault.kind}): {fault.breaks}")
    return 0


def compare(options: argparse.Namespace) -> int:
    """Print where two labs differ; exit status 1 where they do, 2 for what is no transcript."""
    return comparing.run(options.first, options.second)


def _stage_for(fault: Fault | None) -> str:
    """Return how far along the guide a lab is by default: under a fault, where all else is done."""
    return (Stage.WORKLOADS if fault else Stage.KBS).name.lower()


def _fault(name: str) -> Fault:
    try:
        return catalogue.named(name)
    except catalogue.UnknownFaultError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _up_detached(options: argparse.Namespace) -> int:
    """Start a keeper in a session of its own and wait until it says that the lab is ready."""
    command = [sys.executable, "-m", "simlab", "up", "--attached", "--name", options.name or "default"]
    command += ["--release", options.release]
    command += ["--stage", options.stage] if options.stage else []
    command += ["--fault", options.fault.name] if options.fault else []
    if options.root:
        command += ["--root", str(options.root)]
    # The keeper's stdin is a pipe that it keeps open itself, so it never ends.
    read_end, write_end = os.pipe()
    keeper = subprocess.Popen(
        command,
        stdin=read_end,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=(write_end,),
        start_new_session=True,
        text=True,
    )
    os.close(read_end)
    os.close(write_end)
    if keeper.stdout is None or keeper.stderr is None:
        raise AssertionError("the keeper was started with pipes")
    line = keeper.stdout.readline()
    if not line:
        sys.stderr.write(keeper.stderr.read())
        return keeper.wait()
    if options.json:
        print(line, end="", flush=True)
    else:
        _print_for_people(json.loads(line))
    return 0


def _announce(layout: Layout, world: World, *, as_json: bool) -> None:
    ready = {
        "ready": True,
        "lab_file": str(layout.lab_file),
        "ssh": shlex.join(access.ssh_command(layout, world.ssh_port)),
        "kubectl": shlex.join(["kubectl", "--kubeconfig", str(layout.kubeconfig)]),
    }
    draft = _ready_file(layout).with_suffix(".draft")
    draft.write_text(json.dumps(ready))
    draft.replace(_ready_file(layout))
    if as_json:
        print(json.dumps(ready), flush=True)
    else:
        _print_for_people(ready)
        print("Ctrl-C stops it.", flush=True)


def _print_for_people(ready: dict[str, Any]) -> None:
    print(
        f"The lab is up.\n  {ready['ssh']}\n  {ready['kubectl']}\n  lab file: {ready['lab_file']}", flush=True
    )


def _ready_file(layout: Layout) -> Path:
    """Return the file with what was said when the lab was ready; there is none before."""
    return layout.root / "ready.json"


def _read_ready(layout: Layout) -> dict[str, Any]:
    try:
        ready: dict[str, Any] = json.loads(_ready_file(layout).read_text())
    except FileNotFoundError:
        raise labs.LabError(f"the lab in {layout.root} is not ready") from None
    return ready


def _signals_to_pipe() -> int:
    """Have the signals that end a program make a descriptor readable instead; returns it."""
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    signal.set_wakeup_fd(write_end)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    return read_end


def _wait(descriptors: list[int], stdin: int | None) -> int:
    """Wait until one of them is readable (stdin: at its end) and return it."""
    while True:
        readable, _, _ = select.select(descriptors, [], [])
        if stdin in readable and os.read(stdin, 4096):
            continue
        return int(readable[0])


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m simlab", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: object, text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(run=run)
        return sub

    def which(sub: argparse.ArgumentParser) -> None:
        sub.add_argument("--root", type=Path, metavar="DIR", help="the lab's folder")
        sub.add_argument("--name", help="the lab's name")

    sub = command("up", up, "start a lab")
    which(sub)
    sub.add_argument(
        "--stage",
        choices=Stage.names(),
        help=f"how far along the guide it starts (default: {_stage_for(None)}; with a fault, the last one)",
    )
    sub.add_argument(
        "--release",
        choices=list(versions.RELEASES),
        default=versions.DEFAULT.name,
        help="which CoCo release it is (default: %(default)s)",
    )
    sub.add_argument("--fault", type=_fault, metavar="NAME", help="what is broken in it; see: faults")
    how = sub.add_mutually_exclusive_group()
    how.add_argument("--attached", action="store_true", help="say JSON; stop at the end of stdin")
    how.add_argument("--detach", action="store_true", help="leave it running; its name is 'default'")
    sub.add_argument("--json", action="store_true", help="say JSON when the detached lab is ready")
    command("faults", show_faults, "list the faults that a lab can be started with, by clause")
    sub = command("compare", compare, "say where two labs differ, by transcripts of ./run --record")
    sub.add_argument("first", type=Path, metavar="TRANSCRIPT", help="such as that of real hardware")
    sub.add_argument(
        "second",
        type=Path,
        metavar="TRANSCRIPT2",
        help="that of a simulated lab; python -m tools.compare_with_simulated TRANSCRIPT makes it first",
    )
    which(command("down", down, "stop a lab and remove its folder"))
    which(command("console", console, "print what the host's console showed, boot after boot"))
    which(command("reset", reset, "press the reset button of a lab's host"))
    listing = command("list", show_list, "list labs: name, state, pid, folder")
    listing.add_argument("--json", action="store_true", help="say JSON, a line for each lab that is ready")
    sub = command("shell", shell, "log in to a lab's host")
    which(sub)
    sub.add_argument("command", nargs=argparse.REMAINDER, help="what to run there")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
