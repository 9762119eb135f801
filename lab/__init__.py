"""Capabilities and drivers: what the suite can do to a lab and ask of it. Plain Python, without pytest."""
