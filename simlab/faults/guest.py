"""`python -m simlab.faults.guest …`: as `simlab.guest`, but the VM is the one of the lab's fault."""

from __future__ import annotations

from simlab.guest.__main__ import main

if __name__ == "__main__":
    main("simlab.faults.guest_vm")
