"""Package repositories (guide: 前提条件 2 and 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.changes.described import Described, keep_backup, putting_back
from lab.errors import CommandFailed, DeadlineExceeded, LabError, NoSuchHostFile
from lab.parsers.repositories import parse_repositories, with_release
from lab.provisioning import Sight

if TYPE_CHECKING:
    from lab.host import Host
    from lab.packages import Packages
    from lab.parsers.repositories import Repository


class KernelRepository(Described):
    """The repository of the newer kernel (guide: yum-config-manager --add-repo …/kernel-5.10/…)."""

    name = "add the repository of the newer kernel"
    looks_at = "/etc/yum.repos.d"
    permission = "packages"
    clause = "P-2.1"

    def __init__(self, packages: Packages, url: str) -> None:
        self._packages = packages
        self._url = url.rstrip("/")
        self.undone_by = f"remove the file in /etc/yum.repos.d that names {url}"

    def look(self) -> Sight:
        """An enabled repository has this URL, whatever it is called."""
        having = self._having()
        if not having:
            faults = "".join(f"; {fault}" for fault in self._packages.repository_faults())
            return Sight(holds=False, found=f"no repository has its URL{faults}")
        enabled = any(each.enabled for each in having)
        return Sight(enabled, f"{having[0].id} {'is enabled' if enabled else 'is there, but disabled'}")

    def apply(self) -> None:
        """As the guide does; its packages are signed with the system's own key, which rpm must know."""
        if having := self._having():
            self._packages.enable_repository(having[0].id)
            self.undone_by = f"yum-config-manager --disable {having[0].id}"
        else:
            self._packages.add_repository(self._url + "/")
        self._packages.trust_own_keys()

    def _having(self) -> list[Repository]:
        return [each for each in self._packages.repositories() if self._url in each.urls]


class BaseRelease(Described):
    """The BaseOS repository is that of the release with the older grub (guide: sed … -BaseOS.repo)."""

    permission = "packages"
    clause = "P-3.1"

    def __init__(self, host: Host, packages: Packages, path: str, release: str) -> None:
        self.name = f"point the BaseOS repository at {release}"
        self.looks_at = path
        self.undone_by = putting_back(path)
        self._host = host
        self._packages = packages
        self._release = release

    def look(self) -> Sight:
        """Every URL of the file names the release, and one of its repositories is enabled."""
        try:
            text = self._text()
            repositories = parse_repositories(text)
        except NoSuchHostFile:
            return Sight(holds=False, found="no such file")
        except LabError as error:
            return Sight(holds=False, found=str(error))
        urls = [url for each in repositories for url in each.urls]
        holds = bool(urls) and all(self._release in url.split("/") for url in urls)
        disabled = not any(each.enabled for each in repositories)
        told = " ".join(urls) or "no URL in it"
        return Sight(
            holds and not disabled and with_release(text, self._release) == text,
            f"{told}, and it is disabled" if urls and disabled else told,
        )

    def apply(self) -> None:
        """Edit the file's URLs, and nothing else in it: a repository that was disabled stays so.

        Where the release cannot be fetched, as from a mirror that lacks it, the file is as before again.
        """
        text = self._text()
        edited = with_release(text, self._release)
        if edited == text:
            raise LabError(
                f"{self.looks_at} on the host is not changed: {self.look().found}; it needs an enabled "
                f"repository, and a URL with a release in it, such as {self._release}"
            )
        keep_backup(self._host, self.looks_at)
        self._write(edited)
        try:
            self._packages.fetch([each.id for each in parse_repositories(edited) if each.enabled])
        except (CommandFailed, DeadlineExceeded):
            self._write(text)
            raise

    def _write(self, text: str) -> None:
        self._host.write_file(self.looks_at, text.encode("utf-8", "surrogateescape"))

    def _text(self) -> str:
        return self._host.read_file(self.looks_at).decode("utf-8", "surrogateescape")
