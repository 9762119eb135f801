"""The fault that a lab is under; it stands in the lab's world, where every process of it finds it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simlab.faults.catalogue import named

if TYPE_CHECKING:
    from pathlib import Path

    from simlab.faults.fault import Fault
    from simlab.layout import Layout


def of(layout: Layout) -> Fault | None:
    """The fault of a lab; most have none."""
    try:
        return named(_file(layout).read_text())
    except FileNotFoundError:
        return None


def write(layout: Layout, fault: Fault) -> None:
    """Say which fault a lab is under, before anything of it starts."""
    _file(layout).parent.mkdir(parents=True, exist_ok=True)
    _file(layout).write_text(fault.name)


def _file(layout: Layout) -> Path:
    return layout.world / "fault"
