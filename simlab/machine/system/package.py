"""RPM packages: what a header tells, and what installing brings.

A package of the simulated lab is one JSON document where RPM has a binary header and a cpio archive.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

from simlab.machine.system.evr import Evr


@dataclass(frozen=True)
class Relation:
    """A package's name, or a capability, with what is asked of its version: `=`, `>=`, or nothing."""

    name: str
    operator: str = ""
    version: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `name`, `name = [e:]v[-r]` or `name >= [e:]v[-r]`."""
        words = text.split()
        return cls(*words) if len(words) == 3 else cls(words[0])

    def accepts(self, other: Evr) -> bool:
        """Whether a version is what is asked for."""
        if not self.operator:
            return True
        order = other.compare(Evr.parse(self.version))
        return {"=": order == 0, ">=": order >= 0, "<=": order <= 0, ">": order > 0, "<": order < 0}[
            self.operator
        ]


@dataclass(frozen=True)
class Package:
    """A package. `files` has texts by path; a text that begins with `-> ` is a link's target.

    `scripts` are what its scriptlets run, by their names (`posttrans`, `preun`, …): command lines.
    `several`: of this name, several versions are installed side by side (dnf.conf(5), installonlypkgs).
    """

    name: str
    version: str
    release: str
    arch: str = "x86_64"
    epoch: int = 0
    summary: str = ""
    license: str = "GPLv2+"
    vendor: str = "Anolis Community"
    size: int = 100_000
    requires: tuple[str, ...] = ()
    provides: tuple[str, ...] = ()
    files: dict[str, str] = field(default_factory=dict)
    scripts: dict[str, list[list[str]]] = field(default_factory=dict)
    configuration: tuple[str, ...] = ()
    several: bool = False
    repository: str = ""
    installed_at: int = 0

    @property
    def evr(self) -> Evr:
        """Epoch, version and release."""
        return Evr(self.epoch, self.version, self.release)

    @property
    def nvra(self) -> str:
        """`name-version-release.arch`, as `rpm -q` prints it."""
        return f"{self.name}-{self.version}-{self.release}.{self.arch}"

    @property
    def nevra(self) -> str:
        """As `nvra`, with the epoch unless it is 0."""
        return f"{self.name}-{self.evr}.{self.arch}"

    def all_provides(self) -> list[tuple[str, Evr]]:
        """Return what it offers to others' requirements, itself included."""
        relations = [Relation.parse(text) for text in self.provides]
        named = [
            (relation.name, Evr.parse(relation.version) if relation.version else self.evr)
            for relation in relations
        ]
        return [(self.name, self.evr), *named, *((path, self.evr) for path in self.files)]

    def satisfies(self, relation: Relation) -> bool:
        """Whether it offers what is asked for."""
        return any(name == relation.name and relation.accepts(evr) for name, evr in self.all_provides())

    def from_repository(self, repository: str) -> Package:
        """Return it as a repository lists it, or as a database says where it came from."""
        return replace(self, repository=repository)

    def installed(self, when: int) -> Package:
        """Return it as the database of installed packages has it: without its files' contents."""
        names = dict.fromkeys(self.files, "")
        return replace(self, files=names, installed_at=when)

    def dump(self) -> str:
        """Return it as JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def load(cls, text: str) -> Package:
        """Read what `dump` wrote. Raises ValueError for anything else."""
        return cls.from_dict(json.loads(text))

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Package:
        """Read a JSON object. Raises ValueError when it is no package."""
        lists = ("requires", "provides", "configuration")
        try:
            known: dict[str, Any] = {
                name: tuple(value) if name in lists else value for name, value in content.items()
            }
            return cls(**known)
        except TypeError as error:
            raise ValueError(f"not a package: {error}") from None
