"""Fetching from repositories: their lists of packages, and packages."""

from __future__ import annotations

import hashlib
import json
import subprocess
from typing import TYPE_CHECKING, Any, Final
from xml.etree import ElementTree as ET

from simlab.machine.system.package import Package
from simlab.machine.tools.dnf.configuration import DnfError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from simlab.machine.tools.dnf.configuration import Repository

_SPACE: Final = "{http://linux.duke.edu/metadata/repo}"
_TIMEOUT_SECONDS: Final = "30"


class Available:
    """The packages of the enabled repositories, and where each is."""

    def __init__(self, repositories: Iterable[Repository]) -> None:
        """Fetch the lists. Raises DnfError when one cannot be had."""
        self.packages: list[Package] = []
        self._locations: dict[tuple[str, str], tuple[str, str]] = {}
        for repository in repositories:
            if repository.enabled:
                self._read(repository)

    def fetch(self, package: Package) -> Package:
        """Fetch a package, files and all. Raises DnfError when it is missing or not what the list says."""
        url, digest = self._locations[package.repository, package.nevra]
        content = get(url)
        if hashlib.sha256(content).hexdigest() != digest:
            raise DnfError(f"Error: Error downloading packages:\n  {url}: checksum doesn't match")
        return Package.load(content.decode()).from_repository(package.repository)

    def _read(self, repository: Repository) -> None:
        trouble = DnfError(f"Cannot find a valid baseurl for repo: {repository.identity}")
        for url in repository.urls:
            try:
                entries = _list(url)
            except DnfError as error:
                trouble = error
                continue
            for entry in entries:
                package = Package.from_dict(entry["header"]).from_repository(repository.identity)
                self.packages.append(package)
                self._locations[repository.identity, package.nevra] = url + entry["location"], entry["sha256"]
            return
        raise DnfError(
            f"Errors during downloading metadata for repository '{repository.identity}':\n  - {trouble}\n"
            f"Error: Failed to download metadata for repo '{repository.identity}':"
            " Cannot download repomd.xml: Cannot download repodata/repomd.xml: All mirrors were tried"
        )


def _list(url: str) -> list[dict[str, Any]]:
    try:
        index = ET.fromstring(get(f"{url}repodata/repomd.xml"))  # noqa: S314 -- the lab's own
        data = index.find(f"{_SPACE}data[@type='primary']")
    except ET.ParseError as error:
        raise DnfError(f"{url}repodata/repomd.xml: {error}") from None
    location = data.find(f"{_SPACE}location") if data is not None else None
    checksum = data.findtext(f"{_SPACE}checksum") if data is not None else None
    if location is None:
        raise DnfError(f"{url}repodata/repomd.xml names no list of packages")
    content = get(url + location.get("href", ""))
    if hashlib.sha256(content).hexdigest() != checksum:
        raise DnfError(f"{url}{location.get('href')}: checksum doesn't match")
    entries: list[dict[str, Any]] = json.loads(content)
    return entries


def get(url: str) -> bytes:
    """Fetch an address, as libcurl does it for dnf. Raises DnfError."""
    done = subprocess.run(
        ["curl", "--silent", "--show-error", "--location", "--fail", "--max-time", _TIMEOUT_SECONDS, url],
        capture_output=True,
        check=False,
    )
    if done.returncode != 0:
        raise DnfError(f"{done.stderr.decode(errors='replace').strip()} for {url}")
    return done.stdout
