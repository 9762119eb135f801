"""Put the release on a simulated host in one go, as the operator's two daemons do on a real one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simlab.release import container_engine, containerd_configuration, kata_deploy, paths, versions
from simlab.release.files import Files

if TYPE_CHECKING:
    from simlab.artifacts import Artifacts
    from simlab.layout import Layout


def install(layout: Layout, artifacts: Artifacts) -> None:
    """Do what the pre-install daemon and the install daemon do.

    An existing containerd configuration is extended and its first state kept as `config.toml.bak`; files of
    an earlier installation are written over.
    """
    files, kata = Files.of_host(layout), versions.of(layout).kata
    container_engine.install(files)
    kata_deploy.install_artifacts(files, artifacts, kata)
    kata_deploy.link_shims(files, kata)
    if not files.at(paths.CONTAINERD_CONFIG).exists():
        files.write(paths.CONTAINERD_CONFIG, containerd_configuration.default())
    kata_deploy.configure_containerd(files, kata)


def configure_containerd(layout: Layout) -> None:
    """Do what the guide's step one does: containerd's default configuration, with the mirror's image."""
    text = containerd_configuration.default(containerd_configuration.GUIDE_SANDBOX_IMAGE)
    Files.of_host(layout).write(paths.CONTAINERD_CONFIG, text)


def configure_default_containerd(layout: Layout) -> None:
    """Leave containerd as a cluster's administrator does who needs no mirror: its default configuration."""
    Files.of_host(layout).write(paths.CONTAINERD_CONFIG, containerd_configuration.default())
