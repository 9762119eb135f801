"""The container engine payload's program: `pre-install.sh` and `post-uninstall.sh` (operator v0.3.0)."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from simlab.operator import names
from simlab.operator.program import Node, ScriptError, restart, run_script, say, take
from simlab.release import container_engine

if TYPE_CHECKING:
    from simlab.operator.program import Program

# A restart of containerd takes about this on a server.
_RESTART_SECONDS: Final = 0.5


def script(program: Program) -> bool:
    """Do what the command says; True where it then stays. Raises ScriptError."""
    node = Node(program.layout)
    engine = node.container_engine()
    if engine != "containerd":
        raise ScriptError(f"ERROR: {engine} is not yet supported")
    operation = program.command[-1].rpartition("/")[2].removesuffix(".sh")
    if operation == names.PRE_INSTALL:
        say("Copying containerd-for-cc artifacts onto host")
        container_engine.install(program.files)
        done = names.PRE_INSTALL_DONE
    elif operation == names.POST_UNINSTALL:
        say("Removing containerd-for-cc artifacts from host")
        container_engine.uninstall(program.files)
        done = names.POST_UNINSTALL_DONE
    else:
        raise ScriptError(f"/bin/sh: {program.command[-1]}: No such file or directory", 127)
    say(f"Restarting {engine}")
    restart(engine, program.layout)
    take(_RESTART_SECONDS)
    for key, value in done.items():
        node.label(key, value, overwrite=False)
    return True


if __name__ == "__main__":
    sys.exit(run_script(script))
