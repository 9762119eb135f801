"""kata's shim, CC-0.3.0: from a configuration file to a running guest and the containers in it."""
