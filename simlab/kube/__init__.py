"""A Kubernetes control plane for the simulated lab: an API server, and controllers that are its plain clients."""
