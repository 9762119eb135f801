"""operator-sdk, a program from outside (guide: 步骤一 安装operator-sdk)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lab.artefacts import FetchedFile
from lab.changes.described import Described, keep_backup, putting_back
from lab.errors import NotProven
from lab.provisioning import Sight

if TYPE_CHECKING:
    from lab.host import Host
    from lab.labfile import FileSource

PATH = "/usr/local/bin/operator-sdk"


def installed_version(host: Host) -> str | None:
    """The version that operator-sdk tells of itself, such as `1.23.0`; None where it does not run."""
    said = host.run("operator-sdk version", check=False, reads=True)
    found = re.search(r'operator-sdk version: "v?([^"]+)"', said.stdout)
    return found[1] if said.succeeded and found else None


class OperatorSdk(Described):
    """operator-sdk of the profile's version is there (guide: wget -O /usr/local/bin/operator-sdk …)."""

    looks_at = PATH
    undone_by = f"rm {PATH}"
    permission = "packages"
    clause = "C-2.1"

    def __init__(self, host: Host, version: str, source: FileSource | None, *, seconds: float) -> None:
        self.name = f"install operator-sdk {version}"
        self.wanted = f"operator-sdk {version}" + (f" with SHA-256 {source.sha256}" if source else "")
        self._host = host
        self._version = version
        self._file = FetchedFile(host, "operator-sdk", source, PATH, seconds, mode=0o755) if source else None

    def look(self) -> Sight:
        """Its checksum, where the lab file names one, and what it says of itself."""
        version = installed_version(self._host)
        told = f"`operator-sdk version` tells {version}" if version else "`operator-sdk version` does not run"
        if self._file is None:
            return Sight(version == self._version, told)
        file = self._file.look()
        return Sight(file.holds and version == self._version, f"{file.found}, {told}")

    def apply(self) -> None:
        """Fetch it; without a checksum to hold it to, nothing is fetched. Another that was there is kept."""
        if self._file is None:
            raise NotProven(
                "operator-sdk is not fetched without a checksum: set files.operator_sdk in the lab file",
                owner="C-2.1",
            )
        if self._host.exists(PATH):
            keep_backup(self._host, PATH)
            self.undone_by = putting_back(PATH)
        self._file.apply()
