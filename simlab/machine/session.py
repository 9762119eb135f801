"""One SSH session: a program on the simulated host between a channel's ends, as OpenSSH's sshd runs it.

The exit status is sent when the program has ended and its output too: a program in the background that keeps
the output open holds the channel open, as on a real host (where the status alone would be sent sooner).
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import signal
import struct
import termios
from typing import TYPE_CHECKING, Final, NamedTuple, cast

import asyncssh

from simlab.machine import descriptors, sandbox

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from simlab.layout import Layout

# RHEL's subsystem; the skeleton links it to Debian's program.
SUBSYSTEMS: Final = {"sftp": "/usr/libexec/openssh/sftp-server"}
# AcceptEnv of RHEL's sshd_config.
ACCEPTED_VARIABLES: Final = ("LANG", "LC_", "XMODIFIERS")


class Streams(NamedTuple):
    """A channel's three streams."""

    stdin: asyncssh.SSHReader[bytes]
    stdout: asyncssh.SSHWriter[bytes]
    stderr: asyncssh.SSHWriter[bytes]


class Session:
    """A session's program, from its start to its exit status."""

    def __init__(self, layout: Layout, streams: Streams) -> None:
        self._layout = layout
        self._stdin, self._stdout, self._stderr = streams
        self._channel = cast("asyncssh.SSHServerChannel[bytes]", streams.stdin.channel)

    async def run(self) -> None:
        """Run the program until both it and the channel are done."""
        try:
            if self._channel.get_terminal_type() is None:
                await self._run_with_pipes()
            else:
                await self._run_with_terminal()
        except (sandbox.NotUpError, OSError) as failure:
            with contextlib.suppress(OSError):
                self._stderr.write(f"sshd: {failure}\n".encode())
            self._channel.exit(255)

    async def _run_with_pipes(self) -> None:
        (in_read, in_write), (out_read, out_write), (err_read, err_write) = (os.pipe() for _ in range(3))
        try:
            process = await asyncio.create_subprocess_exec(
                *self._argv(), stdin=in_read, stdout=out_write, stderr=err_write, start_new_session=True
            )
        finally:
            for theirs in (in_read, out_write, err_write):
                os.close(theirs)
        inward = asyncio.create_task(self._copy_in(in_write, close_at_eof=True))
        outward = [
            asyncio.create_task(self._copy_out(out_read, self._stdout)),
            asyncio.create_task(self._copy_out(err_read, self._stderr)),
        ]
        await self._finish(process, inward, outward)

    async def _run_with_terminal(self) -> None:
        master, slave = os.openpty()
        # A terminal is one device for both ways; each way is closed by itself.
        writable = os.dup(master)
        try:
            self._set_size(master, self._channel.get_terminal_size())
            variables = {
                "TERM": self._channel.get_terminal_type() or "dumb",
                "SSH_TTY": os.ttyname(slave),
            }
            process = await asyncio.create_subprocess_exec(
                "setsid", "--ctty", *self._argv(variables), stdin=slave, stdout=slave, stderr=slave
            )
        finally:
            os.close(slave)
        inward = asyncio.create_task(self._copy_in(writable, close_at_eof=False))
        await self._finish(process, inward, [asyncio.create_task(self._copy_out(master, self._stdout))])

    def _argv(self, variables: dict[str, str] | None = None) -> list[str]:
        peer, own = self._channel.get_extra_info("peername"), self._channel.get_extra_info("sockname")
        env = {
            "SSH_CLIENT": f"{peer[0]} {peer[1]} {own[1]}",
            "SSH_CONNECTION": f"{peer[0]} {peer[1]} {own[0]} {own[1]}",
            **(variables or {}),
        }
        env |= {
            name: value
            for name, value in self._channel.get_environment().items()
            if name.startswith(ACCEPTED_VARIABLES)
        }
        subsystem, command = self._channel.get_subsystem(), self._channel.get_command()
        if subsystem is not None:
            argv = [SUBSYSTEMS[subsystem]]
        elif command is not None:
            argv = ["/bin/bash", "-c", command]
        else:
            argv = ["/bin/bash", "--login"]
        return sandbox.argv(self._layout, argv, env)

    async def _finish(
        self,
        process: asyncio.subprocess.Process,
        inward: asyncio.Task[None],
        outward: list[asyncio.Task[None]],
    ) -> None:
        closed = asyncio.create_task(self._channel.wait_closed())
        done = asyncio.create_task(_all(process.wait(), *outward))
        await asyncio.wait({done, closed}, return_when=asyncio.FIRST_COMPLETED)
        # Closing a terminal hangs up on its programs; closing pipes ends input and breaks output.
        inward.cancel()
        for copy in outward:
            copy.cancel()
        await asyncio.gather(inward, *outward, return_exceptions=True)
        closed.cancel()
        status = await process.wait()
        if self._channel.is_closing():
            return
        if status < 0:
            self._channel.exit_with_signal(signal.Signals(-status).name.removeprefix("SIG"))
        else:
            self._channel.exit(status)

    async def _copy_out(self, source: int, target: asyncssh.SSHWriter[bytes]) -> None:
        try:
            while data := await descriptors.read(source):
                target.write(data)
                await target.drain()
        except (OSError, asyncssh.Error):
            pass  # The client is gone; the program hears of it when its output is closed.
        finally:
            os.close(source)

    async def _copy_in(self, target: int, *, close_at_eof: bool) -> None:
        try:
            while not self._stdin.at_eof():
                try:
                    if data := await self._stdin.read(descriptors.CHUNK):
                        await descriptors.write(target, data)
                except asyncssh.SignalReceived:
                    # "session signalling requires privilege separation", which a login as root has none of
                    # (OpenSSH 9.2, session.c, session_signal_req; sshd.c, privsep_postauth).
                    continue
                except asyncssh.TerminalSizeChanged as change:
                    self._set_size(target, change.term_size)
                except asyncssh.BreakReceived:
                    continue
            if not close_at_eof:
                await self._channel.wait_closed()
        except (OSError, asyncssh.Error):
            # The program closed its input, which is no error; what else comes in is thrown away.
            with contextlib.suppress(asyncssh.Error):
                await self._channel.wait_closed()
        finally:
            os.close(target)

    @staticmethod
    def _set_size(terminal: int, size: tuple[int, int, int, int]) -> None:
        columns, rows, width, height = size
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, width, height))


async def _all(*awaited: Awaitable[object]) -> None:
    await asyncio.gather(*awaited)
