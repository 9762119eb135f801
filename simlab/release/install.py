"""Put the release on a simulated host in one go, as the operator's two daemons do on a real one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from simlab.release import container_engine, containerd_configuration, kata_deploy, paths
from simlab.release.files import Files

if TYPE_CHECKING:
    from simlab.artifacts import Artifacts
    from simlab.layout import Layout

RUNTIME_CLASSES: Final = ("kata", "kata-clh", "kata-clh-tdx", "kata-qemu", "kata-qemu-sev", "kata-qemu-tdx")
"""RuntimeClasses of operator v0.3.0's `config/samples/ccruntime/default`; handler = name."""


def install(layout: Layout, artifacts: Artifacts) -> None:
    """Do what the pre-install daemon and the install daemon do.

    An existing containerd configuration is extended and its first state kept as `config.toml.bak`; files of
    an earlier installation are written over.
    """
    files = Files.of_host(layout)
    container_engine.install(files)
    kata_deploy.install_artifacts(files, artifacts)
    kata_deploy.link_shims(files)
    if not files.at(paths.CONTAINERD_CONFIG).exists():
        files.write(paths.CONTAINERD_CONFIG, containerd_configuration.default())
    kata_deploy.configure_containerd(files)


def configure_containerd(layout: Layout) -> None:
    """Do what the guide's step one does: containerd's default configuration, with the mirror's image."""
    text = containerd_configuration.default(containerd_configuration.GUIDE_SANDBOX_IMAGE)
    Files.of_host(layout).write(paths.CONTAINERD_CONFIG, text)


def configure_default_containerd(layout: Layout) -> None:
    """Leave containerd as a cluster's administrator does who needs no mirror: its default configuration."""
    Files.of_host(layout).write(paths.CONTAINERD_CONFIG, containerd_configuration.default())
