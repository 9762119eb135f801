"""What the CoCo operator leaves on a host: artefacts and configuration of kata and containerd."""

from simlab.release.install import (
    configure_containerd,
    configure_default_containerd,
    install,
)

__all__ = ["configure_containerd", "configure_default_containerd", "install"]
