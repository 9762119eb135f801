"""The software that the lab's internet offers as RPM packages, and what of it a host has at first."""
