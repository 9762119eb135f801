"""The host's SSH server does what OpenSSH's does."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import asyncssh
import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.simlab.keeper import Keeper


def test_a_command_has_two_outputs_an_input_and_a_status(lab: Keeper) -> None:
    done = lab.run("cat; echo complaint >&2; exit 7", input="text\n")
    assert (done.stdout, done.stderr, done.exit_status) == ("text\n", "complaint\n", 7)


def test_a_login_is_a_login_as_root(lab: Keeper) -> None:
    assert lab.output("id -un; pwd; echo $HOME") == "root\n/root\n/root\n"
    assert "/usr/local/bin" in lab.output("echo $PATH").split(":")
    assert lab.output("printenv KUBECONFIG || true") == ""


def test_a_program_that_a_signal_ended_says_so(lab: Keeper) -> None:
    done = lab.run("kill -KILL $$")
    assert done.exit_signal
    assert done.exit_signal[0] == "KILL"


def test_a_signal_from_the_client_does_not_reach_roots_program(lab: Keeper) -> None:
    async def use(connection: asyncssh.SSHClientConnection) -> tuple[str, int | None]:
        process = await connection.create_process(
            "trap 'echo caught; exit 3' TERM; echo ready; read; echo $REPLY"
        )
        assert await process.stdout.readline() == "ready\n"
        process.send_signal("TERM")
        process.stdin.write("in peace\n")
        return str(await process.stdout.read()), (await process.wait()).exit_status

    assert lab.ssh(use) == ("in peace\n", 0)


def test_megabytes_come_back_unharmed(lab: Keeper) -> None:
    sent = bytes(range(256)) * 20_000
    assert lab.run("cat", input=sent, encoding=None).stdout == sent


def test_a_terminal_has_size_and_type(lab: Keeper) -> None:
    done = lab.run("tty; stty size; echo $TERM", term_type="xterm", term_size=(100, 30))
    tty, size, kind = str(done.stdout).split("\r\n")[:3]
    assert tty.startswith("/dev/pts/")
    assert (size, kind) == ("30 100", "xterm")


def test_a_shell_at_a_terminal(lab: Keeper) -> None:
    done = lab.run("", term_type="xterm", input="echo $((6 * 7))\nexit 5\n")
    assert "42" in str(done.stdout)
    assert done.exit_status == 5


# A hang-up may take its time on a busy machine; what lives on is watched for a second.
@pytest.mark.parametrize(("terminal", "looks", "outlives"), [("xterm", 400, False), (None, 20, True)])
def test_a_client_that_goes_hangs_up_terminals_only(
    lab: Keeper, terminal: str | None, looks: int, outlives: bool
) -> None:
    async def use(connection: asyncssh.SSHClientConnection) -> bool:
        process = await connection.create_process("echo $$; exec sleep 30", term_type=terminal)
        pid = int(await process.stdout.readline())
        process.close()
        watch = f"for i in $(seq {looks}); do kill -0 {pid} || exit 0; sleep 0.05; done; kill {pid}; exit 1"
        return (await connection.run(watch)).exit_status == 1

    assert lab.ssh(use) is outlives


def test_input_ends_when_the_client_goes(lab: Keeper) -> None:
    async def use(connection: asyncssh.SSHClientConnection) -> int | None:
        process = await connection.create_process("cat; touch /tmp/input-ended")
        process.close()
        watch = "for i in $(seq 100); do test -e /tmp/input-ended && exit 0; sleep 0.05; done; exit 1"
        return (await connection.run(watch)).exit_status

    assert lab.ssh(use) == 0


def test_an_eleventh_session_is_refused_and_room_is_made_again(lab: Keeper) -> None:
    async def use(connection: asyncssh.SSHClientConnection) -> None:
        held = [await connection.create_process("cat") for _ in range(10)]
        with pytest.raises(asyncssh.ChannelOpenError, match="open failed") as refusal:
            await connection.create_process("cat")
        assert refusal.value.code == asyncssh.OPEN_CONNECT_FAILED
        for process in held:
            process.stdin.write_eof()
            await process.wait()
        assert (await connection.run("true")).exit_status == 0

    lab.ssh(use)


def test_a_program_that_outlives_its_channel_takes_a_session_until_it_ends(lab: Keeper) -> None:
    async def use(connection: asyncssh.SSHClientConnection) -> None:
        waits = "until test -e /tmp/gate; do sleep 0.05; done"
        await connection.run("rm -f /tmp/gate")
        for _ in range(9):
            (await connection.create_process(waits, stdin=asyncssh.DEVNULL)).close()
        kept = await connection.create_process("bash")
        with pytest.raises(asyncssh.ChannelOpenError, match="open failed"):
            await connection.create_process("true")
        kept.stdin.write("touch /tmp/gate; while pgrep -f 'until test -e'; do sleep 0.05; done; exit\n")
        await kept.wait()
        assert (await connection.run("true")).exit_status == 0

    lab.ssh(use)


def test_files_go_both_ways_by_sftp(lab: Keeper, tmp_path: Path) -> None:
    async def use(connection: asyncssh.SSHClientConnection) -> None:
        (tmp_path / "there").write_text("content\n")
        async with connection.start_sftp_client() as sftp:
            await sftp.put(str(tmp_path / "there"), "/root/there")
            await sftp.chmod("/root/there", 0o600)
            await sftp.get("/root/there", str(tmp_path / "back"))

    lab.ssh(use)
    assert (tmp_path / "back").read_text() == "content\n"
    assert lab.output("stat -c %a:%U there; cat there") == "600:root\ncontent\n"


def test_channels_reach_what_the_host_reaches(lab: Keeper) -> None:
    async def use(connection: asyncssh.SSHClientConnection) -> bytes:
        reader, writer = await connection.open_connection("172.18.0.2", 3306)
        greeting = await reader.read(64)
        writer.close()
        with pytest.raises(asyncssh.ChannelOpenError) as refusal:
            await connection.open_connection("127.0.0.1", 9)
        assert refusal.value.code == asyncssh.OPEN_CONNECT_FAILED
        return bytes(greeting)

    assert b"MariaDB" in lab.ssh(use)


def test_a_remote_forward_listens_on_the_hosts_loopback_only(lab: Keeper) -> None:
    async def use(connection: asyncssh.SSHClientConnection) -> None:
        def answer(_reader: asyncssh.SSHReader[bytes], writer: asyncssh.SSHWriter[bytes]) -> None:
            writer.write(b"from the client")
            writer.close()

        listener = await connection.start_server(lambda _host, _port: answer, "", 0, encoding=None)
        port = listener.get_port()
        done = await connection.run(f"cat </dev/tcp/127.0.0.1/{port}")
        assert done.stdout == "from the client"
        assert (await connection.run(f"cat </dev/tcp/192.168.122.10/{port}")).exit_status == 1

    lab.ssh(use)


def test_others_do_not_get_in(lab: Keeper) -> None:
    async def use(_connection: asyncssh.SSHClientConnection) -> None:
        pytest.fail("logged in")

    for wrong in (
        {"username": "nobody"},
        {"client_keys": [asyncssh.generate_private_key("ssh-ed25519")]},
        {"client_keys": [], "password": "root"},
    ):
        with pytest.raises(asyncssh.PermissionDenied):
            lab.ssh(use, **wrong)


def test_sessions_do_not_wait_for_each_other(lab: Keeper) -> None:
    async def use(connection: asyncssh.SSHClientConnection) -> list[str]:
        await connection.run("rm -f /tmp/meeting; mkfifo /tmp/meeting")
        sides = [connection.run("cat /tmp/meeting"), connection.run("echo met > /tmp/meeting")]
        return [str(done.stdout) for done in await asyncio.gather(*sides)]

    assert lab.ssh(use) == ["met\n", ""]
