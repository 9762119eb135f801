"""Repository files of dnf: INI files in /etc/yum.repos.d (dnf.conf(5))."""

from __future__ import annotations

import configparser
import re
from dataclasses import dataclass

from lab.errors import LabError

# Where the release stands in a URL: the variable, or a release that somebody put in its place.
_RELEASE = re.compile(r"(?<=/)(?:\$releasever|\$\{releasever\}|\d+\.\d+)(?=/|$)")
_PLACE = re.compile(r"\s*(?:baseurl|mirrorlist|metalink)\s*=", re.IGNORECASE)
# What dnf puts in for this variable: SEV is x86_64's.
_ARCHITECTURE = re.compile(r"\$(?:basearch\b|\{basearch\})")
_NO = {"0", "no", "false", "off"}


@dataclass(frozen=True)
class Repository:
    """One repository: its base URLs, without a trailing slash, and the keys of who signs its packages."""

    id: str
    urls: tuple[str, ...]
    enabled: bool
    keys: tuple[str, ...] = ()


def parse_repositories(text: str) -> list[Repository]:
    """The repositories of a .repo file. Raises LabError where it is none."""
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string(text)
    except configparser.Error as error:
        raise LabError(f"it is no repository file: {error.message.splitlines()[0]}") from None
    return [
        Repository(
            name,
            tuple(_ARCHITECTURE.sub("x86_64", url.rstrip("/")) for url in _words(section.get("baseurl", ""))),
            section.get("enabled", "1").strip().lower() not in _NO,
            tuple(_words(section.get("gpgkey", ""))),
        )
        for name, section in parser.items()
        if name not in {parser.default_section, "main"}
    ]


def _words(value: str) -> list[str]:
    return [word for word in re.split(r"[\s,]+", value) if word]


def parse_repository_files(output: str) -> tuple[list[Repository], list[str]]:
    """The repositories of files, each after a line `#file PATH`, and what is wrong with other files.

    dnf itself passes over a file that it cannot read (dnf 4.7, conf/read.py).
    """
    found, faults = [], []
    for part in re.split(r"^#file ", output, flags=re.MULTILINE)[1:]:
        path, _, text = part.partition("\n")
        try:
            found += parse_repositories(text)
        except LabError as error:
            faults.append(f"{path}: {error}")
    return found, faults


def with_release(text: str, release: str) -> str:
    """A .repo file whose URLs name one release of the system instead of the host's own."""
    lines, inside = [], False
    for line in text.splitlines(keepends=True):
        # A value goes on in the lines below that are indented.
        inside = bool(_PLACE.match(line)) or (inside and line[:1] in {" ", "\t"})
        lines.append(_RELEASE.sub(release, line) if inside else line)
    return "".join(lines)
