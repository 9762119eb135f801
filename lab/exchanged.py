"""One question to the lab and its answer, written down whatever comes of it (docs/transcripts.md)."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from lab.errors import LabError
from lab.record import Exchange

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def exchanged(
    tell: Callable[[Exchange], None], protocol: str, asked: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    """Have `tell` called with the answer that is filled in, or with the error that comes instead."""
    answered: dict[str, Any] = {}
    began = time.monotonic()
    try:
        yield answered
    except LabError as error:
        answered["error"] = str(error)
        raise
    finally:
        tell(Exchange(protocol, asked, answered, time.monotonic() - began))
