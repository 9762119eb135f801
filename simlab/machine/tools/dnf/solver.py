"""What else must change for a wish to come true.

A small solver for small repositories: whatever a chosen package needs comes along in the newest version that
fits, and an installed package that would be broken moves to a version that fits too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from simlab.machine.system.package import Package, Relation
from simlab.machine.tools.dnf.configuration import DnfError

if TYPE_CHECKING:
    from collections.abc import Sequence

_ROUNDS: Final = 500


class Goal:
    """The packages that will be there, from those that are and those that could be."""

    def __init__(self, installed: Sequence[Package], available: Sequence[Package]) -> None:
        self._available = sorted(available, key=lambda package: package.evr, reverse=True)
        self.result = list(installed)
        self._fixed: set[str] = set()

    def find(self, wanted: str) -> list[Package]:
        """Return what is available by that name, version or capability, the newest first."""
        exact = [package for package in self._available if wanted in _names(package)]
        return exact or [package for package in self._available if package.satisfies(Relation.parse(wanted))]

    def add(self, package: Package) -> None:
        """Want a package, in place of another version unless several may be there."""
        if not package.several:
            self.result = [other for other in self.result if other.name != package.name]
        self.result.append(package)
        self._fixed.add(package.name)

    def remove(self, package: Package) -> None:
        """Want a package gone, and with it what needs it."""
        self.result.remove(package)
        for other in list(self.result):
            if other in self.result and not all(map(self._is_met, map(Relation.parse, other.requires))):
                self.remove(other)

    def resolve(self) -> None:
        """Bring along what is needed. Raises DnfError when something cannot be had."""
        for _ in range(_ROUNDS):
            broken = self._first_broken()
            if broken is None:
                return
            self._mend(*broken)
        raise DnfError("Error: \n Problem: the dependencies contradict each other")

    def _first_broken(self) -> tuple[Package, Relation] | None:
        for package in self.result:
            for text in package.requires:
                relation = Relation.parse(text)
                if not self._is_met(relation):
                    return package, relation
        return None

    def _mend(self, package: Package, relation: Relation) -> None:
        provider = next((other for other in self._available if other.satisfies(relation)), None)
        if provider is not None and (provider.several or provider.name not in self._fixed):
            self.add(provider)
            return
        for other in self._available:
            fits = all(
                self._is_met(needed)
                for needed in map(Relation.parse, other.requires)
                if needed.name == relation.name
            )
            if (
                other.name == package.name
                and other.evr != package.evr
                and fits
                and package.name not in self._fixed
            ):
                self.add(other)
                return
        wanted = f"{relation.name} {relation.operator} {relation.version}".strip()
        raise DnfError(f"Error: \n Problem: nothing provides {wanted} needed by {package.nevra}")

    def _is_met(self, relation: Relation) -> bool:
        return any(package.satisfies(relation) for package in self.result)


def _names(package: Package) -> tuple[str, ...]:
    return (
        package.name,
        f"{package.name}.{package.arch}",
        f"{package.name}-{package.version}",
        f"{package.name}-{package.version}-{package.release}",
        f"{package.name}-{package.evr}",
        package.nvra,
        package.nevra,
    )
