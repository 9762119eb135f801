"""Repository files of dnf: INI files in /etc/yum.repos.d (dnf.conf(5))."""

from __future__ import annotations

import configparser
import re
from dataclasses import dataclass

from lab.errors import LabError

# Where the release stands in a URL: the variable, or a release that somebody put in its place.
_RELEASE = re.compile(r"(?<=/)(?:\$releasever|\$\{releasever\}|\d+\.\d+)(?=/|$)")
_PLACE = re.compile(r"\s*(?:baseurl|mirrorlist|metalink)\s*=", re.IGNORECASE)
_NO = {"0", "no", "false", "off"}


@dataclass(frozen=True)
class Repository:
    """One repository; `urls` are its base URLs, without a trailing slash."""

    id: str
    urls: tuple[str, ...]
    enabled: bool


def parse_repositories(text: str) -> list[Repository]:
    """The repositories of one or more .repo files. Raises LabError where they are none."""
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string(text)
    except configparser.Error as error:
        raise LabError(f"the host's repository files cannot be read: {error.message}") from None
    return [
        Repository(
            name,
            tuple(url.rstrip("/") for url in re.split(r"[\s,]+", section.get("baseurl", "").strip()) if url),
            section.get("enabled", "1").strip().lower() not in _NO,
        )
        for name, section in parser.items()
        if name not in {parser.default_section, "main"}
    ]


def with_release(text: str, release: str) -> str:
    """A .repo file whose URLs name one release of the system instead of the host's own."""
    lines, inside = [], False
    for line in text.splitlines(keepends=True):
        # A value goes on in the lines below that are indented.
        inside = bool(_PLACE.match(line)) or (inside and line[:1] in {" ", "\t"})
        lines.append(_RELEASE.sub(release, line) if inside else line)
    return "".join(lines)
