"""Versions of RPM packages and how they compare (rpm 4.14, `lib/rpmvercmp.c`)."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from functools import total_ordering
from typing import Final, Self

_SEGMENT: Final = re.compile(r"[0-9]+|[a-zA-Z]+|~|\^")


def compare(one: str, other: str) -> int:
    """Compare two versions, or two releases: below 0, 0 or above 0, as the first is older, equal or newer.

    >>> compare("106.0.1.an8", "123.0.2.an8_6.8") < 0
    True
    """
    for mine, theirs in itertools.zip_longest(_SEGMENT.findall(one), _SEGMENT.findall(other)):
        if mine == theirs:
            continue
        if order := _compare_segments(mine, theirs):
            return order
    return 0


def _compare_segments(mine: str | None, theirs: str | None) -> int:
    # A tilde sorts before everything, also before the end; a caret after the end, before everything else.
    for mark, absent in (("~", 1), ("^", -1)):
        if mark in (mine, theirs):
            if mine == mark:
                return -absent if theirs is None else -1
            return absent if mine is None else 1
    if mine is None or theirs is None:
        return -1 if mine is None else 1
    if mine.isdigit() and theirs.isdigit():
        return (int(mine) > int(theirs)) - (int(mine) < int(theirs))
    if mine.isdigit() or theirs.isdigit():
        return 1 if mine.isdigit() else -1
    return (mine > theirs) - (mine < theirs)


@total_ordering
@dataclass(frozen=True)
class Evr:
    """A package's epoch, version and release; a missing release compares equal to any."""

    epoch: int
    version: str
    release: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `[epoch:]version[-release]`."""
        epoch, colon, rest = text.rpartition(":")
        version, _, release = rest.partition("-")
        return cls(int(epoch) if colon else 0, version, release)

    def __str__(self) -> str:
        epoch = f"{self.epoch}:" if self.epoch else ""
        return f"{epoch}{self.version}-{self.release}" if self.release else f"{epoch}{self.version}"

    def compare(self, other: Evr) -> int:
        """Compare with another: below 0, 0 or above 0."""
        order = (self.epoch > other.epoch) - (self.epoch < other.epoch)
        order = order or compare(self.version, other.version)
        if order or not self.release or not other.release:
            return order
        return compare(self.release, other.release)

    def __lt__(self, other: Evr) -> bool:
        return self.compare(other) < 0
