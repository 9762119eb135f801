"""`python -m simlab.faults.stand_in ROOT SERVICE ARGUMENT…` runs what a fault has in a service's place."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

from simlab.faults import lab_fault
from simlab.layout import Layout


def main() -> None:
    """Run what the lab's fault has in the place of a service's program, which takes the other arguments."""
    _, root, service, *arguments = sys.argv
    layout = Layout(Path(root))
    fault = lab_fault.of(layout)
    if fault is None:
        raise AssertionError(f"the lab in {root} is under no fault")
    sys.argv = [service, *arguments]
    sys.exit(load(fault.stand_ins[service])(layout))


def load(name: str) -> Any:
    """Return what `module:function` names."""
    module, _, function = name.partition(":")
    return getattr(importlib.import_module(module), function)


if __name__ == "__main__":
    main()
