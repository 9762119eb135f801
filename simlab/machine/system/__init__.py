"""The simulated host's operating system as files: boot entries, packages, units, SELinux.

Used from outside, with the host's root directory as `root`, and by the tools on the host itself, with `/`: so
the standard library only.
"""
