from __future__ import annotations

import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import asyncssh
import paramiko
import pytest

from lab.errors import Unreachable
from tests.lab.ssh_peer import SshPeer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from lab.host import Host

    HostOf = Callable[..., Host]


def _refusal(host: Host) -> str:
    with pytest.raises(Unreachable) as refusal:
        host.run("true")
    message = str(refusal.value)
    assert refusal.value.service == "host"
    assert "\n" not in message
    assert refusal.value.__suppress_context__ or refusal.value.__context__ is None
    return message


def test_an_unknown_host_key_is_refused_with_how_to_add_it(ssh_peer: SshPeer, host_of: HostOf) -> None:
    ssh_peer.known_hosts.write_text("")
    message = _refusal(host_of(ssh_peer.login()))
    assert f"not in {ssh_peer.known_hosts}" in message
    assert f"ssh-keyscan -p {ssh_peer.port} 127.0.0.1 >> {ssh_peer.known_hosts}" in message
    assert ssh_peer.host_key.get_fingerprint() in message
    assert ssh_peer.logins == 0
    assert ssh_peer.known_hosts.read_text() == ""


def test_a_changed_host_key_is_refused(ssh_peer: SshPeer, host_of: HostOf) -> None:
    other = asyncssh.generate_private_key("ssh-ed25519")
    ssh_peer.known_hosts.write_text(f"[127.0.0.1]:{ssh_peer.port} {other.export_public_key().decode()}")
    message = _refusal(host_of(ssh_peer.login()))
    assert other.get_fingerprint() in message
    assert ssh_peer.host_key.get_fingerprint() in message
    assert "ssh-keygen -R" in message
    assert ssh_peer.logins == 0


def test_a_refused_login_names_user_and_key(ssh_peer: SshPeer, host_of: HostOf) -> None:
    message = _refusal(host_of(ssh_peer.login(user="nobody")))
    assert f"refuses the login of user 'nobody' with the key {ssh_peer.key}" in message


def test_a_password_logs_in_and_a_wrong_one_is_not_shown(
    ssh_peer: SshPeer, host_of: HostOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    login = ssh_peer.login(password={"env": "LAB_PASSWORD"}, key=None)
    monkeypatch.setenv("LAB_PASSWORD", "open sesame")
    assert host_of(login).run("echo in").stdout == "in\n"
    monkeypatch.setenv("LAB_PASSWORD", "wrong sesame")
    message = _refusal(host_of(login))
    assert "with the password" in message
    assert "sesame" not in message


def test_a_shell_that_prints_something_of_its_own_is_told(ssh_peer: SshPeer, host_of: HostOf) -> None:
    ssh_peer.greeting = "echo Welcome to sev-1"
    message = _refusal(host_of(ssh_peer.login()))
    assert "the shell of user 'root' prints more than a command's output (Welcome to sev-1" in message
    ssh_peer.greeting = "echo Welcome >&2"
    assert host_of(ssh_peer.login()).run("echo in").stdout == "in\n"


def test_who_is_not_root_must_become_it(tmp_path: Path, host_of: HostOf) -> None:
    folder = tmp_path / "peer"
    folder.mkdir()
    peer = SshPeer(folder, uid=1000)
    peer.start()
    try:
        message = _refusal(host_of(peer.login(user="anolis")))
        assert "user 'anolis' is not root: set become = \"sudo\" in [ssh]" in message
        assert host_of(peer.login(user="anolis", become="sudo")).run("echo in").stdout == "in\n"
    finally:
        peer.stop()


def test_an_encrypted_key_wants_its_passphrase(
    ssh_peer: SshPeer, host_of: HostOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    ssh_peer.key.write_bytes(ssh_peer.user_key.export_private_key(passphrase="open sesame", rounds=50))
    assert "name it in ssh.key_passphrase" in _refusal(host_of(ssh_peer.login()))
    login = ssh_peer.login(key_passphrase={"env": "LAB_PASSPHRASE"})
    monkeypatch.setenv("LAB_PASSPHRASE", "wrong")
    assert "it or ssh.key_passphrase is wrong" in _refusal(host_of(login))
    monkeypatch.setenv("LAB_PASSPHRASE", "open sesame")
    assert host_of(login).run("echo in").stdout == "in\n"


def test_a_file_that_is_no_key_is_told(ssh_peer: SshPeer, host_of: HostOf) -> None:
    ssh_peer.key.write_text("not a key")
    assert "no private key" in _refusal(host_of(ssh_peer.login()))


def test_a_host_that_listens_nowhere_is_told(ssh_peer: SshPeer, host_of: HostOf) -> None:
    ssh_peer.stop_listening()
    assert "cannot be reached: Connection refused" in _refusal(host_of(ssh_peer.login()))


def test_a_name_that_does_not_exist_is_told(ssh_peer: SshPeer, host_of: HostOf) -> None:
    assert "cannot be reached: " in _refusal(host_of(ssh_peer.login(host="no-such-host.invalid")))


@pytest.fixture
def mute() -> Iterator[int]:
    """A port that accepts and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_silent_server_costs_one_deadline(ssh_peer: SshPeer, host_of: HostOf, mute: int) -> None:
    started = time.monotonic()
    message = _refusal(host_of(ssh_peer.login(port=mute), timeouts={"connect": 1.0}))
    assert "SSH does not get under way" in message
    assert time.monotonic() - started < 4


def test_a_server_that_freezes_later_is_given_up(ssh_peer: SshPeer, host_of: HostOf) -> None:
    host = host_of(ssh_peer.login(), timeouts={"connect": 1.0})
    host.run("true")
    ssh_peer.freeze(4)
    started = time.monotonic()
    with pytest.raises(Unreachable):
        host.run("true", deadline=1)
    assert time.monotonic() - started < 4


def test_sudo_that_asks_for_a_password_is_told(ssh_peer: SshPeer, host_of: HostOf) -> None:
    (ssh_peer.bin / "sudo").write_text("#!/bin/sh\necho 'sudo: a password is required' >&2\nexit 1\n")
    message = _refusal(host_of(ssh_peer.login(user="anolis", become="sudo")))
    assert (
        "user 'anolis' may not use sudo without a password and a terminal (sudo: a password is required)"
        in message
    )


def test_commands_run_as_root_through_sudo(ssh_peer: SshPeer, host_of: HostOf) -> None:
    assert host_of(ssh_peer.login(become="sudo")).run("echo $BECAME").stdout == "root\n"


@pytest.fixture
def jump(tmp_path: Path) -> Iterator[SshPeer]:
    folder = tmp_path / "jump"
    folder.mkdir()
    peer = SshPeer(folder)
    peer.start()
    yield peer
    peer.stop()


def _through(jump: SshPeer, ssh_peer: SshPeer, **changes: Any) -> dict[str, Any]:
    return ssh_peer.login(jump=[jump.login(**changes)])


def test_a_jump_host_leads_on(jump: SshPeer, ssh_peer: SshPeer, host_of: HostOf) -> None:
    assert host_of(_through(jump, ssh_peer)).run("echo there").stdout == "there\n"
    assert (jump.logins, ssh_peer.logins, jump.commands) == (1, 1, [])


def test_a_jump_host_s_key_is_checked_too(jump: SshPeer, ssh_peer: SshPeer, host_of: HostOf) -> None:
    jump.known_hosts.write_text("")
    assert "jump host 127.0.0.1" in _refusal(host_of(_through(jump, ssh_peer)))


def test_a_jump_host_that_may_not_forward_is_told(jump: SshPeer, ssh_peer: SshPeer, host_of: HostOf) -> None:
    jump.allow_forwarding = False
    assert "the jump host cannot reach it: " in _refusal(host_of(_through(jump, ssh_peer)))


def test_a_failed_login_leaves_no_thread(ssh_peer: SshPeer, host_of: HostOf) -> None:
    host = host_of(ssh_peer.login(user="nobody"))
    _refusal(host)
    for thread in threading.enumerate():
        if isinstance(thread, paramiko.Transport):
            thread.join(5)
    assert not [each for each in threading.enumerate() if isinstance(each, paramiko.Transport)]
