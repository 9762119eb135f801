"""A guest of the simulated host: one process a VM, from QEMU's argument vector to running containers."""
