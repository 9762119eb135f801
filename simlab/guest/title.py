"""Make the process look like QEMU in `ps`, `/proc/PID/cmdline` and `/proc/PID/comm`."""

from __future__ import annotations

from pathlib import Path

_ARG_START, _ARG_END = 48, 49  # fields of /proc/PID/stat, counted from 1; proc(5)


def take(argv: list[str]) -> None:
    """Overwrite this process's argument vector in its memory; the rest of a longer one becomes NULs."""
    area = slice(*_arguments_area())
    text = b"".join(argument.encode() + b"\0" for argument in argv)
    size = area.stop - area.start
    with Path("/proc/self/mem").open("r+b", buffering=0) as memory:
        memory.seek(area.start)
        memory.write(text[:size].ljust(size, b"\0"))
    # The kernel cuts a thread's name at 15 bytes: a real QEMU is "qemu-system-x86".
    Path("/proc/self/comm").write_text(Path(argv[0]).name[:15])


def _arguments_area() -> tuple[int, int]:
    # The program's name, in parentheses, may hold blanks.
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    return int(fields[_ARG_START - 3]), int(fields[_ARG_END - 3])
