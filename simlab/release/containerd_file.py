"""containerd's configuration file before the operator extends it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simlab.release import containerd_configuration, paths
from simlab.release.files import Files

if TYPE_CHECKING:
    from simlab.layout import Layout


def configure_containerd(layout: Layout) -> None:
    """Do what the guide's step one does: containerd's default configuration, with the mirror's image."""
    text = containerd_configuration.default(containerd_configuration.GUIDE_SANDBOX_IMAGE)
    Files.of_host(layout).write(paths.CONTAINERD_CONFIG, text)


def configure_default_containerd(layout: Layout) -> None:
    """Leave containerd as a cluster's administrator does who needs no mirror: its default configuration."""
    Files.of_host(layout).write(paths.CONTAINERD_CONFIG, containerd_configuration.default())
