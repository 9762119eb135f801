"""What the container engine payload does to a host before the installation, and after the uninstallation.

Source: operator v0.3.0 `install/pre-install-payload/scripts/container-engine-for-cc-deploy.sh`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from simlab.release import containerd_configuration, paths
from simlab.release.kata_deploy import INERT_PROGRAM

if TYPE_CHECKING:
    from simlab.release.files import Files


def install(files: Files) -> None:
    """Put CoCo's containerd beside the host's, and have the unit start it."""
    files.write(paths.CONTAINERD, INERT_PROGRAM, mode=0o755)
    files.write(paths.CONTAINERD_DROP_IN, containerd_configuration.DROP_IN)


def uninstall(files: Files) -> None:
    """Have the unit start the host's containerd again, and delete CoCo's."""
    drop_in = files.at(paths.CONTAINERD_DROP_IN)
    drop_in.unlink(missing_ok=True)
    if drop_in.parent.is_dir() and not any(drop_in.parent.iterdir()):
        drop_in.parent.rmdir()
    files.at(paths.CONTAINERD).unlink(missing_ok=True)
    files.remove_empty(paths.BIN)
