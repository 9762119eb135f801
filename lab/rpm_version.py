"""Versions as RPM compares them: epoch, version, release.

Source: rpm 4.14 (Anolis 8), rpmio/rpmvercmp.c, and its published vectors in tests/rpmvercmp.at; the caret is
rpm 4.15's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import total_ordering

# What a comparison sees of a version: runs of digits, runs of letters, tildes and carets; all else separates.
_PARTS = re.compile(r"[0-9]+|[A-Za-z]+|~|\^")
_EVR = re.compile(r"(?:(?P<epoch>[0-9]+|\(none\)):)?(?P<version>[^-:\s]+)(?:-(?P<release>[^-:\s]+))?")

# How a part sorts against another kind of part; the empty one is the end of its version.
_RANK = {"~": 0, "": 1, "^": 2}
_WORD, _NUMBER = 3, 4


def _sorting(part: str) -> tuple[int, int, str]:
    if part.isdigit():
        return _NUMBER, int(part), ""
    return _RANK.get(part, _WORD), 0, part


def sorting_key(version: str) -> list[tuple[int, int, str]]:
    """A key that sorts versions, or releases, as RPM does.

    Numbers compare as numbers and are newer than words; a tilde is older than the end of a version, a caret
    newer than it but older than all that may follow.
    """
    return [_sorting(part) for part in [*_PARTS.findall(version), ""]]


@total_ordering
@dataclass(frozen=True)
class Evr:
    """Epoch, version and release of a package; a package without an epoch has epoch 0."""

    epoch: int
    version: str
    release: str

    @classmethod
    def parse(cls, text: str) -> Evr:
        """From `1:2.02-106.0.1.an8`, `5.10.134-13.an8` or `5.10`. Raises ValueError for what is none.

        >>> Evr.parse("1:2.02-106.0.1.an8") > Evr.parse("2.02-123.0.2.an8_6.8")
        True
        """
        found = _EVR.fullmatch(text.strip())
        if not found:
            raise ValueError(f"{text!r} is no version of a package")
        epoch = found["epoch"]
        return cls(int(epoch) if epoch and epoch.isdigit() else 0, found["version"], found["release"] or "")

    def __str__(self) -> str:
        """As the guide writes it: the epoch only where there is one."""
        epoch = f"{self.epoch}:" if self.epoch else ""
        return f"{epoch}{self.version}-{self.release}" if self.release else f"{epoch}{self.version}"

    def is_of(self, series: str) -> bool:
        """Whether the version is `series`, or goes on from it: 5.10.134 is of 5.10, 5.100 is not."""
        wanted, own = _PARTS.findall(series), _PARTS.findall(self.version)
        return [_sorting(part) for part in own[: len(wanted)]] == [_sorting(part) for part in wanted]

    def _key(self) -> tuple[int, list[tuple[int, int, str]], list[tuple[int, int, str]]]:
        return self.epoch, sorting_key(self.version), sorting_key(self.release)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Evr) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash((self.epoch, tuple(sorting_key(self.version)), tuple(sorting_key(self.release))))

    def __lt__(self, other: Evr) -> bool:
        return self._key() < other._key()
