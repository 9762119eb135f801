"""What the runtime payload's installer does to a host, and takes back.

Source: kata CC-0.3.0 and CC-0.7.0, `tools/packaging/kata-deploy-cc/scripts/kata-deploy.sh`.
"""

from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from simlab.release import containerd_configuration, kata_configuration, paths

if TYPE_CHECKING:
    from pathlib import Path

    from simlab.artifacts import Artifacts
    from simlab.release.files import Files
    from simlab.release.versions.release import Kata

# Their presence matters to kata's checks, their code does not: the node agent acts in their place.
_PROGRAMS: Final = (
    paths.KATA_SHIM,
    paths.QEMU,
    paths.QEMU_TDX,
    paths.CLOUD_HYPERVISOR,
    paths.VIRTIOFSD,
    f"{paths.BIN}/kata-runtime",
    f"{paths.BIN}/kata-monitor",
    f"{paths.BIN}/kata-collect-data.sh",
)
INERT_PROGRAM: Final = (
    '#!/bin/sh\necho "$0: part of the simulated node, not a program to run by hand" >&2\nexit 1\n'
)
# What the shim says to who asks for nothing else (`src/runtime/cmd/containerd-shim-kata-v2/main.go`).
_SHIM: Final = """\
#!/bin/sh
if [ $# -eq 1 ] && [ "$1" = --version ]; then
  echo 'Kata Containers containerd shim (Golang): id: "io.containerd.kata.v2",' \\
    'version: {version}, commit: {commit}'
  exit 0
fi
"""
# The payload's files are from before any lab.
_BUILT: Final = int(datetime(2023, 1, 19, tzinfo=UTC).timestamp())
_DEFAULT_SHIM: Final = f"{paths.SHIM_LINKS}/containerd-shim-kata-v2"
_BACKUP: Final = f"{paths.CONTAINERD_CONFIG}.bak"
_REMOVED_FOLDERS: Final = (f"{paths.PREFIX}/libexec", f"{paths.PREFIX}/share")


def install_artifacts(files: Files, artifacts: Artifacts, kata: Kata) -> None:
    """Copy the artefacts over the host's, as each start of the install pod does."""
    for path in (*_PROGRAMS, *kata.programs):
        answers = _SHIM.format(version=kata.version, commit=kata.commit) if path == paths.KATA_SHIM else ""
        files.write(path, f"{answers}{INERT_PROGRAM}# {mark(kata)}\n", mode=0o755)
    for name, text in kata_configuration.files(kata).items():
        files.write(f"{paths.CONFIGURATIONS}/{name}", text)
        _keep_time(files.at(f"{paths.CONFIGURATIONS}/{name}"))
    files.link(f"{paths.CONFIGURATIONS}/configuration.toml", "configuration-qemu.toml")
    for path, source in artifacts.by_host_path(kata).items():
        target = files.for_writing(path)
        target.unlink(missing_ok=True)
        shutil.copyfile(source, target)
        _keep_time(target)


def _keep_time(path: Path) -> None:
    """Give a file the time of the payload's build, as the installer's `cp -a` does."""
    os.utime(path, (_BUILT, _BUILT))


def mark(kata: Kata) -> str:
    """What a program of this release has in it: by the shim's the node knows which kata it is to be."""
    return f"kata-containers {kata.tag}"


def link_shims(files: Files, kata: Kata) -> None:
    """Put each shim's name where containerd looks for it; a file of the host's own is set aside once."""
    for link, to in _shim_links(kata).items():
        _set_aside(files, link)
        files.link(link, to)


def configure_containerd(files: Files, kata: Kata) -> None:
    """Add the kata runtimes to containerd's configuration; the first state of an existing one is kept."""
    config = files.for_writing(paths.CONTAINERD_CONFIG)
    text = ""
    if config.exists():
        backup = files.at(_BACKUP)
        if not backup.exists():
            shutil.copy2(config, backup)
        text = config.read_text()
    config.write_text(containerd_configuration.with_kata_runtimes(text, kata.shims))


def remove_shims(files: Files, kata: Kata) -> None:
    """Take the shims' names away, and give back what was set aside."""
    for link in _shim_links(kata):
        files.at(link).unlink(missing_ok=True)
        if files.is_file(f"{link}.bak"):
            files.at(f"{link}.bak").rename(files.at(link))


def restore_containerd(files: Files) -> None:
    """Put the first configuration back, or leave none; edits made since are lost."""
    files.at(paths.CONTAINERD_CONFIG).unlink(missing_ok=True)
    if (backup := files.at(_BACKUP)).exists():
        backup.rename(files.at(paths.CONTAINERD_CONFIG))


def remove_artifacts(files: Files, kata: Kata) -> None:
    """Delete what the installer copied; what others put beside it stays, and so do folders that hold it."""
    for folder in _REMOVED_FOLDERS:
        shutil.rmtree(files.at(folder), ignore_errors=True)
    for path in (*_PROGRAMS, *kata.programs):
        files.at(path).unlink(missing_ok=True)
    files.remove_empty(paths.BIN)


def _shim_links(kata: Kata) -> dict[str, str]:
    links = {f"{paths.SHIM_LINKS}/containerd-shim-kata-{shim}-v2": paths.KATA_SHIM for shim in kata.shims}
    return links | {_DEFAULT_SHIM: f"{paths.SHIM_LINKS}/containerd-shim-kata-qemu-v2"}


def _set_aside(files: Files, link: str) -> None:
    """Move what has a shim's name to a backup, or delete it where there is one.

    The script takes its own link of an earlier start for the host's file too, so that an uninstall gives back
    a link to nothing wherever the install pod has started more than once.
    """
    shim = files.at(link)
    if not files.is_file(link):
        return
    if not files.is_file(f"{link}.bak"):
        shim.rename(files.at(f"{link}.bak"))
    else:
        shim.unlink()
