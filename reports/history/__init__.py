"""Runs over time: what each clause did, which scenarios are left to chance, and which runs to keep."""
