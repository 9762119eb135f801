"""How far along the guide a lab starts."""

from __future__ import annotations

from enum import IntEnum


class Stage(IntEnum):
    """What has been done before a lab is handed over; each has what those before it have.

    The cluster itself is always there: the guide asks for one, and does not say how to make it.
    """

    BARE = 0
    """Anolis OS 8.6 as installed: kernel 4.19, newer GRUB, SEV off, SELinux enforcing, firewalld running."""
    SEV = 1
    """Kernel 5.10, the older GRUB, SEV and SME on: the guide's prerequisites."""
    CLUSTER = 2
    """Firewall and SELinux off, docker, containerd configured, the worker's label: step one."""
    OPERATOR = 3
    """The operator's runtime and its RuntimeClasses: step two."""
    KBS = 4
    """simple-kbs and its database: step three."""
    WORKLOADS = 5
    """The platform's certificate chain exported: what step four needs before its first pod."""

    @classmethod
    def names(cls) -> list[str]:
        """Return the stages' names, as the command line takes them."""
        return [stage.name.lower() for stage in cls]

    @classmethod
    def named(cls, name: str) -> Stage:
        """Return the stage with that name."""
        return cls[name.upper()]
