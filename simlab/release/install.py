"""Put the release on a simulated host, as the operator's two daemons do on a real one."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Final

from simlab.release import containerd_configuration, kata_configuration, paths

if TYPE_CHECKING:
    from pathlib import Path

    from simlab.artifacts import Artifacts
    from simlab.layout import Layout

RUNTIME_CLASSES: Final = ("kata", "kata-clh", "kata-clh-tdx", "kata-qemu", "kata-qemu-sev", "kata-qemu-tdx")
"""RuntimeClasses of operator v0.3.0's `config/samples/ccruntime/default`; handler = name."""

_CONFIGURATIONS: Final = {
    "configuration-qemu.toml": kata_configuration.qemu,
    "configuration-qemu-sev.toml": kata_configuration.qemu_sev,
    "configuration-qemu-tdx.toml": kata_configuration.qemu_tdx,
    "configuration-clh.toml": kata_configuration.clh,
    "configuration-clh-tdx.toml": kata_configuration.clh_tdx,
}

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
_INERT_PROGRAM: Final = (
    '#!/bin/sh\necho "$0: part of the simulated node, not a program to run by hand" >&2\nexit 1\n'
)


def install(layout: Layout, artifacts: Artifacts) -> None:
    """Do what the pre-install daemon and the install daemon do.

    An existing containerd configuration is extended and its first state kept as `config.toml.bak`; files of
    an earlier installation are written over.
    """
    _pre_install(layout)
    install_artifacts(layout, artifacts)
    _link_shims(layout)
    _add_runtimes(layout)


def configure_containerd(layout: Layout) -> None:
    """Do what the guide's step one does: containerd's default configuration, with the mirror's image."""
    text = containerd_configuration.default(containerd_configuration.GUIDE_SANDBOX_IMAGE)
    _write(layout, paths.CONTAINERD_CONFIG, text)


def configure_default_containerd(layout: Layout) -> None:
    """Leave containerd as a cluster's administrator does who needs no mirror: its default configuration."""
    _write(layout, paths.CONTAINERD_CONFIG, containerd_configuration.default())


def install_artifacts(layout: Layout, artifacts: Artifacts) -> None:
    """Copy the artefacts over the host's, as each start of the install pod does (see `kata-deploy.sh`)."""
    for path in _PROGRAMS:
        _write(layout, path, _INERT_PROGRAM, mode=0o755)
    for name, render in _CONFIGURATIONS.items():
        _write(layout, f"{paths.CONFIGURATIONS}/{name}", render())
    _link(layout, f"{paths.CONFIGURATIONS}/configuration.toml", "configuration-qemu.toml")
    guest_files = {
        paths.FIRMWARE: artifacts.firmware,
        paths.SEV_KERNEL: artifacts.kernel_sev,
        paths.SEV_INITRD: artifacts.initrd_sev,
        paths.KERNEL: artifacts.kernel,
        paths.IMAGE: artifacts.image,
    }
    for path, source in guest_files.items():
        target = _on_host(layout, path)
        target.unlink(missing_ok=True)
        shutil.copyfile(source, target)


def _pre_install(layout: Layout) -> None:
    _write(layout, paths.CONTAINERD, _INERT_PROGRAM, mode=0o755)
    _write(layout, paths.CONTAINERD_DROP_IN, containerd_configuration.DROP_IN)


def _link_shims(layout: Layout) -> None:
    for shim in containerd_configuration.SHIMS:
        _link(layout, f"{paths.SHIM_LINKS}/containerd-shim-kata-{shim}-v2", paths.KATA_SHIM)
    _link(
        layout,
        f"{paths.SHIM_LINKS}/containerd-shim-kata-v2",
        f"{paths.SHIM_LINKS}/containerd-shim-kata-qemu-v2",
    )


def _add_runtimes(layout: Layout) -> None:
    config = _on_host(layout, paths.CONTAINERD_CONFIG)
    if config.exists():
        backup = config.with_name(config.name + ".bak")
        if not backup.exists():
            shutil.copy2(config, backup)
        text = config.read_text()
    else:
        text = containerd_configuration.default()
    if ".containerd.runtimes.kata]" not in text:
        config.write_text(text + containerd_configuration.kata_runtimes())


def _on_host(layout: Layout, path: str) -> Path:
    target = layout.host / path.lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    return target


def _write(layout: Layout, path: str, content: str, *, mode: int = 0o644) -> None:
    target = _on_host(layout, path)
    target.write_text(content)
    target.chmod(mode)


def _link(layout: Layout, path: str, to: str) -> None:
    link = _on_host(layout, path)
    link.unlink(missing_ok=True)
    link.symlink_to(to)
