"""A host at the guide's beginning, taken through its first chapters by the guide's own commands."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import asyncssh
import pytest

from simlab.machine.software import grub
from simlab.machine.system import rpmdb
from tests.simlab.keeper import END_SECONDS, Keeper

if TYPE_CHECKING:
    from collections.abc import Iterator

KERNEL = """
echo y | yum install yum-utils
yum-config-manager --add-repo https://mirrors.openanolis.cn/anolis/8/kernel-5.10/x86_64/os/
echo y | yum update kernel
"""
OLDER_GRUB = r"""
cd /etc/yum.repos.d
sed -i 's/$releasever/8.5/' AnolisOS-BaseOS.repo
echo y | yum downgrade grub2-efi
"""
ARGUMENTS = 'grubby --update-kernel=ALL --args="mem_encrypt=on kvm_amd.sev=1"'
OPERATOR_SDK = """
sdk=https://github.com/operator-framework/operator-sdk/releases/download/v1.23.0/operator-sdk_linux_amd64
wget -q -O /usr/local/bin/operator-sdk "$sdk"
sudo chmod +x /usr/local/bin/operator-sdk
"""
DOCKER = """
yum-config-manager --add-repo https://download.docker.com/linux/centos/docker-ce.repo
yum install -y containerd.io docker-ce docker-ce-cli
systemctl start docker.service
"""
# The guide's expected result.
GRUB_LIST = [
    *("grub2-common.noarch", "grub2-efi-x64.x86_64", "grub2-pc.x86_64", "grub2-pc-modules.noarch"),
    *(
        "grub2-tools.x86_64",
        "grub2-tools-efi.x86_64",
        "grub2-tools-extra.x86_64",
        "grub2-tools-minimal.x86_64",
    ),
]


@pytest.fixture
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keeper]:
    with Keeper(tmp_path_factory.mktemp("bare"), "--stage", "bare") as keeper:
        yield keeper


def simlab(keeper: Keeper, *command: str) -> str:
    argv = [sys.executable, "-m", "simlab", *command]
    if command != ("list",):
        argv += ["--root", str(keeper.layout.root)]
    return subprocess.run(argv, capture_output=True, text=True, check=True, timeout=30).stdout


def test_the_guides_prerequisites_and_step_one(bare: Keeper) -> None:
    assert bare.output("uname -r") == "4.19.91-26.an8.x86_64\n"
    assert bare.output("getenforce; systemctl is-active firewalld") == "Enforcing\nactive\n"
    assert bare.run("dmesg | grep -iE 'SEV supported|SME'").exit_status == 1
    assert bare.output("cat /sys/module/kvm_amd/parameters/sev") == "0\n"
    for absent in ("docker", "sevctl", "yum-config-manager"):
        assert bare.run(f"command -v {absent}").exit_status == 1, absent
    assert bare.output("kubectl get nodes --no-headers").split()[:3] == ["anolis-sev-1", "Ready", "<none>"]
    assert bare.output("kubectl get runtimeclass -o name") == ""

    # What no configured repository has cannot be installed; the older GRUB is not in 8.6.
    refused = bare.run("yum install -y docker-ce")
    assert (refused.exit_status, "Unable to find a match: docker-ce" in str(refused.stderr)) == (1, True)
    assert "Nothing to do." in bare.output("yum update -y kernel && yum downgrade -y grub2-efi")

    bare.output(KERNEL)
    assert bare.output("grubby --default-kernel") == "/boot/vmlinuz-5.10.134-13_rc2.an8.x86_64\n"
    assert bare.output("uname -r") == "4.19.91-26.an8.x86_64\n", "not before the reboot"
    bare.reboot("systemctl reboot")
    assert bare.output("uname -r") == "5.10.134-13_rc2.an8.x86_64\n"

    bare.output(OLDER_GRUB)
    listed = [line.split() for line in bare.output("yum list | grep grub2").splitlines()]
    assert listed == [[name, "1:2.02-106.0.1.an8", "@BaseOS"] for name in GRUB_LIST]
    bare.output(ARGUMENTS)
    assert bare.output("grubby --info=ALL | grep -c 'mem_encrypt=on kvm_amd.sev=1'") == "2\n"
    bare.output("service firewalld stop; setenforce 0")
    assert bare.output("getenforce; systemctl is-active firewalld || true") == "Permissive\ninactive\n"
    assert "lstat(/gone) failed" in str(bare.run("restorecon -- /root /gone").stderr)
    bare.output(OPERATOR_SDK)
    assert bare.output("operator-sdk version").startswith('operator-sdk version: "v1.23.0"')
    bare.output("yum-config-manager --add-repo https://mirrors.openanolis.cn/anolis/8/nothing/")
    for command in ("--disablerepo='*' --enablerepo='*_nothing_' makecache", "install -y git"):
        assert "Failed to download metadata for repo" in str(bare.run(f"yum {command}").stderr), command
    bare.output("rm /etc/yum.repos.d/*_nothing_.repo")
    bare.output(DOCKER.splitlines()[1])
    # What is excluded is not brought along either.
    kept = bare.run("yum install -y --exclude=docker-ce-cli docker-ce")
    assert (kept.exit_status, "nothing provides docker-ce-cli" in str(kept.stderr)) == (1, True)
    bare.output(DOCKER)
    assert bare.output("docker ps -q; systemctl is-enabled docker || true") == "disabled\n"

    bare.reboot("shutdown -r now")
    assert bare.run("grep 'mem_encrypt=on kvm_amd.sev=1' /proc/cmdline").exit_status == 0
    assert bare.output("dmesg | grep -ic 'SEV supported: 255 ASIDs'") == "1\n"
    assert bare.output("dmesg -c >/dev/null 2>&1; journalctl -k | grep -c 'Features active: SME'") == "1\n"
    assert bare.output("cat /sys/module/kvm_amd/parameters/sev") == "1\n"
    # What the guide does not make last has not lasted.
    assert bare.output("getenforce; systemctl is-active firewalld") == "Enforcing\nactive\n"
    assert "Is the docker daemon running?" in str(bare.run("docker ps").stderr)


def test_a_host_that_does_not_come_back(bare: Keeper) -> None:
    """The guide's warning: the newer GRUB and the arguments of SEV."""
    before = bare.boot_id()
    bare.output(ARGUMENTS)
    with contextlib.suppress(asyncssh.Error, OSError):
        bare.run("reboot")
    deadline = time.monotonic() + END_SECONDS
    while f"{bare.layout.root.name}\tup, but its host hangs: " not in (seen := simlab(bare, "list")):
        assert time.monotonic() < deadline, seen
        time.sleep(0.05)
    assert "GRUB 2.02-123.0.2.an8_6.8 hangs" in simlab(bare, "console").splitlines()[-1]
    with pytest.raises(ConnectionRefusedError):
        bare.run("true")

    # Somebody at the machine, with a rescue system.
    for package in grub.packages(grub.GOOD):
        rpmdb.unpack(bare.layout.host, package)
    simlab(bare, "reset")
    bare.await_boot(before)
    assert "mem_encrypt=on" in bare.output("cat /proc/cmdline")


def test_units_are_what_their_files_say(bare: Keeper) -> None:
    assert bare.output("systemctl disable --now firewalld 2>&1").splitlines() == [
        "Removed /etc/systemd/system/multi-user.target.wants/firewalld.service.",
        "Removed /etc/systemd/system/dbus-org.fedoraproject.FirewallD1.service.",
    ]
    status = bare.run("service firewalld status")
    assert status.exit_status == 3
    assert "firewalld.service; disabled; vendor preset: enabled)" in str(status.stdout)
    broken = "echo '[' >> /etc/containerd/config.toml; systemctl restart containerd"
    assert "Job for containerd.service failed" in str(bare.run(broken).stderr)
    assert bare.output("systemctl is-active containerd || true") == "failed\n"
    bare.output("containerd config default >/etc/containerd/config.toml && systemctl start containerd")
    assert bare.run("systemctl start nothing").exit_status == 5
    assert (
        bare.output("rpm -q --qf '%{NAME} %{EVR}\\n' grub2-efi-x64")
        == "grub2-efi-x64 1:2.02-123.0.2.an8_6.8\n"
    )
    assert bare.output("rpm -qf /boot/efi/EFI/anolis/grubx64.efi").startswith("grub2-efi-x64-2.02-123")
    missing = bare.run("rpm -q docker-ce")
    assert (missing.exit_status, missing.stdout) == (1, "package docker-ce is not installed\n")


def test_a_reboot_ends_what_does_not_last(tmp_path_factory: pytest.TempPathFactory) -> None:
    with Keeper(tmp_path_factory.mktemp("rebooted")) as lab:
        lab.output("touch /tmp/gone /run/gone /root/kept; setsid sleep 1000 >/dev/null 2>&1 </dev/null &")
        lab.output("kubectl create configmap kept")
        lab.reboot()
        assert lab.output("ls -A /tmp; ls /root/kept; ps aux | grep -c '[s]leep 1000' || true") == (
            "/root/kept\n0\n"
        )
        assert lab.run("test -e /run/gone").exit_status == 1
        assert lab.output("git -C /root/simple-kbs describe --tags; operator-sdk version").startswith(
            "0.1.1\n"
        )
        assert lab.output("git -C /root/simple-kbs status --short --branch") == "## branch_0.1.1\n"
        assert lab.output("kubectl get configmap kept -o name") == "configmap/kept\n"
        # docker was started and not enabled, so simple-kbs is gone as well.
        assert lab.output("systemctl is-active docker || true") == "inactive\n"
        assert lab.run("echo >/dev/tcp/127.0.0.1/44444").exit_status == 1
        lab.output("systemctl enable --now docker")
        lab.reboot("reboot")
        answer = "(echo >/dev/tcp/127.0.0.1/44444) 2>/dev/null"
        lab.output(f"for i in $(seq 100); do {answer} && exit; sleep 0.1; done; exit 1")
        found = json.loads(lab.output("docker inspect simple-kbs-server-1"))
        assert found[0]["State"]["Running"]
