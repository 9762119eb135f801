"""Start a VM: `python -m simlab.guest --layout DIR -- QEMU-ARGUMENT-VECTOR`.

The process soon carries QEMU's argument vector as its own, so that `ps` and `/proc/PID/cmdline` show what
they show on a real host. Linux lets a program rewrite its arguments in place but not resize them, so this one
executes itself again with arguments that are exactly as long as QEMU's (the last one is padding), and takes
the real ones from an anonymous file; `simlab.guest.title` then overwrites them. Nothing is imported before.
"""

from __future__ import annotations

import json
import os
import sys

_PROGRAM = "simlab.guest.vm"


def main(program: str = _PROGRAM) -> None:
    """Replace this process by a module; exits with 2 for a command line that is not understood."""
    arguments = sys.argv[1:]
    if len(arguments) < 4 or arguments[0] != "--layout" or arguments[2] != "--":
        sys.stderr.write("usage: python -m simlab.guest --layout DIR -- QEMU-ARGUMENT-VECTOR\n")
        raise SystemExit(2)
    qemu = arguments[3:]
    handed = os.memfd_create("arguments", 0)
    os.write(handed, json.dumps({"layout": arguments[1], "qemu": qemu}).encode())
    wanted = sum(len(os.fsencode(argument)) + 1 for argument in qemu)
    argv = [sys.executable, "-m", program, f"{handed}:"]
    missing = wanted - sum(len(os.fsencode(argument)) + 1 for argument in argv)
    argv[-1] += "-" * max(missing, 0)
    os.execv(sys.executable, argv)  # noqa: S606 - no shell wanted


if __name__ == "__main__":
    main()
