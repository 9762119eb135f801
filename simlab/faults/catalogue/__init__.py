"""The catalogue: every module here has `FAULTS`."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simlab.faults.fault import Fault


class UnknownFaultError(Exception):
    """There is no fault of that name; the message lists near ones."""


@cache
def faults() -> dict[str, Fault]:
    """Every fault by its name, sorted by it."""
    found: dict[str, Fault] = {}
    for module in pkgutil.iter_modules(__path__):
        for fault in importlib.import_module(f"{__name__}.{module.name}").FAULTS:
            if fault.name in found:
                raise AssertionError(f"two faults are named {fault.name}")
            found[fault.name] = fault
    return dict(sorted(found.items()))


def named(name: str) -> Fault:
    """Return the fault of a name. Raises UnknownFaultError."""
    known = faults()
    if name in known:
        return known[name]
    near = (
        difflib.get_close_matches(name, known, n=4, cutoff=0.5)
        or [each for each in known if set(name.split("-")) & set(each.split("-"))][:6]
    )
    hint = f"near it: {', '.join(near)}" if near else "python -m simlab faults lists them"
    raise UnknownFaultError(f"there is no fault {name!r}; {hint}")
