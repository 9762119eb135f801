"""What the CoCo operator leaves on a host: artefacts and configuration of kata and containerd."""

from simlab.release.containerd_file import configure_containerd, configure_default_containerd

__all__ = ["configure_containerd", "configure_default_containerd"]
