"""kubectl with a kustomization, on a runner whose kubectl is older than the guide's cluster.

Debian 12's kubectl 1.20 cannot render the operator's release: the lab renders it, and that kubectl does the
rest.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import Final

from simlab.machine.tools import control

_KUBECTL: Final = "/usr/bin/kubectl"
# kubectl 1.21 is the first with a kustomize that is not 2.0.
_FIRST_MINOR: Final = 21


def main() -> int:
    """Run kubectl; returns the exit status."""
    arguments = sys.argv[1:]
    if not os.path.exists(_KUBECTL):  # noqa: PTH110 -- quick
        sys.stderr.write("kubectl: command not found\n")
        return 127
    if _renders():
        os.execv(_KUBECTL, [_KUBECTL, *arguments])  # noqa: S606 -- no shell is wanted
    try:
        target, others = _split(arguments)
        text = control.ask("kustomize", target=target, folder=os.getcwd())  # noqa: PTH109 -- a text
    except control.RefusedError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    if others == ["kustomize"]:
        sys.stdout.write(text)
        return 0
    return subprocess.run([_KUBECTL, *others], input=text, text=True, check=False).returncode


def _renders() -> bool:
    """Return whether the runner's kubectl is new enough."""
    asked = [_KUBECTL, "version", "--client", "-o", "json"]
    told = subprocess.run(asked, capture_output=True, text=True, check=False).stdout
    minor = re.match(r"\d+", json.loads(told)["clientVersion"]["minor"]) if told else None
    return minor is not None and int(minor[0]) >= _FIRST_MINOR


def _split(arguments: list[str]) -> tuple[str, list[str]]:
    """Return the kustomization, and the other arguments with `-f -` in its place."""
    if arguments[:1] == ["kustomize"]:
        return (arguments[1] if len(arguments) > 1 else "."), ["kustomize"]
    others = list(arguments)
    for index, argument in enumerate(arguments):
        if argument in ("-k", "--kustomize"):
            if index + 1 == len(arguments):
                raise control.RefusedError(f"flag needs an argument: {argument}")
            others[index : index + 2] = ["-f", "-"]
            return arguments[index + 1], others
        for start in ("--kustomize=", "-k"):
            if argument.startswith(start):
                others[index : index + 1] = ["-f", "-"]
                return argument.removeprefix(start).removeprefix("="), others
    raise control.RefusedError("there is no kustomization")


if __name__ == "__main__":
    sys.exit(main())
