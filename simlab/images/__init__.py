"""Container images: building, encrypting, keeping and pulling them."""
