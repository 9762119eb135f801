"""Packages and package repositories of the host, through rpm and dnf."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.deadline import Deadline
from lab.errors import CommandFailed, DeadlineExceeded
from lab.parsers.repositories import Repository, parse_repository_files
from lab.parsers.rpm import QUERY_FORMAT, Package, parse_packages

if TYPE_CHECKING:
    from lab.host import Host

# Where the system's own keys lie, which came with its installation.
OWN_KEYS = "file:///etc/pki/rpm-gpg/"
# Whoever installs, updates or removes packages holds it.
RPM_LOCK = "/var/lib/rpm/.rpm.lock"
# "Error:", the problem, and the first of what conflicts.
CAUSE_LINES = 3


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
        return self._repository_files()[0]

    def repository_faults(self) -> list[str]:
        """What is wrong with repository files that dnf passes over."""
        return self._repository_files()[1]

    def _repository_files(self) -> tuple[list[Repository], list[str]]:
        # awk ends a file that does not end in a newline; without any file it fails, and there are none.
        command = """awk 'FNR == 1 { print "#file " FILENAME } 1' /etc/yum.repos.d/*.repo"""
        return parse_repository_files(self._host.run(command, check=False, reads=True).stdout)

    def add_repository(self, url: str) -> None:
        """Add a repository, or a .repo file, as the guide does. One that cannot be fetched is left disabled.

        Raises CommandFailed, DeadlineExceeded.
        """
        self.install(*self.missing("yum-utils"))
        before = {each.id for each in self.repositories()}
        self._host.run("yum-config-manager --add-repo %s", url, deadline=Deadline(self._seconds))
        added = (each for each in self.repositories() if each.enabled and each.id not in before)
        self._fetch_or_disable([each.id for each in added])

    def enable_repository(self, name: str) -> None:
        """Enable a repository that is disabled; it stays so where it cannot be fetched.

        Raises CommandFailed, DeadlineExceeded.
        """
        self.install(*self.missing("yum-utils"))
        self._host.run("yum-config-manager --enable %s", name)
        self._fetch_or_disable([name])

    def fetch(self, names: list[str]) -> None:
        """Fetch what enabled repositories list. Raises CommandFailed, DeadlineExceeded where that fails.

        dnf refuses all work on a host where an enabled repository cannot be fetched (dnf.conf(5),
        skip_if_unavailable).
        """
        if names:
            chosen = " ".join("--enablerepo=%s" for _ in names)
            command = f"yum --assumeyes --disablerepo='*' {chosen} makecache"
            try:
                self._host.run(command, *names, deadline=Deadline(self._seconds))
            except CommandFailed as failure:
                raise CommandFailed(failure.command, failure.exit_code, _cause(failure.stderr)) from None

    def _fetch_or_disable(self, names: list[str]) -> None:
        try:
            self.fetch(names)
        except (CommandFailed, DeadlineExceeded):
            self._host.run(f"yum-config-manager --disable {' '.join('%s' for _ in names)}", *names)
            raise

    def trust_own_keys(self) -> None:
        """Have rpm know the keys that the system itself brings, and its own repositories name.

        dnf imports a key only with a package of a repository that names it; one that was added by its URL
        names none, and the signatures of its packages are checked all the same (dnf.conf(5), gpgcheck).
        """
        keys = (key for each in self.repositories() for key in each.keys if key.startswith(OWN_KEYS))
        for path in dict.fromkeys(key.removeprefix("file://") for key in keys):
            self._host.run("if [ -e %s ]; then rpm --import %s; fi", path, path)

    def install(self, *names: str, keeping: tuple[str, ...] = ()) -> None:
        """Install packages; without names, nothing.

        Those of `keeping` stay at the version that they have: where that does not do, nothing is installed.
        """
        self._transact("install", names, keeping)

    def update(self, *names: str) -> None:
        """Update packages to the newest version that the repositories have."""
        self._transact("update", names)

    def downgrade(self, *specs: str) -> None:
        """Go back to older versions, each NAME-EPOCH:VERSION-RELEASE.ARCH, in one transaction."""
        self._transact("downgrade", specs)

    def under_way(self) -> str | None:
        """The pid of who changes packages right now, whoever that is; None where nobody does.

        rpm keeps a lock from before its first change to after its last script (rpm 4.14, lib/rpmlock.c); who
        holds it stands in /proc/locks (proc(5)).
        """
        command = (
            '[ ! -e %s ] || awk -v inode="$(stat --format=%%i -- %s)" '
            """'$4 == "WRITE" && $6 ~ ":" inode "$" { print $5; exit }' /proc/locks"""
        )
        return self._host.run(command, RPM_LOCK, RPM_LOCK, reads=True, quiet=True).stdout.strip() or None

    def _transact(self, verb: str, words: tuple[str, ...], keeping: tuple[str, ...] = ()) -> None:
        if words:
            options = "".join(f"--exclude={name} " for name in keeping)
            command = f"yum --assumeyes {options}{verb} {' '.join('%s' for _ in words)}"
            try:
                self._host.run(command, *words, deadline=Deadline(self._seconds), outlives=True)
            except CommandFailed as failure:
                raise CommandFailed(failure.command, failure.exit_code, _cause(failure.stderr)) from None


def _cause(said: str) -> str:
    """The beginning of dnf's error: what follows are its other attempts, and options to force it."""
    lines = said.splitlines()
    first = next((number for number, line in enumerate(lines) if line.startswith("Error:")), len(lines))
    return "\n".join(lines[first : first + CAUSE_LINES]) or said
