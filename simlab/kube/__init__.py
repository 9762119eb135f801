"""A Kubernetes control plane for the simulated lab.

An API server, and controllers that are its plain clients.
"""
