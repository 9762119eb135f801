"""OpenSSH's sshd as the simulated host's SSH server: `python -m simlab.machine.openssh --root DIR --fd N`.

The listening socket is the runner's and lives as long as the lab, so sshd is started for each connection, as
inetd or systemd's `sshd@.service` do (`sshd -i`). It runs inside of the host's root as the host's own sshd:
with the host's accounts, keys and /etc/ssh/sshd_config, and what it starts is there without further ado.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import os
import platform
import shutil
import signal
import socket
import struct
import subprocess
import sys
from pathlib import Path
from typing import Final

from setproctitle import setproctitle

from simlab.layout import Layout
from simlab.machine import access, sandbox
from simlab.machine.session import ACCEPTED_VARIABLES, SUBSYSTEMS

# Where the program is on the host: /usr/sbin is the runner's, and need not have it.
PROGRAM: Final = "/usr/local/sbin/sshd"
_CONFIGURATION: Final = "etc/ssh/sshd_config"
# Where Debian's sshd locks itself up before a login (sshd(8), FILES).
_EMPTY_FOLDER: Final = "run/sshd"
# Where it notes logins at terminals; it complains there when it cannot.
_LAST_LOGINS: Final = "var/log/lastlog"

# Linux' numbers: setgroups(2) by machine, AUDIT_ARCH_* of linux/audit.h, SECCOMP_* of linux/seccomp.h,
# BPF_LD|BPF_W|BPF_ABS, BPF_JMP|BPF_JEQ|BPF_K and BPF_RET|BPF_K of linux/bpf_common.h.
_SETGROUPS: Final = {"x86_64": (0xC000003E, 116), "aarch64": (0xC00000B7, 159)}
_LOAD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_ALLOW, _ANSWER_ZERO = 0x7FFF0000, 0x00050000
_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _MODE_FILTER = 38, 22, 2


def prepare(layout: Layout, sshd: Path) -> None:
    """Put program, configuration and accounts on the host; needs its root laid out.

    A lab's user namespace has one id, 0. So the accounts whose ids sshd takes have it: `sshd` before a
    login, and the group `tty` for terminals.
    """
    program = layout.host / PROGRAM.lstrip("/")
    program.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(sshd, program)
    program.chmod(0o755)
    (layout.host / _CONFIGURATION).write_text(configuration())
    (layout.host / _LAST_LOGINS).touch()
    for name, old, new in (
        ("etc/passwd", "sshd:x:74:74:", "sshd:x:0:0:"),
        ("etc/group", "tty:x:5:", "tty:x:0:"),
    ):
        accounts = layout.host / name
        accounts.write_text(accounts.read_text().replace(old, new))


def configuration() -> str:
    """Return the text of sshd_config: what a client sees is RHEL's, but PAM does not set a login up."""
    environment = " ".join(f'{name}="{value}"' for name, value in sandbox.LOGIN_ENVIRONMENT.items())
    lines = [
        f"HostKey /{access.HOST_KEY}",
        "UsePAM no",
        "PermitRootLogin yes",
        # Nobody else has an id here.
        "AllowUsers root",
        f"AcceptEnv {' '.join(f'{name}*' if name.endswith('_') else name for name in ACCEPTED_VARIABLES)}",
        f"SetEnv {environment}",
        *(f"Subsystem {name} {program}" for name, program in SUBSYSTEMS.items()),
    ]
    return "".join(f"{line}\n" for line in lines)


def serve(layout: Layout, listening: socket.socket) -> None:
    """Start an sshd for each connection, until SIGTERM."""
    access.listening_file(layout).touch()
    # Nobody waits for a connection's end.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        connection, _ = listening.accept()
        with connection, contextlib.suppress(sandbox.NotUpError, OSError):
            (layout.host / _EMPTY_FOLDER).mkdir(mode=0o755, parents=True, exist_ok=True)
            fd = connection.fileno()
            subprocess.Popen(_argv(layout), stdin=fd, stdout=fd, start_new_session=True)


def _argv(layout: Layout) -> list[str]:
    # A connection ends with this process, as with a machine that goes down; what it started lives on.
    return [
        *("setpriv", "--pdeathsig", "KILL"),
        *sandbox.argv(layout, [PROGRAM, "-i", "-e", "-f", f"/{_CONFIGURATION}"]),
    ]


def answer_setgroups() -> None:
    """Have setgroups(2) succeed and do nothing, in this process and those it starts.

    sshd insists on it before a login, and Linux forbids it in user namespaces that an ordinary user makes
    (user_namespaces(7)). Raises OSError.
    """
    architecture, number = _SETGROUPS[platform.machine()]
    # struct seccomp_data: the call's number at 0, the architecture at 4.
    program = b"".join(
        struct.pack("=HBBI", code, if_true, if_false, value)
        for code, if_true, if_false, value in (
            (_LOAD, 0, 0, 4),
            (_JUMP_IF_EQUAL, 0, 3, architecture),
            (_LOAD, 0, 0, 0),
            (_JUMP_IF_EQUAL, 0, 1, number),
            (_RETURN, 0, 0, _ANSWER_ZERO),
            (_RETURN, 0, 0, _ALLOW),
        )
    )
    text = ctypes.create_string_buffer(program, len(program))
    fprog = ctypes.create_string_buffer(struct.pack("@HP", len(program) // 8, ctypes.addressof(text)))
    libc = ctypes.CDLL(None, use_errno=True)
    for arguments in ((_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), (_PR_SET_SECCOMP, _MODE_FILTER, fprog, 0, 0)):
        if libc.prctl(*arguments) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), "seccomp")


def main() -> int:
    """Parse the command line and serve; returns the exit status."""
    parser = argparse.ArgumentParser(prog="simlab.machine.openssh", description=__doc__)
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--fd", type=int, required=True, help="a listening socket that was inherited")
    options = parser.parse_args()
    setproctitle("sshd: /usr/sbin/sshd -D [listener]")
    answer_setgroups()
    serve(Layout(options.root), socket.socket(fileno=options.fd))
    return 0


if __name__ == "__main__":
    sys.exit(main())
