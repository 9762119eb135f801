"""What was found beside what is wanted, in a form that can be judged again from the evidence."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from lab.errors import LabError
from lab.fact import Fact
from lab.operator import is_of_release
from lab.parsers.rpm import parse_kernel_release

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.record import Record


def _release(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text)[:2])


RELATIONS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "is": lambda found, wanted: bool(found == wanted),
    "is not": lambda found, wanted: bool(found != wanted),
    "is one of": lambda found, wanted: found in wanted,
    "is none of": lambda found, wanted: found not in wanted,
    "has all of": lambda found, wanted: set(wanted) <= set(found),
    "all name": lambda found, wanted: bool(found) and all(wanted in each.split("/") for each in found),
    "is at least": lambda found, wanted: bool(found >= wanted),
    "begins with": lambda found, wanted: str(found).startswith(wanted),
    "is a kernel of": lambda found, wanted: parse_kernel_release(found).is_of(wanted),
    "is a release since": lambda found, wanted: _release(found) >= _release(wanted),
    "is an image of": is_of_release,
}


@dataclass(frozen=True)
class Comparison:
    """`found` stands in `relation` to `wanted`, or does not. All are what JSON can hold."""

    what: str
    found: Any
    relation: str
    wanted: Any

    @property
    def holds(self) -> bool:
        """Whether it does. What cannot be compared does not."""
        try:
            return RELATIONS[self.relation](self.found, self.wanted)
        except (LabError, AttributeError, KeyError, TypeError, ValueError):
            return False


def compare(record: Record, what: str, found: Any, relation: str, wanted: Any) -> bool:
    """Keep what was found beside what is wanted; returns whether it holds."""
    comparison = Comparison(what, found, relation, wanted)
    record.evidence(f"{what}: {relation}", asdict(comparison), fact=Fact.COMPARISON)
    return comparison.holds
