"""The simulated host's root directory: what is there at every stage, and belongs to no package."""

from __future__ import annotations

import importlib.util
import shutil
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Final

from simlab import addresses
from simlab.machine import system
from simlab.machine.software.programs import LIBRARY
from simlab.release import containerd_configuration

if TYPE_CHECKING:
    from simlab.layout import Layout

TOOLS: Final = Path(__file__).parent / "tools"
_SYSTEM: Final = Path(system.__file__).parent

_FOLDERS: Final = (
    *("boot", "dev", "home", "media", "mnt", "proc", "run", "srv", "sys"),
    *("usr/bin", "usr/sbin", "usr/lib", "usr/lib64", "usr/share"),
    *("usr/local/bin", "usr/local/sbin", "usr/local/lib", "usr/local/share", "usr/libexec/openssh"),
    *(
        "etc/alternatives",
        "etc/containerd",
        "etc/kubernetes",
        "etc/selinux",
        "etc/pki/tls/certs",
        "etc/ssl/certs",
    ),
    *("etc/sysconfig", "etc/yum.repos.d", "opt", "root/.kube", "root/.ssh"),
    *("var/lib/containerd", "var/lib/docker", "var/lib/kubelet", "var/log/journal", "var/tmp"),
)

# Debian and Anolis both have merged /usr.
_LINKS: Final = {
    "bin": "usr/bin",
    "sbin": "usr/sbin",
    "lib": "usr/lib",
    "lib64": "usr/lib64",
    "var/run": "../run",
    "etc/redhat-release": "anolis-release",
    "etc/system-release": "anolis-release",
    "etc/mtab": "../proc/self/mounts",
    # dnf is a program of the platform's Python, so the real host always has one here.
    "usr/libexec/platform-python": "/usr/bin/python3",
    # sshd's subsystem has its RHEL path on Anolis; Debian's program stands behind it.
    "usr/libexec/openssh/sftp-server": "/usr/lib/openssh/sftp-server",
    "root/.kube/config": "/etc/kubernetes/admin.conf",
}

_OS_RELEASE: Final = """\
NAME="Anolis OS"
VERSION="8.6"
ID="anolis"
ID_LIKE="rhel fedora centos"
VERSION_ID="8.6"
PLATFORM_ID="platform:an8"
PRETTY_NAME="Anolis OS 8.6"
ANSI_COLOR="0;31"
HOME_URL="https://openanolis.cn/"

"""

_ACCOUNTS: Final = """\
root:x:0:0:root:/root:/bin/bash
bin:x:1:1:bin:/bin:/sbin/nologin
daemon:x:2:2:daemon:/sbin:/sbin/nologin
sshd:x:74:74:Privilege-separated SSH:/var/empty/sshd:/sbin/nologin
nobody:x:65534:65534:Kernel Overflow User:/:/sbin/nologin
"""

_GROUP: Final = """\
root:x:0:
bin:x:1:
daemon:x:2:
sys:x:3:
adm:x:4:
tty:x:5:
disk:x:6:
kvm:x:36:
sshd:x:74:
docker:x:991:
nobody:x:65534:
"""

_BASHRC: Final = """\
# .bashrc
PS1='[\\u@\\h \\W]\\$ '
alias ll='ls -l'
"""

_BASH_PROFILE: Final = """\
# .bash_profile
if [ -f ~/.bashrc ]; then
	. ~/.bashrc
fi
"""


def create(layout: Layout) -> None:
    """Lay out the host's root; needs the certificates of `simlab.pki` and the platform's root."""
    root = layout.host
    for folder in _FOLDERS:
        (root / folder).mkdir(parents=True, exist_ok=True)
    for folder in ("root", "root/.ssh"):
        (root / folder).chmod(0o700)
    (root / "var/tmp").chmod(0o1777)
    make_volatile(root)
    for link, target in _LINKS.items():
        (root / link).symlink_to(target)
    _write_texts(layout)
    _trust_the_internet(layout)
    _give_kubernetes_access(layout)
    _install_tools(layout)
    _install_sev_snp_measure(root / "root/sev-snp-measure")


def make_volatile(root: Path) -> None:
    """Lay out /run and /tmp, as systemd does at each boot."""
    for folder in ("run/simlab/log", "run/containerd", "tmp"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "tmp").chmod(0o1777)


def hosts_file() -> str:
    """Return the text of /etc/hosts, for the host and for the world around it alike: there is no DNS."""
    own = f"{addresses.HOST_IP} {addresses.HOSTNAME}"
    internet = f"{addresses.INTERNET_IP} {' '.join(addresses.INTERNET_NAMES)}"
    return (
        f"127.0.0.1 localhost localhost.localdomain\n::1 localhost localhost.localdomain\n{own}\n{internet}\n"
    )


def resolver_file() -> str:
    """Return the text of /etc/resolv.conf: a server that refuses at once, so that unknown names fail fast."""
    return "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n"


def _write_texts(layout: Layout) -> None:
    texts = {
        "etc/os-release": _OS_RELEASE,
        "etc/anolis-release": "Anolis OS release 8.6\n",
        "etc/hostname": f"{addresses.HOSTNAME}\n",
        "etc/hosts": hosts_file(),
        "etc/resolv.conf": resolver_file(),
        "etc/nsswitch.conf": "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n",
        "etc/passwd": _ACCOUNTS,
        "etc/group": _GROUP,
        "etc/shells": "/bin/sh\n/bin/bash\n",
        "etc/profile": "umask 022\n",
        "etc/machine-id": f"{uuid.uuid4().hex}\n",
        "etc/crictl.yaml": (
            "runtime-endpoint: unix:///run/containerd/containerd.sock\n"
            "image-endpoint: unix:///run/containerd/containerd.sock\n"
        ),
        "root/.bashrc": _BASHRC,
        "root/.bash_profile": _BASH_PROFILE,
    }
    for path, text in texts.items():
        (layout.host / path).write_text(text)


def _trust_the_internet(layout: Layout) -> None:
    """Make the host trust the internet's authority only, where Debian's and Anolis' programs look for it."""
    authority = (layout.pki / "internet-ca.crt").read_bytes()
    for bundle in (
        "etc/ssl/certs/ca-certificates.crt",
        "etc/ssl/cert.pem",
        "etc/pki/tls/certs/ca-bundle.crt",
    ):
        (layout.host / bundle).write_bytes(authority)


def _give_kubernetes_access(layout: Layout) -> None:
    kubernetes = layout.host / "etc/kubernetes"
    for source, name in (("admin.conf", "admin.conf"), ("node.conf", "kubelet.conf")):
        target = kubernetes / name
        target.touch(mode=0o600)
        target.write_bytes((layout.world / source).read_bytes())
    (kubernetes / "pki").mkdir(exist_ok=True)
    shutil.copyfile(layout.pki / "ca.crt", kubernetes / "pki/ca.crt")


def _install_tools(layout: Layout) -> None:
    """Put the tools' modules where packages' programs find them, and the shell scripts in place."""
    library = layout.host / LIBRARY.lstrip("/")
    ignored = shutil.ignore_patterns("bin", "__pycache__")
    for source in (TOOLS, _SYSTEM):
        shutil.copytree(source, library / "simlab/machine" / source.name, ignore=ignored)
    for package in (library / "simlab", library / "simlab/machine"):
        (package / "__init__.py").touch()
    (library / "containerd-default.toml").write_text(containerd_configuration.default())
    for script in (TOOLS / "bin").iterdir():
        program = layout.host / "usr/local/bin" / script.name
        program.write_text(script.read_text())
        program.chmod(0o755)
    chain = layout.host / "usr/local/share/sevctl/ask_ark.cert"
    chain.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(layout.platform / "ask_ark.cert", chain)


def _install_sev_snp_measure(clone: Path) -> None:
    """Leave what `git clone` of sev-snp-measure leaves: the package, and the script that starts it."""
    spec = importlib.util.find_spec("sevsnpmeasure")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("the Python package sev-snp-measure is not installed")
    package = Path(spec.origin).parent
    shutil.copytree(package, clone / "sevsnpmeasure", ignore=shutil.ignore_patterns("__pycache__"))
    script = clone / "sev-snp-measure.py"
    script.write_text(
        "#!/usr/bin/env python3\nimport sys\n\nfrom sevsnpmeasure import cli\n\nsys.exit(cli.main())\n"
    )
    script.chmod(0o755)
