"""A run of the suite: its options, its lab, its record. Scenarios are in `features/`."""
