"""The simulated internet: mirrors, AMD's key service and container registries behind one HTTPS server."""
