"""simple-kbs 0.1.1: its database, its gRPC service, and what a guest sends to it."""
