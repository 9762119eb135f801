"""A shell on the simulated host: programs of the runner that see the lab's own root directory.

One bubblewrap process, the holder, builds the host's mount namespace and keeps it; every command enters it
with `nsenter`. So a command starts in a millisecond, mounts are seen by all commands, and `ps` on the host
shows the command and not a bubblewrap command line around it.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Final

from simlab.machine.system import units

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from simlab.layout import Layout

# The runner's programs and libraries. /usr/local, /usr/libexec, /etc, /opt, … are the lab's own.
SHARED_FOLDERS: Final = (
    "/usr/bin",
    "/usr/sbin",
    "/usr/lib",
    "/usr/lib64",
    "/usr/share",
    # Debian's programs are found through these links: awk is /etc/alternatives/awk.
    "/etc/alternatives",
)

# What a login as root has. Debian keeps some of Anolis' /usr/bin in /usr/sbin, and so it is here too.
LOGIN_ENVIRONMENT: Final = {
    "HOME": "/root",
    "USER": "root",
    "LOGNAME": "root",
    "SHELL": "/bin/bash",
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/root/bin",
    "LANG": "C.UTF-8",
}

# Files of /proc that tell the machine; the lab's texts are bound over them.
KERNEL_FILES: Final = {
    "cmdline": "/proc/cmdline",
    "version": "/proc/version",
    "cpuinfo": "/proc/cpuinfo",
    "boot_id": "/proc/sys/kernel/random/boot_id",
    "osrelease": "/proc/sys/kernel/osrelease",
}


class NotUpError(Exception):
    """The simulated host's root is not mounted (yet, or any more)."""


def kernel_folder(layout: Layout) -> Path:
    """Folder of the texts that stand for files of /proc; keys of KERNEL_FILES are the file names."""
    return layout.world / "kernel"


def control_socket(layout: Layout) -> Path:
    """Return the supervisor's control socket; on the host it is /run/simlab/control.sock."""
    return layout.world / "control.sock"


def pid_file(layout: Layout) -> Path:
    """File with the holder's pid; exists once the host's root is mounted."""
    return layout.host / "run/simlab/holder.pid"


def holder_argv(layout: Layout) -> list[str]:
    """Return the command that mounts the host's root and keeps it until it is killed."""
    argv = ["bwrap", "--die-with-parent", "--bind", str(layout.host), "/"]
    for folder in SHARED_FOLDERS:
        argv += ["--ro-bind-try", folder, folder]
    # What packages bring is the lab's.
    argv += ["--bind", str(layout.host / units.VENDOR), f"/{units.VENDOR}"]
    argv += ["--proc", "/proc", "--dev", "/dev", "--dev-bind", "/dev/pts", "/dev/pts"]
    for name, target in KERNEL_FILES.items():
        argv += ["--ro-bind", str(kernel_folder(layout) / name), target]
    argv += ["--bind", str(layout.psp_socket), "/dev/sev"]
    argv += ["--bind", str(control_socket(layout)), "/run/simlab/control.sock"]
    argv += ["--ro-bind", str(layout.log), "/run/simlab/log"]
    kubectl = shutil.which("kubectl")
    if kubectl and not kubectl.startswith(("/usr/bin/", "/usr/sbin/", "/bin/", "/sbin/")):
        argv += ["--ro-bind", kubectl, "/usr/local/bin/kubectl"]
    # The file appears whole or not at all: its pid is read by programs that race with this one.
    keep = (
        "echo $$ >/run/simlab/holder.tmp && mv /run/simlab/holder.tmp /run/simlab/holder.pid"
        " && exec -a systemd sleep infinity"
    )
    return [*argv, "--chdir", "/", "--", "/bin/bash", "-c", keep]


def argv(layout: Layout, command: Sequence[str], env: Mapping[str, str] | None = None) -> list[str]:
    """Return the command that runs `command` on the simulated host as root in /root.

    `env` is added to a root login's environment; nothing of the caller's is inherited. Run it in the world.
    Raises NotUpError when the host's root is not mounted.
    """
    try:
        pid = int(pid_file(layout).read_text())
    except (FileNotFoundError, ValueError):
        raise NotUpError(f"the simulated host's root is not mounted: {pid_file(layout)} is missing") from None
    variables = {**LOGIN_ENVIRONMENT, **(env or {})}
    assignments = [f"{name}={value}" for name, value in variables.items()]
    enter = ["nsenter", f"--target={pid}", "--mount", "--root", "--wdns=/root"]
    return [*enter, "--", "/usr/bin/env", "--ignore-environment", *assignments, *command]
