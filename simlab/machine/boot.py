"""Starting the simulated machine: firmware, GRUB, kernel, each with what the one before it found on the disk.

What happens shows on the console (`layout.log/console.log`). A machine that does not come up says there why.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from simlab.machine.system import bls, grub, grubenv, kernels

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from simlab.layout import Layout
    from simlab.machine.system.bls import Entry
    from simlab.machine.system.kernels import Kernel

ROOT_DEVICE: Final = "/dev/mapper/ao-root"


class BootError(Exception):
    """The machine does not come up; the message says where it stopped and why."""


@dataclass(frozen=True)
class Booted:
    """A kernel that runs, and its command line."""

    kernel: Kernel
    command_line: str


def console_log(layout: Layout) -> Path:
    """Return the file with what the machine's console showed, boot after boot."""
    return layout.log / "console.log"


def boot(layout: Layout) -> Booted:
    """Go from power-on to a running kernel. Raises BootError."""
    layout.log.mkdir(parents=True, exist_ok=True)
    with console_log(layout).open("a") as console:
        try:
            return _boot(layout.host, lambda line: console.write(f"{line}\n"))
        except BootError as error:
            console.write(f"--- the machine stops here: {error}\n")
            raise


def _boot(root: Path, say: Callable[[str], object]) -> Booted:
    say("BIOS: UEFI firmware, booting \\EFI\\anolis\\shimx64.efi")
    version = grub.installed(root)
    if version is None:
        raise BootError(f"no boot loader at /{grub.IMAGE}")
    say(f"GNU GRUB  version {version}")
    entry = bls.default(root)
    if entry is None:
        raise BootError(f"GRUB finds no entry in /{bls.FOLDER}, and waits at its prompt")
    say(f"  Booting `{entry.fields.get('title', entry.identity)}'")
    kernel, command_line = _load(root, entry)
    if not grub.starts(version, command_line):
        raise BootError(f"GRUB {version} hangs when it starts a kernel with mem_encrypt=on")
    say(f"[    0.000000] Linux version {kernel.release} ({kernel.builder}) {kernel.version}")
    say(f"[    0.000000] Command line: {command_line}")
    if f"root={ROOT_DEVICE}" not in command_line.split():
        raise BootError(f"dracut: no root={ROOT_DEVICE} in the command line; entering emergency mode")
    return Booted(kernel, command_line)


def _load(root: Path, entry: Entry) -> tuple[Kernel, str]:
    kernel = kernels.read(root / "boot" / entry.kernel.lstrip("/"))
    if kernel is None:
        raise BootError(f"GRUB: error: file `{entry.kernel}' not found")
    initrd = entry.initrd()
    if initrd and not (root / "boot" / initrd.lstrip("/")).is_file():
        raise BootError(f"GRUB: error: file `{initrd}' not found")
    if not initrd:
        raise BootError("Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)")
    options = entry.options(grubenv.read(root))
    return kernel, f"BOOT_IMAGE=(hd0,gpt2){entry.kernel} {options}"
