"""kube-rbac-proxy's program: it starts, says so, and stands in front of nothing until it is told to end."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from simlab.operator.program import run_script, say

if TYPE_CHECKING:
    from simlab.operator.program import Program


def script(program: Program) -> bool:
    """Say where the real one would listen, and stay."""
    listen = "--secure-listen-address="
    address = next(
        (one.removeprefix(listen) for one in program.command if one.startswith(listen)), "0.0.0.0:0"
    )
    say("Generating self signed cert as no cert is provided")
    say(f"Starting TCP socket on {address}")
    say(f"Listening securely on {address}")
    return True


if __name__ == "__main__":
    sys.exit(run_script(script))
