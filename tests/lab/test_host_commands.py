from __future__ import annotations

import fcntl
import os
import re
import threading
import time
from functools import partial
from typing import TYPE_CHECKING

import pytest

from lab import held, lock
from lab.deadline import Deadline
from lab.errors import CommandFailed, ConnectionLost, DeadlineExceeded, HostRebooted, NotProven
from lab.packages import Packages
from lab.secret import MASK

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lab.host import Host
    from lab.record import MemoryRecord
    from tests.lab.ssh_peer import SshPeer


def _eventually(holds: Callable[[], bool], seconds: float = 5) -> bool:
    deadline = Deadline(seconds)
    while not deadline.expired:
        if holds():
            return True
        threading.Event().wait(0.02)
    return False


def _is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def _drop_connections_once(mark: Path, ssh_peer: SshPeer) -> None:
    """Cut the connection in the middle of a command: as soon as the command has made its mark."""

    def drop() -> None:
        if _eventually(mark.exists):
            ssh_peer.drop_connections()

    threading.Thread(target=drop, daemon=True).start()


def test_arguments_reach_the_command_as_they_are(host: Host) -> None:
    hostile = 'a\'b "c" $(id) `id` ; * \\ \n %s'
    assert host.run("printf %%s %s", hostile).stdout == hostile


def test_the_machine_is_asked_once_what_it_calls_itself(host: Host, ssh_peer: SshPeer) -> None:
    assert host.name == host.name == os.uname().nodename
    assert sum("uname -n" in command for command in ssh_peer.commands) == 1


def test_streams_and_exit_code_are_told_apart(host: Host) -> None:
    result = host.run("echo out; echo err >&2; exit 7", check=False)
    assert (result.stdout, result.stderr, result.exit_code) == ("out\n", "err\n", 7)
    assert result.lines == ["out"]


def test_a_failing_command_is_named_with_its_exit_code_and_what_it_said(host: Host) -> None:
    with pytest.raises(CommandFailed, match=r"`cat /no/file` ended with exit code 1: .*No such file"):
        host.run("cat %s", "/no/file")


def test_input_reaches_the_command(host: Host) -> None:
    data = os.urandom(300_000)
    assert host.run("cat", input=data).stdout_bytes == data
    assert host.run("cat").stdout_bytes == b""


def test_a_command_that_ignores_its_input_does_not_hang(host: Host) -> None:
    assert host.run("exec <&-; echo done", input=b"x" * 5_000_000).stdout == "done\n"


def test_huge_output_is_drained_and_cut_at_the_limit(host: Host) -> None:
    command = "head -c 3000000 /dev/zero | tr '\\0' a; head -c 200000 /dev/zero | tr '\\0' b >&2; exit 4"
    result = host.run(command, output_limit=1000, check=False)
    assert (len(result.stdout), len(result.stderr), result.truncated) == (1000, 1000, True)
    assert result.exit_code == 4


def test_text_is_safe_to_print(host: Host) -> None:
    result = host.run(r"printf 'a\033[31mb\377c\r\nd\tz\342\200\256e'")
    assert result.stdout == "a\\x1b[31mb\\xffc\nd\tz\\u202ee"
    assert result.stdout_bytes == b"a\x1b[31mb\xffc\r\nd\tz\xe2\x80\xaee"


def test_a_command_killed_by_a_signal_has_an_exit_code(host: Host) -> None:
    assert host.run("kill -SEGV $$", check=False).exit_code == 128 + 11


def test_exit_codes_of_timeout_are_a_command_s_own_before_the_deadline(host: Host) -> None:
    assert host.run("exit 124", check=False).exit_code == 124


def test_a_hanging_command_ends_at_its_deadline_with_all_that_it_started(host: Host, tmp_path: Path) -> None:
    started = time.monotonic()
    pids = tmp_path / "pids"
    with pytest.raises(DeadlineExceeded, match=r"did not end within 1 s; its last output: still here"):
        host.run("echo still here; sleep 60 & echo $$ $! > %s; wait", pids, deadline=1)
    assert time.monotonic() - started < 4
    for pid in map(int, pids.read_text().split()):
        assert _eventually(partial(_is_gone, pid)), "the remote process lives on"


def test_a_command_that_ignores_term_is_killed(host: Host) -> None:
    with pytest.raises(DeadlineExceeded):
        host.run("trap '' TERM; while :; do sleep 0.2; done", deadline=Deadline(0.5))


def test_a_command_that_outlives_the_connection_is_asked_to_end_and_not_killed(
    host: Host, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("lab.execution.KILL_AFTER", 1)
    ended = tmp_path / "ended"
    # As rpm in a transaction: TERM is held back until that is done, KILL would not be.
    program = "trap '' TERM; sleep 2; echo done > %s; exit 3"
    with pytest.raises(DeadlineExceeded, match=r"did not end within 0 s"):
        host.run(program, ended, deadline=0.5, outlives=True)
    assert ended.read_text() == "done\n"


def test_a_command_that_must_not_be_killed_is_not_waited_for_without_end(
    host: Host, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("lab.execution.UNKILLED_PATIENCE", 0.5)
    go_on = tmp_path / "go on"
    go_on.touch()
    with pytest.raises(DeadlineExceeded, match="is not killed in its middle, and may still be at work"):
        host.run("trap '' TERM; while [ -e %s ]; do sleep 0.05; done", go_on, deadline=0.3, outlives=True)
    go_on.unlink()


def test_who_changes_packages_is_told_by_rpms_lock(
    host: Host, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lock = tmp_path / "rpm.lock"
    monkeypatch.setattr("lab.packages.RPM_LOCK", lock)
    packages = Packages(host, seconds=9)
    assert packages.under_way() is None
    with lock.open("w") as file:
        assert packages.under_way() is None
        fcntl.lockf(file, fcntl.LOCK_EX)
        assert packages.under_way() == str(os.getpid())
    assert packages.under_way() is None


def test_what_is_made_on_the_host_is_others_to_read(host: Host, tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        host.run("mkdir %s && touch %s", tmp_path / "folder", tmp_path / "folder/file")
    finally:
        os.umask(before)
    assert (tmp_path / "folder/file").stat().st_mode & 0o777 == 0o644


def test_a_daemon_that_keeps_the_streams_does_not_hold_up_its_command(host: Host, tmp_path: Path) -> None:
    started = time.monotonic()
    host.run("setsid sleep 30 & echo $! > %s", tmp_path / "pid", deadline=8)
    assert time.monotonic() - started < 8
    os.kill(int((tmp_path / "pid").read_text()), 15)


def test_a_command_is_evidence(host: Host, record: MemoryRecord) -> None:
    host.run("echo visible; echo wrong >&2; exit 2", check=False)
    host.run("echo unseen", quiet=True)
    assert len(record.evidences) == 1
    name, body = record.evidences[0]
    assert name == "$ echo visible; echo wrong >&2; exit 2"
    assert re.search(r"visible\n--- stderr\nwrong\n--- exit code 2 after \d", body)


def test_a_sensitive_command_leaves_no_trace(host: Host, record: MemoryRecord) -> None:
    with pytest.raises(CommandFailed) as failure:
        host.run("echo %s; echo %s >&2; exit 1", "hunter2", "hunter2", sensitive=True)
    assert "hunter2" not in f"{failure.value}{record.evidences}"
    assert MASK in record.evidences[0][1]


def test_a_lost_connection_is_told_and_the_command_not_sent_again(
    host: Host, ssh_peer: SshPeer, tmp_path: Path
) -> None:
    mark = tmp_path / "ran"
    _drop_connections_once(mark, ssh_peer)
    with pytest.raises(ConnectionLost, match=r"the connection broke while `echo x >> .*` ran"):
        host.run("echo x >> %s; sleep 3", mark)
    assert host.run("echo back").stdout == "back\n"
    assert mark.read_text() == "x\n"


@pytest.mark.parametrize("outlives", [True, False])
def test_only_a_command_that_outlives_the_connection_goes_on_without_it(
    host: Host, ssh_peer: SshPeer, tmp_path: Path, outlives: bool
) -> None:
    begun, ended = tmp_path / "begun", tmp_path / "ended"
    # It tells all the time, and ends when the connection is gone.
    program = f"touch {begun}; while [ -e {begun} ]; do echo on || exit 1; sleep 0.02; done; echo x > {ended}"

    def cut() -> None:
        while not begun.exists():
            time.sleep(0.01)
        ssh_peer.drop_connections()
        time.sleep(0.3)
        begun.unlink()

    thread = threading.Thread(target=cut)
    thread.start()
    with pytest.raises(ConnectionLost):
        host.run(f"trap '' PIPE; {program}", outlives=outlives)
    thread.join()
    deadline = time.monotonic() + 3
    while not ended.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert ended.exists() is outlives


def test_the_output_of_a_command_that_outlives_the_connection_comes_as_one(host: Host) -> None:
    with pytest.raises(CommandFailed, match=r"`.*` ended with exit code 3: out / err"):
        host.run("echo out; echo err >&2; exit 3", outlives=True)


def test_a_lost_command_that_only_reads_is_sent_once_more(
    host: Host, ssh_peer: SshPeer, tmp_path: Path
) -> None:
    mark = tmp_path / "ran"
    _drop_connections_once(mark, ssh_peer)
    result = host.run("echo x >> %s; [ $(wc -l < %s) -gt 1 ] || sleep 3; echo read", mark, mark, reads=True)
    assert result.stdout == "read\n"
    assert mark.read_text() == "x\nx\n"
    assert ssh_peer.logins == 2


def test_a_connection_lost_between_two_commands_is_made_anew(host: Host, ssh_peer: SshPeer) -> None:
    host.run("true")
    ssh_peer.drop_connections()
    assert host.run("echo again").stdout == "again\n"
    assert ssh_peer.logins == 2


def test_a_host_that_rebooted_unasked_is_told(host: Host, ssh_peer: SshPeer) -> None:
    host.run("true")
    ssh_peer.boot_id = "66666666-7777-8888-9999-000000000000"
    ssh_peer.drop_connections()
    with pytest.raises(HostRebooted, match="rebooted by itself"):
        host.run("true")
    assert host.run("echo new").stdout == "new\n"


def test_many_threads_share_one_connection(host: Host, ssh_peer: SshPeer) -> None:
    answers: dict[int, str] = {}

    def ask(number: int) -> None:
        answers[number] = host.run("sleep 0.05; echo %s", number).stdout

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert answers == {number: f"{number}\n" for number in range(20)}
    assert ssh_peer.logins == 1


def test_a_reboot_is_believed_by_the_boot_id_alone(
    host: Host, ssh_peer: SshPeer, record: MemoryRecord
) -> None:
    before = host.boot_id()

    def reboot() -> None:
        ssh_peer.drop_connections()  # it answers again from the same boot
        assert _eventually(lambda: ssh_peer.logins == 2)
        ssh_peer.stop_listening()
        ssh_peer.drop_connections()
        ssh_peer.boot_id = "66666666-7777-8888-9999-000000000000"
        ssh_peer.start()

    threading.Thread(target=reboot, daemon=True).start()
    assert host.wait_for_reboot(before, Deadline(15)) == ssh_peer.boot_id
    assert host.run("echo up").stdout == "up\n"
    assert record.waits[0].what == "the host to reboot"


def test_a_host_that_does_not_reboot_is_told(host: Host) -> None:
    with pytest.raises(DeadlineExceeded, match="the host still runs its previous boot"):
        host.wait_for_reboot(host.boot_id(), Deadline(1))


def test_a_held_process_ends_when_it_is_let_go(host: Host, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    with host.hold("echo $$ > %s; echo ready; sleep 60", pid) as held:
        held.expect("ready", 5)
        assert held.alive
        assert not _is_gone(int(pid.read_text()))
    assert _eventually(partial(_is_gone, int(pid.read_text())))


def test_a_held_process_may_clean_up_when_it_is_let_go(host: Host, tmp_path: Path) -> None:
    mark = tmp_path / "clean"
    with host.hold("trap 'echo done > %s; exit' TERM; echo ready; while :; do sleep 0.1; done", mark) as held:
        held.expect("ready", 5)
    assert mark.read_text() == "done\n"


def test_a_held_process_ends_with_the_connection(host: Host, ssh_peer: SshPeer, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    held = host.hold("echo $$ > %s; echo ready; sleep 60", pid)
    held.expect("ready", 5)
    ssh_peer.drop_connections()
    assert _eventually(partial(_is_gone, int(pid.read_text())))
    assert held.read_line(5) is None
    held.close()


def test_a_holder_that_falls_silent_holds_nothing_any_more(
    host: Host, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A runner without power closes no connection: nobody closes it here, and it is alive to the end."""
    monkeypatch.setattr(lock, "STATE", str(tmp_path / "state"))
    monkeypatch.setattr(held, "SILENCE", 1)
    lost = lock.take(host, "run-1", who="me", seconds=60)
    with pytest.raises(NotProven, match="another run works on this host: run-1 by me"):
        lock.take(host, "run-2", who="you", seconds=60)
    # The same run, over a new connection: it waits for the host to notice.
    lock.take(host, "run-1", who="me", seconds=60, patience=60).close()
    assert lost.exit_code(60) != 0
    lock.take(host, "run-2", who="you", seconds=60).close()


def test_signs_of_life_keep_what_is_held(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held, "SILENCE", 2)
    monkeypatch.setattr(held, "BEAT", 0.1)
    with host.hold("echo ready; sleep 4; echo done; sleep 60") as process:
        process.expect("ready", 60)
        process.expect("done", 60)


def test_a_held_process_that_ends_by_itself_is_noticed(host: Host) -> None:
    held = host.hold("echo no lock; exit 3")
    with pytest.raises(CommandFailed, match="no lock"):
        held.expect("ready", 5)
    assert held.read_line(5) is None
    assert held.exit_code(5) == 3
    held.close()


def test_held_processes_give_their_sessions_back(host: Host) -> None:
    for _ in range(12):
        host.hold("echo x").close()
    assert host.run("echo fine").stdout == "fine\n"


@pytest.mark.parametrize("become", ["none", "sudo"])
def test_what_was_put_into_usr_local_by_hand_is_found(
    ssh_peer: SshPeer, host_of: Callable[..., Host], monkeypatch: pytest.MonkeyPatch, become: str
) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    path = host_of(ssh_peer.login(become=become)).run('echo "$PATH"').stdout.strip()
    assert path.endswith("/usr/bin:/bin:/usr/local/sbin:/usr/local/bin")


def test_what_was_asked_and_answered_is_told_for_a_transcript(host: Host, record: MemoryRecord) -> None:
    host.run("echo said; exit 3", check=False, input="four")
    host.run("echo %s", "hidden", sensitive=True)
    with pytest.raises(DeadlineExceeded):
        host.run("sleep 9", deadline=0.2)
    plain, sensitive, late = (each for each in record.exchanges if each.protocol == "command")
    assert plain.asked == {"command": "echo said; exit 3", "stdin_bytes": 4}
    assert plain.answered == {"exit_code": 3, "stdout": "said\n", "stderr": ""}
    assert "hidden" not in f"{sensitive.asked}{sensitive.answered}"
    assert "did not end within" in late.answered["error"]
