"""What simple-kbs answers while its database is out of reach: status INTERNAL, as for a refusal.

It has no answer of its own then. A database whose name or address is gone is noticed at once; one that takes
no connection or does not answer after 30 s, when a shim has given up long since (kata-containers CC-0.3.0,
src/runtime/virtcontainers/qemu_amd64.go: 10 s). Source: simple-kbs 0.1.1, src/grpc/mod.rs (its prefix:
"Connection not found: ", "Cannot fulfill secret request: "); sqlx 0.5.13, sqlx-core/src/error.rs (Io,
PoolTimedOut) and src/pool/inner.rs.
"""

from __future__ import annotations

from typing import Final

_OUT_OF_REACH: Final = (
    "error communicating with database",
    "pool timed out while waiting",
)


def lost_its_database(text: str) -> bool:
    """Whether an answer of the KBS, or an event that quotes it, tells of an outage of its database."""
    return any(words in text for words in _OUT_OF_REACH)
