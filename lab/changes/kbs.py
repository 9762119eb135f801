"""simple-kbs from its own source, in docker compose (guide: 步骤三)."""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING

from lab.changes.described import Described
from lab.deadline import Deadline
from lab.errors import DeadlineExceeded, LabError, NotProven
from lab.findings import finding
from lab.provisioning import Sight
from lab.record import Wait
from lab.remote_files import beside

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.host import Host
    from lab.profile import StockKbs
    from lab.record import Record

# Seconds between two questions to a KBS that is starting.
PACE = 1.0
# Changed files that a finding names.
FEW = 10
WORKING_FOLDER = '{{index .Config.Labels "com.docker.compose.project.working_dir"}}'


class KbsSource:
    """The checkout of simple-kbs: that of the running containers, else where the guide puts it."""

    def __init__(self, host: Host, wanted: StockKbs) -> None:
        self._host = host
        self._wanted = wanted

    def running(self, pattern: str) -> list[str]:
        """Names of running containers that match."""
        names = self._host.run("docker ps --format '{{.Names}}'", check=False, reads=True).lines
        return [name for name in names if re.search(pattern, name)]

    def folder(self) -> str:
        """The checkout's path; docker compose labels its containers with the folder that it ran in."""
        for name in self.running(self._wanted.server_container):
            told = self._host.run(
                "docker inspect --format %s %s", WORKING_FOLDER, name, check=False, reads=True
            ).stdout.strip()
            if told.startswith("/"):
                return told
        return self._wanted.folder

    def tag(self) -> str | None:
        """The tag that is checked out; None where there is no checkout, or another commit.

        Raises NotProven where git does not look into a folder that is another user's (git 2.35.2, setup.c).
        """
        command, folder = "git -C %s describe --tags --exact-match HEAD", self.folder()
        said = self._host.run(command, folder, check=False, reads=True)
        if "dubious ownership" in said.stderr:
            raise NotProven(
                f"{folder} is not root's, and git does not look into it: git config --global --add "
                f"safe.directory {folder}, as root on the host"
            )
        return said.stdout.strip() if said.succeeded else None

    def tell_differences(self, record: Record) -> None:
        """Tell the reader in which files the checkout differs from what is checked out."""
        folder = self.folder()
        said = self._host.run(
            "git --no-optional-locks -C %s status --porcelain", folder, check=False, reads=True
        )
        if said.succeeded and said.lines:
            named, more = said.lines[:FEW], len(said.lines) - FEW
            rest = f", and {more} more" if more > 0 else ""
            detail = f"{folder}: {', '.join(line.strip() for line in named)}{rest} (git status)"
            record.finding(finding("checkout-differs", detail, "K-1.2"))


class KbsCheckout(Described):
    """simple-kbs is at the profile's tag (guide: git clone …, git checkout -b branch_… …)."""

    permission = "docker"
    clause = "K-1.2"

    def __init__(self, host: Host, source: KbsSource, url: str, tag: str, *, seconds: float) -> None:
        self.name = f"check out simple-kbs {tag}"
        self.looks_at = "git describe in the folder of simple-kbs"
        self.undone_by = "git checkout of the branch before, or removing the folder"
        self._host = host
        self._source = source
        self._url = url
        self._tag = tag
        self._seconds = seconds

    def look(self) -> Sight:
        """The tag of the checkout."""
        folder = self._source.folder()
        try:
            found = self._source.tag()
        except NotProven as blind:
            return Sight(holds=False, found=blind.cause)
        return Sight(found == self._tag, f"{folder} is at {found}" if found else f"{folder} is at no tag")

    def apply(self) -> None:
        """Clone beside it, check out, and only then take its place; in a clone that is there, check out.

        Branches that are there stay where they are, and git refuses to lose changes.
        """
        folder, deadline = self._source.folder(), Deadline(self._seconds)
        if self._host.exists(folder):
            self._check_out(folder, deadline)
            return
        part = beside(folder)
        self._host.remove_torn(folder)
        self._host.run("git clone %s %s", self._url, part, deadline=deadline)
        self._check_out(part, deadline)
        self._host.run("mv --no-target-directory -- %s %s", part, folder)

    def _check_out(self, folder: str, deadline: Deadline) -> None:
        tag, branch = f"refs/tags/{self._tag}", f"branch_{self._tag}"
        known = self._host.run(
            "git -C %s rev-parse --verify --quiet %s", folder, tag, check=False, reads=True
        )
        if not known.succeeded:
            self._host.run("git -C %s fetch --tags %s", folder, self._url, deadline=deadline)
        there = "git -C %s rev-parse --verify --quiet refs/heads/%s"
        how = (
            "--detach"
            if self._host.run(there, folder, branch, check=False, reads=True).succeeded
            else f"-b {branch}"
        )
        self._host.run(f"git -C %s checkout {how} %s", folder, tag, deadline=deadline)


class KbsStarted(Described):
    """simple-kbs and its database run in docker compose, and answer (guide: docker compose up -d)."""

    name = "start simple-kbs"
    looks_at = "the running containers, and simple-kbs' answer"
    permission = "docker"
    clause = "K-1.3"

    def __init__(
        self,
        *,
        host: Host,
        source: KbsSource,
        wanted: StockKbs,
        require_answer: Callable[[], None],
        record: Record,
        seconds: float,
    ) -> None:
        """`require_answer` raises where the KBS does not answer; `seconds` bounds the build of its images."""
        self.undone_by = "docker compose down, in the folder of simple-kbs"
        self._host = host
        self._source = source
        self._wanted = wanted
        self._require_answer = require_answer
        self._record = record
        self._seconds = seconds

    def look(self) -> Sight:
        """One container of each, and an answer."""
        servers = self._source.running(self._wanted.server_container)
        databases = self._source.running(self._wanted.database_container)
        if len(servers) != 1 or len(databases) != 1:
            return Sight(holds=False, found=f"running: {', '.join([*servers, *databases]) or 'nothing'}")
        silence = self._silence()
        return Sight(silence is None, silence or f"{servers[0]} answers")

    def apply(self) -> None:
        """As the guide does; the first time, docker builds the images."""
        deadline = Deadline(self._seconds)
        self._host.run("cd %s && docker compose up -d", self._source.folder(), deadline=deadline)
        pause = threading.Event()
        while (silence := self._silence()) is not None:
            if deadline.expired:
                raise DeadlineExceeded(
                    f"simple-kbs did not answer in {deadline.seconds:.0f} s; last: {silence}"
                )
            self._record.waiting(Wait("simple-kbs to answer", deadline.elapsed, deadline.remaining, silence))
            pause.wait(deadline.cap(PACE))

    def _silence(self) -> str | None:
        try:
            self._require_answer()
        except LabError as error:
            return str(error)
        return None
