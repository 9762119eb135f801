"""What is on the host's disk at a stage of the guide: packages, repositories, boot entries, settings."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from simlab.machine.software import (
    base,
    docker,
    grub,
    kernels,
    kubernetes,
    operator_sdk,
    repositories,
)
from simlab.machine.system import bls, grubenv, rpmdb, units
from simlab.stages import Stage

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from simlab.layout import Layout
    from simlab.machine.system.package import Package

_ROOT: Final = "root=/dev/mapper/ao-root ro"
_ARGUMENTS: Final = (
    "crashkernel=auto resume=/dev/mapper/ao-swap rd.lvm.lv=ao/root rd.lvm.lv=ao/swap rhgb quiet"
)
# The last one is not the guide's: the lab's owner wants SEV-ES guests too.
_SEV_ARGUMENTS: Final = "mem_encrypt=on kvm_amd.sev=1 kvm_amd.sev_es=1"

_INSTALLER: Final = "anaconda"
# A package that was not installed from a repository (dnf's own name for that).
_COMMAND_LINE: Final = "@commandline"


def write(layout: Layout, stage: Stage) -> None:
    """Write the system disk; needs the skeleton."""
    root = layout.host
    (root / "boot/grub2").mkdir(parents=True, exist_ok=True)
    (root / grubenv.PATH).parent.mkdir(parents=True, exist_ok=True)
    link, target = grubenv.LINK
    (root / link).symlink_to(target)
    arguments = _ARGUMENTS if stage < Stage.SEV else f"{_ARGUMENTS} {_SEV_ARGUMENTS}"
    grubenv.write(root, {"saved_entry": "", "kernelopts": f"{_ROOT} {arguments}", "boot_success": "0"})
    (root / "etc/default").mkdir(exist_ok=True)
    (root / "etc/default/grub").write_text(_default_grub(arguments))
    (root / "etc/sysconfig/kernel").write_text("UPDATEDEFAULT=yes\nDEFAULTKERNEL=kernel-core\n")
    (root / "etc/dnf/vars").mkdir(parents=True, exist_ok=True)
    (root / "etc/dnf/dnf.conf").write_text(
        "[main]\ngpgcheck=1\ninstallonly_limit=3\nclean_requirements_on_remove=True\nbest=True\n"
        "skip_if_unavailable=False\n"
    )
    _configure_repositories(root / "etc/yum.repos.d", stage)
    _install(root, _packages(stage))
    if stage >= Stage.CLUSTER:
        operator_sdk.install(root)
    # As a cluster's administrator leaves them; docker is started and not enabled, as by the guide.
    for name in ("containerd.service", "kubelet.service", "tmp.mount"):
        if unit := units.find(root, name):
            units.enable(root, unit)
    if stage >= Stage.CLUSTER and (firewall := units.find(root, "firewalld.service")):
        units.disable(root, firewall)
    mode = "enforcing" if stage < Stage.CLUSTER else "disabled"
    (root / "etc/selinux/config").write_text(f"SELINUX={mode}\nSELINUXTYPE=targeted\n")


def _packages(stage: Stage) -> list[tuple[str, Iterable[Package]]]:
    """Return what is installed, by where it came from, in the order of installation."""
    found: list[tuple[str, Iterable[Package]]] = [
        (_INSTALLER, [*base.PACKAGES, base.release_package(base.RELEASE), *kernels.packages(kernels.OLD)]),
        (_COMMAND_LINE, [base.CONTAINER_SELINUX, docker.CONTAINERD, *kubernetes.PACKAGES]),
    ]
    if stage < Stage.SEV:
        return [*found, (_INSTALLER, grub.packages(grub.BROKEN))]
    found += [
        ("BaseOS", [base.YUM_UTILS, *grub.packages(grub.GOOD)]),
        (repositories.KERNEL_ID, kernels.packages(kernels.NEW)),
    ]
    if stage >= Stage.CLUSTER:
        found.append((repositories.DOCKER_ID, [docker.CLI, docker.ENGINE]))
    if stage >= Stage.KBS:
        found += [(repositories.DOCKER_ID, [docker.COMPOSE_PLUGIN]), ("AppStream", [base.SEVCTL])]
    return found


def _install(root: Path, groups: list[tuple[str, Iterable[Package]]]) -> None:
    when = int(time.time())
    installed = []
    for origin, packages in groups:
        for package in packages:
            rpmdb.unpack(root, package)
            installed.append(package.from_repository(origin).installed(when))
            for name in ("post", "posttrans"):
                rpmdb.run_scripts(root, package, name)
    rpmdb.write(root, installed)
    if not bls.entries(root):
        raise AssertionError("no kernel was installed")


def _configure_repositories(folder: Path, stage: Stage) -> None:
    texts = repositories.base_repo_files()
    if stage >= Stage.SEV:
        texts[f"{repositories.KERNEL_ID}.repo"] = repositories.KERNEL_REPO
        name = "AnolisOS-BaseOS.repo"
        # The guide's sed, which changes each line's first one.
        texts[name] = "".join(
            line.replace("$releasever", "8.5", 1) for line in texts[name].splitlines(keepends=True)
        )
    if stage >= Stage.CLUSTER:
        texts["docker-ce.repo"] = repositories.DOCKER_REPO
    for name, text in texts.items():
        (folder / name).write_text(text)


def _default_grub(arguments: str) -> str:
    return (
        "GRUB_TIMEOUT=5\n"
        "GRUB_DISTRIBUTOR=\"$(sed 's, release .*$,,g' /etc/system-release)\"\n"
        "GRUB_DEFAULT=saved\n"
        "GRUB_DISABLE_SUBMENU=true\n"
        'GRUB_TERMINAL_OUTPUT="console"\n'
        f'GRUB_CMDLINE_LINUX="{arguments}"\n'
        'GRUB_DISABLE_RECOVERY="true"\n'
        "GRUB_ENABLE_BLSCFG=true\n"
    )
