"""Packages of Anolis OS 8 that matter to the guide, or that one expects to find on any host."""

from __future__ import annotations

from typing import Final

from simlab.machine.software.programs import program, unit
from simlab.machine.system.package import Package

RELEASE: Final = "8.6"

# name, version, release, architecture, summary
_PLAIN: Final = """\
bash 4.4.20 4.an8 x86_64 The GNU Bourne Again shell
coreutils 8.30 12.0.1.an8 x86_64 A set of basic GNU tools commonly used in shell scripts
cpp 8.5.0 10.0.3.an8 x86_64 The C Preprocessor
curl 7.61.1 22.an8 x86_64 A utility for getting files from remote servers
dbus 1.12.8 18.0.1.an8 x86_64 D-BUS message bus
dnf-plugins-core 4.0.21 11.0.1.an8 noarch Core Plugins for DNF
dracut 049 201.git20220131.an8 x86_64 Initramfs generator using udev
efibootmgr 16 1.an8 x86_64 EFI Boot Manager
glibc 2.28 189.1.0.3.an8 x86_64 The GNU libc libraries
iproute 5.15.0 4.0.1.an8 x86_64 Advanced IP routing and network device configuration tools
linux-firmware 20220210 107.git6342082c.an8 noarch Firmware files used by the Linux kernel
mokutil 0.3.0 11.0.1.an8 x86_64 Tool to manage UEFI Secure Boot MoK Keys
NetworkManager 1.36.0 4.an8 x86_64 Network connection manager and user applications
openssl 1.1.1k 6.an8 x86_64 Utilities from the general purpose cryptography library with TLS implementation
python3-firewall 0.9.3 13.0.1.an8 noarch Python3 bindings for firewalld
selinux-policy 3.14.3 95.0.1.an8 noarch SELinux policy configuration
selinux-policy-targeted 3.14.3 95.0.1.an8 noarch SELinux targeted policy
shim-x64 15.5 2.0.1.an8 x86_64 First-stage UEFI bootloader
sudo 1.8.29 8.an8 x86_64 Allows restricted root access for specified users
tar 1.30 5.an8 x86_64 GNU file archiver
util-linux 2.32.1 35.0.1.an8 x86_64 A collection of basic system utilities
wget 1.19.5 10.0.1.an8 x86_64 A utility for retrieving files using the HTTP or FTP protocols
"""


def _plain() -> list[Package]:
    fields = (line.split(maxsplit=4) for line in _PLAIN.splitlines())
    return [
        Package(name, version, release, arch=arch, summary=summary)
        for name, version, release, arch, summary in fields
    ]


def release_package(release: str) -> Package:
    """Return the package that says which release of Anolis OS this is; dnf takes $releasever from it."""
    return Package(
        "anolis-release",
        release,
        "1.an8",
        summary="Anolis OS 8 release file",
        provides=(f"system-release = {release}",),
    )


_TMP_MOUNT: Final = """\
[Unit]
Description=Temporary Directory (/tmp)
Documentation=man:hier(7)

[Mount]
What=tmpfs
Where=/tmp
Type=tmpfs

[Install]
WantedBy=local-fs.target
"""

PACKAGES: Final = (
    *_plain(),
    Package(
        *("dnf", "4.7.0", "8.0.1.an8", "noarch"),
        summary="Package manager",
        files={**program("dnf")},
    ),
    Package(
        *("yum", "4.7.0", "8.0.1.an8", "noarch"),
        summary="Package manager",
        requires=("dnf",),
        files={**program("yum", "dnf")},
    ),
    Package("rpm", "4.14.3", "23.0.1.an8", summary="The RPM package management system", files=program("rpm")),
    Package(
        *("grubby", "8.40", "42.0.1.an8"),
        summary="Command line tool for updating bootloader configs",
        files=program("grubby"),
    ),
    Package(
        *("policycoreutils", "2.9", "19.an8"),
        summary="SELinux policy core utilities",
        files={
            **program("sestatus", "selinux", "sestatus"),
            **program("restorecon", "selinux", "restorecon"),
        },
    ),
    Package(
        *("libselinux-utils", "2.9", "5.an8"),
        summary="SELinux libselinux utilities",
        files={
            **program("getenforce", "selinux", "getenforce"),
            **program("setenforce", "selinux", "setenforce"),
        },
    ),
    Package(
        *("systemd", "239", "58.an8"),
        summary="System and Service Manager",
        files={
            "/usr/lib/systemd/system/tmp.mount": _TMP_MOUNT,
            **program("systemctl"),
            **program("journalctl"),
            **{
                path: text
                for name in ("reboot", "poweroff", "halt", "shutdown")
                for path, text in program(name, "shutdown", name).items()
            },
        },
    ),
    Package(
        *("openssh-server", "8.0p1", "13.an8"),
        summary="An open source SSH server daemon",
        files=unit("sshd.service", "OpenSSH server daemon", "man:sshd(8)", "/usr/sbin/sshd -D"),
        scripts={"post": [["systemctl", "preset", "sshd.service"]]},
    ),
    Package(
        *("firewalld", "0.9.3", "13.0.1.an8", "noarch"),
        summary="A firewall daemon with D-Bus interface providing a dynamic firewall",
        requires=("python3-firewall = 0.9.3-13.0.1.an8",),
        files=unit(
            "firewalld.service",
            "firewalld - dynamic firewall daemon",
            "man:firewalld(1)",
            "/usr/sbin/firewalld --nofork --nopid",
            alias="dbus-org.fedoraproject.FirewallD1.service",
        ),
        scripts={"post": [["systemctl", "preset", "firewalld.service"]]},
    ),
)

# What is in BaseOS or AppStream, but on no host at first.
YUM_UTILS: Final = Package(
    *("yum-utils", "4.0.21", "11.0.1.an8", "noarch"),
    summary="Yum-utils CLI compatibility layer",
    requires=("dnf-plugins-core = 4.0.21-11.0.1.an8",),
    files=program("yum-config-manager", "dnf", "config-manager"),
)
CONTAINER_SELINUX: Final = Package(
    *("container-selinux", "2.178.0", "2.0.1.an8", "noarch"),
    epoch=2,
    summary="SELinux policies for container runtimes",
)
SEVCTL: Final = Package(
    *("sevctl", "0.3.0", "1.an8"),
    summary="Administrative utility for AMD SEV",
    license="ASL 2.0",
    size=4_000_000,
    files=program("sevctl"),
)
