"""What the CoCo operator v0.3.0 leaves on a host: artefacts and configuration of kata and containerd."""

from simlab.release.install import (
    RUNTIME_CLASSES,
    configure_containerd,
    configure_default_containerd,
    install,
)

__all__ = ["RUNTIME_CLASSES", "configure_containerd", "configure_default_containerd", "install"]
