"""The simulated host as a machine: its root directory, a shell on it, its SSH server, its tools."""
