from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from lab.errors import CommandFailed, HostFileError, NoSuchHostFile
from lab.secret import MASK

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lab.host import Host
    from lab.record import MemoryRecord
    from tests.lab.ssh_peer import SshPeer


@pytest.fixture(params=["none", "sudo"])
def host(request: pytest.FixtureRequest, ssh_peer: SshPeer, host_of: Callable[..., Host]) -> Host:
    if request.param == "sudo" and not any(
        os.access(path, os.X_OK)
        for path in ("/usr/lib/openssh/sftp-server", "/usr/libexec/openssh/sftp-server")
    ):
        pytest.skip("no sftp-server on this machine (package openssh-sftp-server)")
    return host_of(ssh_peer.login(become=request.param))


def test_a_file_is_read_back_as_it_was_written(host: Host, tmp_path: Path) -> None:
    data = os.urandom(700_000)
    path = tmp_path / "it's a file"
    host.write_file(str(path), data, mode=0o640)
    assert host.read_file(str(path)) == path.read_bytes() == data
    assert host.stat(str(path)).mode == 0o640
    assert host.stat(str(path)).size == len(data)
    assert [each.name for each in tmp_path.iterdir() if each.name != "ssh"] == [path.name]


def test_a_file_in_proc_is_read_though_it_has_no_size(host: Host) -> None:
    assert host.read_file("/proc/version").startswith(b"Linux")


def test_an_empty_file_is_empty(host: Host, tmp_path: Path) -> None:
    host.write_file(str(tmp_path / "empty"), b"")
    assert host.read_file(str(tmp_path / "empty")) == b""


def test_an_existing_file_keeps_its_mode_and_owner(host: Host, tmp_path: Path) -> None:
    path = tmp_path / "configuration.toml"
    path.write_text("old")
    path.chmod(0o604)
    if os.geteuid() == 0:
        os.chown(path, 1234, 4321)
    owner = (path.stat().st_uid, path.stat().st_gid)
    host.write_file(str(path), b"new", mode=0o777)
    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o7777 == 0o604
    assert (path.stat().st_uid, path.stat().st_gid) == owner


def test_a_copy_takes_a_file_s_place_and_keeps_its_mode(host: Host, tmp_path: Path) -> None:
    source, path = tmp_path / "it's online.img", tmp_path / "initrd.img"
    source.write_bytes(b"online")
    path.write_bytes(b"stock")
    path.chmod(0o604)
    host.copy_file(str(source), str(path))
    assert (path.read_bytes(), source.read_bytes()) == (b"online", b"online")
    assert path.stat().st_mode & 0o7777 == 0o604
    assert {each.name for each in tmp_path.iterdir()} == {"ssh", source.name, path.name}


def test_whoever_has_the_file_open_still_sees_the_old_one(host: Host, tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text("old")
    with path.open() as reader:
        host.write_file(str(path), b"new")
        assert reader.read() == "old"


def test_a_symbolic_link_stays_one(host: Host, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    target, link = tmp_path / "there" / "target", tmp_path / "link"
    target.write_text("old")
    link.symlink_to(target)
    host.write_file(str(link), b"new")
    assert link.is_symlink()
    assert target.read_text() == "new"


def test_a_file_that_cannot_be_written_leaves_nothing_behind(host: Host, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(HostFileError, match="folder on the host: "):
        host.write_file(str(tmp_path / "folder"), b"x")
    assert [each.name for each in tmp_path.iterdir() if each.name != "ssh"] == ["folder"]
    with pytest.raises(NoSuchHostFile):
        host.write_file(str(tmp_path / "absent" / "f"), b"x")


@pytest.mark.parametrize("size", [300_000, 8_000_000])
def test_a_full_disk_is_told_and_the_file_is_whole(
    ssh_peer: SshPeer, host_of: Callable[..., Host], tmp_path: Path, size: int
) -> None:
    host, path = host_of(ssh_peer.login()), tmp_path / "file"
    host.write_file(str(path), b"old")
    ssh_peer.room = 100_000
    told = rf"{path} on the host: \d+ of {size} bytes were written, and the rest was not: \d+ bytes are free"
    with pytest.raises(HostFileError, match=told):
        host.write_file(str(path), b"x" * size)
    assert path.read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir() if "file" in each.name] == ["file"]


def test_a_copy_that_does_not_fit_leaves_nothing_behind(host: Host, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(CommandFailed, match="cp: "):
        host.copy_file(str(tmp_path), str(path))
    assert path.read_bytes() == b"old"
    assert not list(tmp_path.glob(".file*"))


def test_what_is_not_there_is_told(host: Host, tmp_path: Path) -> None:
    absent = str(tmp_path / "absent")
    assert not host.exists(absent)
    for ask in (host.read_file, host.stat, host.sha256):
        with pytest.raises(NoSuchHostFile, match="absent on the host: no such file"):
            ask(absent)
    host.remove_file(absent)


def test_a_folder_is_told_where_a_file_is_meant(host: Host, tmp_path: Path) -> None:
    with pytest.raises(HostFileError, match="it is a folder"):
        host.read_file(str(tmp_path))


def test_a_directory_is_made_with_its_parents_once(host: Host, tmp_path: Path) -> None:
    path = tmp_path / "a" / "b"
    host.make_directory(str(path), mode=0o700)
    host.make_directory(str(path), mode=0o755)
    assert path.stat().st_mode & 0o7777 == 0o700
    assert host.stat(str(path)).is_directory
    (tmp_path / "file").touch()
    with pytest.raises(HostFileError, match="file on the host: "):
        host.make_directory(str(tmp_path / "file"))


def test_a_digest_is_the_host_s(host: Host, tmp_path: Path) -> None:
    (tmp_path / "-f").write_bytes(b"hello")
    expected = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
    assert host.sha256(str(tmp_path / "-f")) == expected


def test_a_lost_connection_does_not_spoil_reading(host: Host, ssh_peer: SshPeer, tmp_path: Path) -> None:
    (tmp_path / "f").write_text("x")
    host.read_file(str(tmp_path / "f"))
    ssh_peer.drop_connections()
    assert host.read_file(str(tmp_path / "f")) == b"x"


def test_files_are_told_for_a_transcript_but_not_what_is_secret(
    host: Host, record: MemoryRecord, tmp_path: Path
) -> None:
    (tmp_path / "f").write_text("content")
    host.read_file(str(tmp_path / "f"))
    host.read_file(str(tmp_path / "f"), sensitive=True)
    assert not host.exists(str(tmp_path / "none"))
    read, secret, looked = (each for each in record.exchanges if each.protocol == "file")
    assert read.asked == {"does": "read", "path": f"{tmp_path}/f"}
    assert read.answered == {"content": b"content"}
    assert secret.answered == {"content": MASK}
    assert "none" in looked.answered["error"]
