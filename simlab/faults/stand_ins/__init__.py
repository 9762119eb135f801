"""Components that lie, get lost or answer nonsense: made of the usual ones' parts, run in their place."""
