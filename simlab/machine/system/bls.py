"""Boot entries as RHEL 8 keeps them: one file each in /boot/loader/entries (Boot Loader Specification).

An entry's `options` may name variables of GRUB's environment block: `$kernelopts` holds what all kernels are
started with, and so a kernel that is installed later has it too.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from simlab.machine.system import evr, grubenv

if TYPE_CHECKING:
    from pathlib import Path

FOLDER: Final = "boot/loader/entries"

_VARIABLE: Final = re.compile(r"\$\{?(\w+)\}?")


@dataclass(frozen=True)
class Entry:
    """One boot entry; `identity` is its file's name without `.conf`."""

    path: Path
    fields: dict[str, str]

    @property
    def identity(self) -> str:
        """The name by which GRUB's `saved_entry` knows it."""
        return self.path.name.removesuffix(".conf")

    @property
    def kernel(self) -> str:
        """The kernel's path on the boot partition, such as `/vmlinuz-5.10…`."""
        return self.fields.get("linux", "")

    def options(self, environment: dict[str, str]) -> str:
        """Return the kernel's command line with GRUB's variables filled in."""
        text = _VARIABLE.sub(lambda name: environment.get(name[1], ""), self.fields.get("options", ""))
        return " ".join(text.split())

    def initrd(self) -> str:
        """Return the path of the first initial ramdisk on the boot partition; empty when it has none."""
        words = [word for word in self.fields.get("initrd", "").split() if not word.startswith("$")]
        return words[0] if words else ""

    def set(self, name: str, value: str) -> None:
        """Change one field in the file, in its place."""
        lines = self.path.read_text().splitlines()
        new = f"{name} {value}".rstrip()
        for number, line in enumerate(lines):
            if line.split(maxsplit=1)[:1] == [name]:
                lines[number] = new
                break
        else:
            lines.append(new)
        draft = self.path.with_suffix(".new")
        draft.write_text("\n".join(lines) + "\n")
        draft.replace(self.path)
        self.fields[name] = value


def entries(root: Path) -> list[Entry]:
    """Return the entries in the menu's order: the newest kernel first."""
    found = []
    for path in (root / FOLDER).glob("*.conf"):
        pairs = (line.strip().partition(" ") for line in path.read_text(errors="replace").splitlines())
        found.append(
            Entry(path, {name: value.strip() for name, _, value in pairs if name[:1] not in ("", "#")})
        )
    by_name = functools.cmp_to_key(evr.compare)
    return sorted(found, key=lambda entry: by_name(entry.identity), reverse=True)


def default(root: Path) -> Entry | None:
    """Return the entry that GRUB boots: `saved_entry`, by name, title or number, else the menu's first."""
    menu = entries(root)
    saved = grubenv.read(root).get("saved_entry", "")
    for number, entry in enumerate(menu):
        if saved in (entry.identity, entry.fields.get("title"), str(number)):
            return entry
    return menu[0] if menu else None


def add_kernel(root: Path, release: str) -> None:
    """Add a kernel's entry and make it the default, as kernel-install does with UPDATEDEFAULT=yes."""
    machine = (root / "etc/machine-id").read_text().strip()
    lines = (line.partition("=") for line in (root / "etc/os-release").read_text().splitlines())
    system = {name: value.strip('"') for name, _, value in lines}
    identity = f"{machine}-{release}"
    text = (
        f"title {system['NAME']} ({release}) {system['VERSION']}\n"
        f"version {release}\n"
        f"linux /vmlinuz-{release}\n"
        f"initrd /initramfs-{release}.img $tuned_initrd\n"
        "options $kernelopts $tuned_params\n"
        f"id {identity}\n"
        "grub_users $grub_users\n"
        "grub_arg --unrestricted\n"
        "grub_class kernel\n"
    )
    folder = root / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{identity}.conf").write_text(text)
    (root / f"boot/initramfs-{release}.img").write_bytes(b"initramfs of " + release.encode() + b"\n")
    grubenv.update(root, saved_entry=identity)


def remove_kernel(root: Path, release: str) -> None:
    """Remove a kernel's entry; if it was the default, the newest that is left becomes it."""
    for entry in entries(root):
        if entry.kernel.endswith(f"/vmlinuz-{release}"):
            entry.path.unlink()
    (root / f"boot/initramfs-{release}.img").unlink(missing_ok=True)
    menu = entries(root)
    if menu and all(entry.identity != grubenv.read(root).get("saved_entry") for entry in menu):
        grubenv.update(root, saved_entry=menu[0].identity)
