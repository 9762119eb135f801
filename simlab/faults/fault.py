"""What a fault is."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from simlab.faults.acts import Act


class Kind(StrEnum):
    """What sort of thing is wrong."""

    MISSING_PRECONDITION = "missing precondition"
    WRONG_STATE = "wrong state"
    LYING_COMPONENT = "lying component"
    LOST_SERVICE = "lost service"
    HOSTILE_ANSWER = "hostile answer"


@dataclass(frozen=True)
class Fault:
    """One way to break a lab, and what a report on that lab must say.

    `clauses` must turn red, each with a reason that the regular expression `cause` finds; `also` may, as one
    fact can show in several places. Red is *failed*; where `broken` is set, *broken* says it as well: the lab
    was lost or answered nonsense while a scenario ran, which says nothing about the product.
    """

    name: str
    kind: Kind
    breaks: str
    """What it breaks, in a sentence."""
    clauses: tuple[str, ...]
    cause: str
    also: tuple[str, ...] = ()
    broken: bool = False
    acts: tuple[Act, ...] = ()
    stand_ins: Mapping[str, str] = field(default_factory=dict)
    """By the name of a service: what runs in the place of its program with the same arguments, a function of
    the lab's layout, as `module:function`. A name, since every process of the lab reads the catalogue."""
    guest: str = ""
    """Likewise a function of the layout that returns what a VM is, where it is not `VirtualMachine`."""
    provision: str = "off"
    """The provisioning mode to look at it in; `apply` would mend what is missing before it looks."""
    features: tuple[str, ...] = ()
    """With what the names of the features begin that suffice to judge it; all, where none is named."""
    timeouts: Mapping[str, int] = field(default_factory=dict)
    """Deadlines of the lab file that differ from those of any lab under a fault."""
    uncaught: str = ""
    """Why nobody could notice it from where a suite stands; then `clauses` are what it breaks unseen."""
