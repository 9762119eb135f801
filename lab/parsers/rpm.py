"""What `rpm --query` and `uname --kernel-release` say of packages and the kernel."""

from __future__ import annotations

from dataclasses import dataclass

from lab.errors import LabError
from lab.rpm_version import Evr

# %{EPOCHNUM} is 0 where there is no epoch (rpm 4.14, tagexts.c).
QUERY_FORMAT = r"%{NAME}\t%{EPOCHNUM}:%{VERSION}-%{RELEASE}\t%{ARCH}\n"


@dataclass(frozen=True)
class Package:
    """An installed package."""

    name: str
    evr: Evr
    architecture: str

    @property
    def spec(self) -> str:
        """As dnf takes one version of a package: NAME-EPOCH:VERSION-RELEASE.ARCH."""
        return f"{self.name}-{self.evr.epoch}:{self.evr.version}-{self.evr.release}.{self.architecture}"


def parse_packages(output: str) -> list[Package]:
    """The packages that a query with QUERY_FORMAT lists; lines that tell of missing ones are passed over.

    Raises LabError for a package whose version cannot be read.
    """
    packages = []
    for line in output.splitlines():
        name, *rest = line.split("\t")
        if len(rest) != 2:
            continue
        try:
            packages.append(Package(name, Evr.parse(rest[0]), rest[1]))
        except ValueError as error:
            raise LabError(f"rpm tells of a package {name}: {error}") from None
    return packages


def parse_kernel_release(release: str) -> Evr:
    """The version in `uname -r`: VERSION-RELEASE.ARCH, as the kernel's packages name it.

    A kernel that no package brought may be called anything, such as 6.1.0-13-amd64: that is a version without
    a release. Raises LabError where there is no name at all.
    """
    text = release.strip()
    if not text:
        raise LabError("uname tells no release of the kernel")
    name, dot, architecture = text.rpartition(".")
    try:
        return Evr.parse(name if dot and architecture in {"x86_64", "aarch64"} else text)
    except ValueError:
        return Evr(0, text, "")
