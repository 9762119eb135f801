"""Packages and package repositories of the host, through rpm and dnf."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.deadline import Deadline
from lab.parsers.repositories import Repository, parse_repositories
from lab.parsers.rpm import QUERY_FORMAT, Package, parse_packages

if TYPE_CHECKING:
    from lab.host import Host


class Packages:
    """What is installed, and where it comes from. Every question looks again."""

    def __init__(self, host: Host, *, seconds: float) -> None:
        """`seconds` is how long a transaction may take, with its downloads."""
        self._host = host
        self._seconds = seconds

    def installed(self, *names: str) -> list[Package]:
        """The installed packages of these names, each of a package's versions.

        `rpm --query` ends with the number of names that are not installed.
        """
        words = " ".join("%s" for _ in names)
        query = f"rpm --query --queryformat %s {words}"
        return parse_packages(self._host.run(query, QUERY_FORMAT, *names, check=False, reads=True).stdout)

    def matching(self, pattern: str) -> list[Package]:
        """The installed packages whose name matches a shell pattern."""
        query = "rpm --query --all --queryformat %s %s"
        return parse_packages(self._host.run(query, QUERY_FORMAT, pattern, reads=True).stdout)

    def missing(self, *names: str) -> list[str]:
        """Which of the packages are not installed."""
        found = {package.name for package in self.installed(*names)}
        return [name for name in names if name not in found]

    def repositories(self) -> list[Repository]:
        """The configured repositories, enabled or not."""
        # awk ends a file that does not end in a newline; without any file it fails, and there are none.
        texts = self._host.run("awk 1 /etc/yum.repos.d/*.repo", check=False, reads=True)
        return parse_repositories(texts.stdout)

    def add_repository(self, url: str) -> None:
        """Add a repository, or a .repo file, as the guide does."""
        self.install(*self.missing("yum-utils"))
        self._host.run("yum-config-manager --add-repo %s", url, deadline=Deadline(self._seconds))

    def install(self, *names: str) -> None:
        """Install packages; without names, nothing."""
        self._transact("install", names)

    def update(self, *names: str) -> None:
        """Update packages to the newest version that the repositories have."""
        self._transact("update", names)

    def downgrade(self, *specs: str) -> None:
        """Go back to older versions, each NAME-EPOCH:VERSION-RELEASE.ARCH, in one transaction."""
        self._transact("downgrade", specs)

    def _transact(self, verb: str, words: tuple[str, ...]) -> None:
        if words:
            command = f"yum --assumeyes {verb} {' '.join('%s' for _ in words)}"
            self._host.run(command, *words, deadline=Deadline(self._seconds))
