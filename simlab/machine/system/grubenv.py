"""GRUB's environment block: 1024 bytes of `name=value` lines, filled up with `#` (`grub2-editenv`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

PATH: Final = "boot/efi/EFI/anolis/grubenv"
# On a UEFI machine /boot/grub2/grubenv is a link to the file beside GRUB's image.
LINK: Final = ("boot/grub2/grubenv", "../efi/EFI/anolis/grubenv")

_SIZE: Final = 1024
_SIGNATURE: Final = "# GRUB Environment Block\n"


def read(root: Path) -> dict[str, str]:
    """Return the variables; none when the block is missing or is not one."""
    try:
        text = (root / PATH).read_text(errors="replace")
    except OSError:
        return {}
    if not text.startswith(_SIGNATURE):
        return {}
    lines = (line.partition("=") for line in text.removeprefix(_SIGNATURE).splitlines())
    return {name: value for name, sign, value in lines if sign and not name.startswith("#")}


def write(root: Path, variables: dict[str, str]) -> None:
    """Write the block anew. Raises ValueError when it would be too long."""
    text = _SIGNATURE + "".join(f"{name}={value}\n" for name, value in variables.items())
    if len(text.encode()) > _SIZE:
        raise ValueError("environment block too small")
    path = root / PATH
    draft = path.with_name("grubenv.new")
    draft.write_text(text.ljust(_SIZE, "#"))
    draft.replace(path)


def update(root: Path, **variables: str) -> None:
    """Set variables and keep the others. Raises ValueError when the block would be too long."""
    write(root, read(root) | variables)
