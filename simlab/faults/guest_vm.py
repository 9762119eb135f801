"""What `simlab.faults.guest` becomes: as `simlab.guest.vm`, but the VM is the one of the lab's fault."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simlab.faults import lab_fault
from simlab.faults.stand_in import load
from simlab.guest import vm

if TYPE_CHECKING:
    from simlab.layout import Layout


def _machine_of(layout: Layout) -> type[vm.VirtualMachine]:
    fault = lab_fault.of(layout)
    if fault is None or not fault.guest:
        raise AssertionError(f"the lab in {layout.root} is under no fault of its guests")
    machine: type[vm.VirtualMachine] = load(fault.guest)(layout)
    return machine


if __name__ == "__main__":
    vm.main(_machine_of)
