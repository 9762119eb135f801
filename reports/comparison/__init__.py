"""Two runs beside each other: what turned red or green, and what changed in the lab."""
