"""Programs of the simulated host that Debian does not bring, acting on the lab's state.

They are copied to the host and run by the runner's /usr/bin/python3, so they use the standard library only.
Programs in `bin/` are shell scripts; each other one is a module here, with `main() -> int`.
"""
