"""The repositories on the lab's internet, and the files in /etc/yum.repos.d that name them.

A repository's `repodata/repomd.xml` names its list of packages and that list's checksum, as a real one does;
the list, and each package, are JSON.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Final

from simlab.machine.software import base, docker, grub, kernels

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from simlab.layout import Layout
    from simlab.machine.system.package import Package

MIRROR: Final = "mirrors.openanolis.cn"
DOCKER_HOST: Final = "download.docker.com"
KERNEL_FOLDER: Final = "anolis/8/kernel-5.10/x86_64/os"
# What yum-config-manager makes of the address (dnf-plugins-core, config_manager.py).
KERNEL_ID: Final = f"{MIRROR}_{KERNEL_FOLDER.replace('/', '_')}_"
DOCKER_ID: Final = "docker-ce-stable"

_OLDER_RELEASE: Final = "8.5"

# Which repositories each release has, and whether they are enabled as installed.
_REPOSITORIES: Final = (("BaseOS", True), ("AppStream", True), ("Extras", True), ("PowerTools", False))

DOCKER_REPO: Final = f"""\
[{DOCKER_ID}]
name=Docker CE Stable - $basearch
baseurl=https://{DOCKER_HOST}/linux/centos/$releasever/$basearch/stable
enabled=1
gpgcheck=1
gpgkey=https://{DOCKER_HOST}/linux/centos/gpg

[docker-ce-test]
name=Docker CE Test - $basearch
baseurl=https://{DOCKER_HOST}/linux/centos/$releasever/$basearch/test
enabled=0
gpgcheck=1
gpgkey=https://{DOCKER_HOST}/linux/centos/gpg
"""

KERNEL_REPO: Final = f"""\
[{KERNEL_ID}]
name=created by dnf config-manager from https://{MIRROR}/{KERNEL_FOLDER}/
baseurl=https://{MIRROR}/{KERNEL_FOLDER}/
enabled=1
"""


def base_repo_files() -> dict[str, str]:
    """Return the files that Anolis OS has in /etc/yum.repos.d, by name."""
    return {
        f"AnolisOS-{name}.repo": (
            f"[{name}]\n"
            f"name=AnolisOS-$releasever - {name}\n"
            f"baseurl=https://{MIRROR}/anolis/$releasever/{name}/$basearch/os\n"
            f"enabled={int(enabled)}\n"
            "gpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-ANOLIS\n"
            "gpgcheck=1\n"
        )
        for name, enabled in _REPOSITORIES
    }


def publish(layout: Layout) -> None:
    """Write every repository into the internet's folders."""
    mirror, dockers = layout.internet / MIRROR, layout.internet / DOCKER_HOST
    for path, packages in _mirrored().items():
        _write(mirror / path, packages)
    for release in ("8", base.RELEASE):
        _write(dockers / f"linux/centos/{release}/x86_64/stable", docker.PACKAGES)
    (dockers / "linux/centos/docker-ce.repo").write_text(DOCKER_REPO)


def _mirrored() -> Mapping[str, Sequence[Package]]:
    offered = {
        "BaseOS": [
            *base.PACKAGES,
            base.YUM_UTILS,
            base.release_package(base.RELEASE),
            *kernels.packages(kernels.OLD),
            *grub.packages(grub.BROKEN),
        ],
        "AppStream": [base.CONTAINER_SELINUX, base.SEVCTL],
        "Extras": [],
        "PowerTools": [],
    }
    older = {**offered, "BaseOS": [*base.PACKAGES, base.YUM_UTILS, *grub.packages(grub.GOOD)]}
    found: dict[str, Sequence[Package]] = {KERNEL_FOLDER: kernels.packages(kernels.NEW)}
    for release, content in ((base.RELEASE, offered), (_OLDER_RELEASE, older)):
        found |= {f"anolis/{release}/{name}/x86_64/os": content[name] for name in content}
    return found


def _write(folder: Path, packages: Iterable[Package]) -> None:
    (folder / "Packages").mkdir(parents=True)
    (folder / "repodata").mkdir()
    listed = []
    for package in packages:
        content = package.dump().encode()
        location = f"Packages/{package.nvra}.rpm"
        (folder / location).write_bytes(content)
        header = asdict(replace(package, files=dict.fromkeys(package.files, "")))
        listed.append({"location": location, "sha256": hashlib.sha256(content).hexdigest(), "header": header})
    primary = json.dumps(listed).encode()
    digest = hashlib.sha256(primary).hexdigest()
    (folder / f"repodata/{digest}-primary.json").write_bytes(primary)
    (folder / "repodata/repomd.xml").write_text(
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<repomd xmlns="http://linux.duke.edu/metadata/repo">\n'
        f'  <data type="primary">\n    <checksum type="sha256">{digest}</checksum>\n'
        f'    <location href="repodata/{digest}-primary.json"/>\n  </data>\n</repomd>\n'
    )
