"""What `grubby --info=ALL` says of the boot entries."""

from __future__ import annotations

import re
from dataclasses import dataclass

_FIELD = re.compile(r'(?P<name>[a-z]+)="?(?P<value>.*?)"?$')


@dataclass(frozen=True)
class BootEntry:
    """A boot entry: its kernel's path, and the arguments that this kernel gets."""

    kernel: str
    arguments: str
    title: str


def parse_entries(output: str) -> list[BootEntry]:
    """The boot entries; those without a kernel, such as another system's, are passed over."""
    entries: list[dict[str, str]] = []
    for line in output.splitlines():
        found = _FIELD.match(line.strip())
        if not found:
            continue
        if found["name"] == "index":
            entries.append({})
        elif entries:
            entries[-1][found["name"]] = found["value"]
    return [
        BootEntry(entry["kernel"], entry.get("args", ""), entry.get("title", ""))
        for entry in entries
        if "kernel" in entry
    ]
