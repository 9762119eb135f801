"""The runtime payload's program: `kata-deploy.sh install`, `cleanup`, `reset` (kata CC-0.3.0, CC-0.7.0)."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from simlab.artifacts import Artifacts
from simlab.operator import names
from simlab.operator.program import Node, ScriptError, restart, run_script, say
from simlab.release import kata_deploy, paths, versions

if TYPE_CHECKING:
    from simlab.operator.program import Program
    from simlab.release.files import Files


def script(program: Program) -> bool:
    """Do what the command says; True where it then stays. Raises ScriptError."""
    node = Node(program.layout)
    engine = node.container_engine()
    if engine != "containerd":
        raise ScriptError(f"ERROR: {engine} is not supported for now")
    files, kata = program.files, versions.of(program.layout).kata
    _require_configuration(files)
    match program.command[1:]:
        case ["install"]:
            say("copying kata artifacts onto host")
            kata_deploy.install_artifacts(files, Artifacts(program.layout.world / "artifacts"), kata)
            say("Add Kata Containers as a supported runtime for containerd")
            kata_deploy.link_shims(files, kata)
            kata_deploy.configure_containerd(files, kata)
            restart(engine, program.layout)
            node.label(names.KATA_RUNTIME_LABEL, "true")
        case ["cleanup"]:
            kata_deploy.remove_shims(files, kata)
            kata_deploy.restore_containerd(files)
            node.label(names.KATA_RUNTIME_LABEL, "cleanup")
            say("deleting kata artifacts")
            kata_deploy.remove_artifacts(files, kata)
        case ["reset"]:
            node.label(names.KATA_RUNTIME_LABEL, None)
            restart(engine, program.layout)
            # The pod's hook: the real one sleeps until the kubelet kills it.
            return False
        case _:
            say(f"Usage: {' '.join(program.command[:1])} [install/cleanup/reset]")
            raise ScriptError("ERROR: invalid arguments")
    return True


def _require_configuration(files: Files) -> None:
    """Without a configuration the script asks for containerd's default, and there is no containerd inside."""
    config = files.at(paths.CONTAINERD_CONFIG)
    if not config.exists() and config.parent.is_dir():
        config.touch()
        raise ScriptError("containerd: command not found", 127)


if __name__ == "__main__":
    sys.exit(run_script(script))
