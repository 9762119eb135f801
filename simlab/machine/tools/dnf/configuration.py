"""Repositories as /etc/yum.repos.d names them, and dnf's variables in them (dnf.conf(5))."""

from __future__ import annotations

import configparser
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from simlab.machine.system import rpmdb

FOLDER: Final = Path("/etc/yum.repos.d")
_VARIABLES: Final = Path("/etc/dnf/vars")
_NAME: Final = re.compile(r"\$\{?([A-Za-z0-9_]+)\}?")


class DnfError(Exception):
    """dnf's own words for what it cannot do."""


@dataclass(frozen=True)
class Repository:
    """A repository. `urls` end with a slash."""

    identity: str
    name: str
    urls: tuple[str, ...]
    enabled: bool


def variables(release: str = "") -> dict[str, str]:
    """Return dnf's variables: $releasever is the version that the release package provides."""
    values = {"basearch": "x86_64", "arch": "x86_64"}
    for package in rpmdb.read(Path("/")):
        for name, evr in package.all_provides():
            if name == "system-release":
                values["releasever"] = evr.version
    if _VARIABLES.is_dir():
        values |= {file.name: file.read_text().strip() for file in _VARIABLES.iterdir() if file.is_file()}
    return values | ({"releasever": release} if release else {})


def repositories(release: str = "") -> list[Repository]:
    """Return the configured repositories, enabled or not. Raises DnfError for a file that is malformed."""
    values = variables(release)
    found = []
    for file in sorted(FOLDER.glob("*.repo")):
        parser = configparser.RawConfigParser(interpolation=None)
        try:
            parser.read_string(file.read_text(errors="replace"), str(file))
        except configparser.Error as error:
            raise DnfError(f'Warning: failed loading "{file}", skipping: {error}') from None
        for identity in parser.sections():
            section = parser[identity]
            urls = [substitute(url, values) for url in section.get("baseurl", "").replace(",", " ").split()]
            found.append(
                Repository(
                    substitute(identity, values),
                    substitute(section.get("name", identity), values),
                    tuple(f"{url.rstrip('/')}/" for url in urls),
                    section.get("enabled", "1").strip().lower() in ("1", "yes", "true", "on"),
                )
            )
    return found


def substitute(text: str, values: dict[str, str]) -> str:
    """Fill variables in; an unknown one stays as it is."""
    return _NAME.sub(lambda name: values.get(name[1], name[0]), text)
