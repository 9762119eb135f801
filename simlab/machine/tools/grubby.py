"""grubby 8.40 of RHEL 8: looking at boot entries and changing them (its `grubby-bls`).

Arguments of all kernels are in GRUB's environment block, as `kernelopts`, which entries refer to: a change of
ALL changes it and /etc/default/grub, so that kernels of later are started alike. A change of one kernel gives
its entry a copy.
"""

from __future__ import annotations

import argparse
import re
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from simlab.machine.system import bls, grubenv

if TYPE_CHECKING:
    from simlab.machine.system.bls import Entry

_ROOT: Final = Path("/")
_BOOT: Final = "/boot"
_DEFAULTS: Final = Path("/etc/default/grub")


class GrubbyError(Exception):
    """What was asked cannot be done; the message is grubby's."""


def main() -> int:  # noqa: C901 -- one option, one action
    """Carry out what the options say; returns the exit status."""
    options = _parse()
    try:
        if options.default_kernel:
            _say(_default().kernel, prefix=_BOOT)
        elif options.default_index:
            sys.stdout.write(f"{_menu().index(_default())}\n")
        elif options.default_title:
            _say(_default().fields.get("title", ""))
        elif options.info:
            for entry in _select(options.info):
                _show(entry)
        elif options.set_default is not None or options.set_default_index is not None:
            _set_default(options)
        elif options.update_kernel:
            _update(options)
        elif options.remove_kernel:
            for entry in _select(options.remove_kernel):
                entry.path.unlink()
        else:
            sys.stderr.write("grubby: no action specified\n")
            return 1
    except GrubbyError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _menu() -> list[Entry]:
    return bls.entries(_ROOT)


def _default() -> Entry:
    entry = bls.default(_ROOT)
    if entry is None:
        raise GrubbyError("The default boot entry could not be found")
    return entry


def _select(parameter: str) -> list[Entry]:
    """Return the entries that ALL, DEFAULT, an index, a kernel's path or TITLE=… names."""
    menu = _menu()
    if parameter == "ALL":
        return menu
    if parameter == "DEFAULT":
        return [_default()]
    if parameter.isdigit():
        found = [entry for number, entry in enumerate(menu) if number == int(parameter)]
    elif parameter.startswith("TITLE="):
        found = [entry for entry in menu if entry.fields.get("title") == parameter.removeprefix("TITLE=")]
    else:
        path = parameter.removeprefix(_BOOT)
        found = [entry for entry in menu if entry.kernel == path]
    if not found:
        raise GrubbyError(f"The param {parameter} is incorrect")
    return found


def _show(entry: Entry) -> None:
    words = _expanded(entry).split()
    root = next((word.removeprefix("root=") for word in words if word.startswith("root=")), "")
    arguments = " ".join(word for word in words if not word.startswith("root="))
    sys.stdout.write(
        f"index={_menu().index(entry)}\n"
        f'kernel="{_BOOT}{entry.kernel}"\n'
        f'args="{arguments}"\n'
        f'root="{root}"\n'
        f'initrd="{_BOOT}{entry.fields.get("initrd", "")}"\n'
        f'title="{entry.fields.get("title", "")}"\n'
        f'id="{entry.identity}"\n'
    )


def _expanded(entry: Entry) -> str:
    """Return an entry's options with `$kernelopts` spelled out, and other variables as they are."""
    common = grubenv.read(_ROOT).get("kernelopts", "")
    return re.sub(r"\$\{?kernelopts\}?", lambda _: common, entry.fields.get("options", ""))


def _set_default(options: argparse.Namespace) -> None:
    chosen = str(options.set_default_index) if options.set_default is None else options.set_default
    entry = _select(chosen)[0]
    grubenv.update(_ROOT, saved_entry=entry.identity)
    sys.stdout.write(
        f"The default is {entry.path} with index {_menu().index(entry)} and kernel {_BOOT}{entry.kernel}\n"
    )


def _update(options: argparse.Namespace) -> None:
    remove, add = shlex.split(options.remove_args), shlex.split(options.args)
    everywhere = options.update_kernel == "ALL"
    chosen = _select(options.update_kernel)
    if everywhere:
        common = _changed(grubenv.read(_ROOT).get("kernelopts", ""), remove, add)
        try:
            grubenv.update(_ROOT, kernelopts=common)
        except ValueError as error:
            raise GrubbyError(f"grub2-editenv: error: {error}.") from None
        if not options.no_etc_grub_update:
            _update_defaults(remove, add)
    for entry in chosen:
        if everywhere and "$kernelopts" in entry.fields.get("options", ""):
            continue
        entry.set("options", _changed(_expanded(entry), remove, add))


def _changed(text: str, remove: list[str], add: list[str]) -> str:
    """Return arguments without some (by name, or by name and value), and with others."""
    names = {word for word in remove if "=" not in word}
    names |= {word.partition("=")[0] for word in add if "=" in word}
    kept = [
        word
        for word in text.split()
        if word not in remove and word not in add and word.partition("=")[0] not in names
    ]
    return " ".join([*kept, *add])


def _update_defaults(remove: list[str], add: list[str]) -> None:
    if not _DEFAULTS.exists():
        return
    lines = _DEFAULTS.read_text().splitlines()
    for number, line in enumerate(lines):
        name, sign, value = line.partition("=")
        if sign and name == "GRUB_CMDLINE_LINUX":
            lines[number] = f'{name}="{_changed(value.strip().strip(chr(34)), remove, add)}"'
    draft = _DEFAULTS.with_suffix(".new")
    draft.write_text("\n".join(lines) + "\n")
    draft.replace(_DEFAULTS)


def _say(text: str, prefix: str = "") -> None:
    sys.stdout.write(f"{prefix}{text}\n")


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="grubby", allow_abbrev=False)
    parser.add_argument("--default-kernel", action="store_true")
    parser.add_argument("--default-index", action="store_true")
    parser.add_argument("--default-title", action="store_true")
    parser.add_argument("--info", metavar="KERNEL")
    parser.add_argument("--set-default", metavar="KERNEL")
    parser.add_argument("--set-default-index", type=int, metavar="INDEX")
    parser.add_argument("--update-kernel", metavar="KERNEL")
    parser.add_argument("--args", default="")
    parser.add_argument("--remove-args", default="")
    parser.add_argument("--remove-kernel", metavar="KERNEL")
    parser.add_argument("--no-etc-grub-update", action="store_true")
    for ignored in ("--grub2", "--efi", "--bls-directory"):
        parser.add_argument(ignored, action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
