"""Repositories, services, SELinux and programs."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import pytest

from lab.artefacts import FetchedFile
from lab.changes.described import backup_of
from lab.changes.operator_sdk import PATH as SDK
from lab.changes.operator_sdk import OperatorSdk
from lab.changes.repositories import BaseRelease, KernelRepository
from lab.changes.system import FirewallStopped, InstalledProgram, SelinuxPermissive, ServiceStarted
from lab.errors import CommandFailed, LabError, NotProven
from lab.labfile import FileSource
from lab.packages import Packages
from lab.services import Services
from tests.lab.said import SayingHost

if TYPE_CHECKING:
    from pathlib import Path

    from lab.provisioning import Change

URL = "https://mirrors.openanolis.cn/anolis/8/kernel-5.10/x86_64/os/"
BASE = "/etc/yum.repos.d/AnolisOS-BaseOS.repo"
BASE_TEXT = b"[BaseOS]\nbaseurl=https://m/anolis/$releasever/BaseOS/$basearch/os\n# \xff stays\n"


def with_repository(enabled: str) -> str:
    return f"#file x.repo\n[mirrors.openanolis.cn_x]\nname=created\nbaseurl={URL}\nenabled={enabled}\n"


def test_the_kernel_repository_is_known_by_its_url() -> None:
    host = SayingHost({"rpm": "", "yum": ""})
    change = KernelRepository(Packages(host.as_host, seconds=9), URL)
    assert change.look().found == "no repository has its URL"
    host.does["yum-config-manager"] = lambda: host.says.update({"awk": with_repository("1")})
    change.apply()
    assert f"yum-config-manager --add-repo {URL}" in host.commands
    assert change.look().holds
    host.says["awk"] = with_repository("0")
    assert change.look().found == "mirrors.openanolis.cn_x is there, but disabled"
    change.apply()
    assert "yum-config-manager --enable mirrors.openanolis.cn_x" in host.commands
    assert change.undone_by == "yum-config-manager --disable mirrors.openanolis.cn_x"


def test_a_repository_that_cannot_be_fetched_stops_no_other_work_of_dnf() -> None:
    error = "Error: Failed to download metadata for repo 'mirrors.openanolis.cn_x': Status code: 404"
    fetch = "yum --assumeyes --disablerepo='*' --enablerepo=mirrors.openanolis.cn_x makecache"
    host = SayingHost({"rpm": "", "yum": "", fetch: (1, f"noise\n{error}\n")})
    change = KernelRepository(Packages(host.as_host, seconds=9), URL)
    added = f"yum-config-manager --add-repo {URL}"
    host.does[added] = lambda: host.says.update({"awk": with_repository("1")})
    with pytest.raises(CommandFailed, match="Status code: 404"):
        change.apply()
    assert host.commands[-2:] == [fetch, "yum-config-manager --disable mirrors.openanolis.cn_x"]
    host.says["awk"] = with_repository("0")
    with pytest.raises(CommandFailed, match="Status code: 404"):
        change.apply()
    assert host.commands[-1] == "yum-config-manager --disable mirrors.openanolis.cn_x"


def test_rpm_is_given_the_systems_own_keys_and_no_others() -> None:
    own, others = "file:///etc/pki/rpm-gpg/RPM-GPG-KEY-ANOLIS", "https://example.org/key"
    host = SayingHost(
        {"awk": f"#file x\n[BaseOS]\ngpgkey={own}\n[other]\ngpgkey={others}\n", "rpm": "", "if": ""}
    )
    host.says["yum"] = ""
    KernelRepository(Packages(host.as_host, seconds=9), URL).apply()
    key = "/etc/pki/rpm-gpg/RPM-GPG-KEY-ANOLIS"
    assert host.commands[-1] == f"if [ -e {key} ]; then rpm --import {key}; fi"
    assert not any(others in command for command in host.commands)


def test_dnfs_own_reason_is_told_and_not_what_it_tried_next() -> None:
    problem = " Problem: package podman requires runc\n  - conflicts\n  - more\n"
    said = f"warning: x\nError: \n{problem}(try to add '--x')\n"
    host = SayingHost({"yum": (1, said)})
    with pytest.raises(CommandFailed) as failed:
        Packages(host.as_host, seconds=9).install("docker-ce")
    assert str(failed.value).endswith(
        "exit code 1: Error: / Problem: package podman requires runc / - conflicts"
    )


def base_of(host: SayingHost) -> BaseRelease:
    return BaseRelease(host.as_host, Packages(host.as_host, seconds=9), BASE, "8.5")


def test_a_base_release_that_the_mirror_lacks_is_taken_back() -> None:
    missing = "Error: Failed to download metadata for repo 'BaseOS'"
    host = SayingHost({"if [ -e": "", "yum": (1, missing)}, files={BASE: BASE_TEXT})
    with pytest.raises(CommandFailed, match="Failed to download metadata for repo 'BaseOS'"):
        base_of(host).apply()
    assert host.files[BASE] == BASE_TEXT


def test_the_base_release_is_edited_with_a_backup() -> None:
    host = SayingHost({"if [ -e": "", "yum": ""}, files={BASE: BASE_TEXT})
    change = base_of(host)
    assert not change.look().holds
    change.apply()
    assert change.look().holds
    assert host.files[BASE] == BASE_TEXT.replace(b"$releasever", b"8.5")
    backup = backup_of(BASE)
    assert host.commands[-1] == "yum --assumeyes --disablerepo='*' --enablerepo=BaseOS makecache"
    assert host.commands[-2] == (
        f"if [ -e {BASE} ] && [ ! -e {backup} ]; then "
        f"cp --archive -- {BASE} {backup}.part && mv --force -- {backup}.part {backup}; fi"
    )
    assert change.undone_by == f"cp --archive -- {backup_of(BASE)} {BASE}"


def test_a_base_repository_that_is_not_there_or_not_to_be_changed_is_told() -> None:
    assert not base_of(SayingHost()).look().holds
    mirror = SayingHost(files={BASE: b"[BaseOS]\nmirrorlist=http://m/\n"})
    change = base_of(mirror)
    assert change.look().found == "no URL in it"
    with pytest.raises(LabError, match=r"is not changed: no URL in it; it needs .* a release in it"):
        change.apply()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        # The newest of 8, as some mirrors call it, is no 8.5.
        ("[BaseOS]\nbaseurl=https://m/anolis/8/BaseOS/x86_64/os\n", "https://m/anolis/8/BaseOS/x86_64/os"),
        ("[BaseOS]\nbaseurl=file:///mnt/iso\n", "file:///mnt/iso"),
        ("[BaseOS]\nbaseurl=https://m/8.5/os\nenabled = False\n", "https://m/8.5/os, and it is disabled"),
        ("baseurl=https://m/8.5/os\n", "it is no repository file: File contains no section headers."),
    ],
)
def test_a_base_repository_that_is_not_the_older_releases_is_seen(text: str, found: str) -> None:
    sight = base_of(SayingHost(files={BASE: text.encode()})).look()
    assert (sight.holds, sight.found) == (False, found)


def test_a_file_that_dnf_passes_over_hides_no_other() -> None:
    host = SayingHost({"awk": f"#file /etc/yum.repos.d/a.repo\nbaseurl=x\n{with_repository('1')}"})
    packages = Packages(host.as_host, seconds=9)
    assert KernelRepository(packages, URL).look().holds
    assert KernelRepository(packages, "https://other").look().found == (
        "no repository has its URL; /etc/yum.repos.d/a.repo: it is no repository file: "
        "File contains no section headers."
    )


def firewall(host: SayingHost) -> Change:
    return FirewallStopped(host.as_host, Services(host.as_host))


def selinux(host: SayingHost) -> Change:
    return SelinuxPermissive(host.as_host, Services(host.as_host))


def started(host: SayingHost) -> Change:
    services = Services(host.as_host)
    return ServiceStarted(host.as_host, services, "docker", permission="docker", clause="C-3.1")


@pytest.mark.parametrize(
    ("make", "asks", "before", "does", "after"),
    [
        (firewall, "systemctl is-active firewalld", "active\n", "systemctl stop firewalld", "inactive\n"),
        (selinux, "getenforce", "Enforcing\n", "setenforce 0", "Permissive\n"),
        (started, "systemctl is-active docker", "inactive\n", "systemctl start docker", "active\n"),
    ],
)
def test_what_runs_is_changed_by_one_command(
    make: Any, asks: str, before: str, does: str, after: str
) -> None:
    host = SayingHost({asks: before})
    host.does[does] = lambda: host.says.update({asks: after})
    change = make(host)
    assert (change.look().holds, change.look().found) == (False, before.strip())
    change.apply()
    assert (change.look().holds, change.look().found) == (True, after.strip())


def test_a_system_without_getenforce_asks_the_kernel() -> None:
    assert Services(SayingHost().as_host).selinux() == "Disabled"
    for told, mode in {"1": "Enforcing", "0": "Permissive"}.items():
        assert Services(SayingHost({"cat /sys/fs/selinux/enforce": told}).as_host).selinux() == mode


def test_selinux_that_is_disabled_is_left_alone() -> None:
    assert selinux(SayingHost({"getenforce": "Disabled\n"})).look().holds


def test_a_program_that_runs_is_not_installed_again() -> None:
    host = SayingHost({"yum": ""})
    change = InstalledProgram(
        host.as_host,
        Packages(host.as_host, seconds=9),
        "sevctl",
        "sevctl --version",
        permission="packages",
        clause="W-2.1",
    )
    assert change.look().found == "command not found"
    change.apply()
    assert host.commands[-1] == "yum --assumeyes install sevctl"
    host.says["sevctl --version"] = "sevctl 0.4.3\n"
    assert (change.look().holds, change.look().found) == (True, "sevctl 0.4.3")


class FilesHost(SayingHost):
    mode = 0o100644

    def sha256(self, path: str) -> str:
        return hashlib.sha256(self.files[path]).hexdigest()

    def remove_file(self, path: str) -> None:
        self.files.pop(path, None)

    def stat(self, path: str) -> Any:
        return self


def sdk(host: FilesHost, tmp_path: Path, content: bytes, sha256: str | None = None) -> OperatorSdk:
    file = tmp_path / "operator-sdk"
    file.write_bytes(content)
    source = FileSource(path=file, sha256=sha256 or hashlib.sha256(content).hexdigest())
    return OperatorSdk(host.as_host, "1.23.0", source, seconds=9)


def test_operator_sdk_is_held_to_its_checksum(tmp_path: Path) -> None:
    host = FilesHost()
    with pytest.raises(LabError, match=r"refused, its SHA-256 is"):
        sdk(host, tmp_path, b"another", "0" * 64).apply()
    assert host.files == {}
    change = sdk(host, tmp_path, b"the program")

    def moved() -> None:
        [part] = [path for path in host.files if path.startswith("/usr/local/bin/.operator-sdk.")]
        host.files[SDK] = host.files.pop(part)
        host.mode = 0o100755
        host.says["operator-sdk version"] = 'operator-sdk version: "v1.23.0", commit: "1eaeb5adb56be05"\n'

    host.does["chmod 755"] = moved
    change.apply()
    assert change.look().holds
    host.mode = 0o100644
    assert "not executable" in change.look().found
    host.mode, host.files[SDK] = 0o100755, b"somebody's newer one"
    assert not change.look().holds
    assert change.undone_by == f"rm {SDK}"
    host.says["if [ -e"] = ""
    change.apply()
    assert any(f"cp --archive -- {SDK} {backup_of(SDK)}.part" in command for command in host.commands)
    assert change.undone_by == f"cp --archive -- {backup_of(SDK)} {SDK}"


def test_a_fetched_file_is_told_by_its_path_and_its_pin() -> None:
    host = FilesHost()
    pinned = hashlib.sha256(b"initrd").hexdigest()
    source = FileSource(url="https://example.org/initrd", sha256=pinned)
    change = FetchedFile(host.as_host, "initrd", source, "/initrd", 9, clause="W-3.1")
    assert change.look().found == f"/initrd is missing (wanted: SHA-256 {pinned})"
    host.files["/initrd"] = b"another"
    another = hashlib.sha256(b"another").hexdigest()
    assert change.look().found == f"/initrd has the SHA-256 {another}, and not the pinned {pinned}"
    host.files["/initrd"] = b"initrd"
    assert (change.look().holds, change.clause) == (True, "W-3.1")


def test_operator_sdk_is_not_fetched_without_a_checksum() -> None:
    host = SayingHost({"operator-sdk version": 'operator-sdk version: "v1.22.0"\n'})
    change = OperatorSdk(host.as_host, "1.23.0", None, seconds=9)
    assert change.look().found == "`operator-sdk version` tells 1.22.0"
    with pytest.raises(NotProven, match=r"set files\.operator_sdk in the lab file"):
        change.apply()
