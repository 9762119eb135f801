"""SIGTERM, the end of a CI job, cleans up as Ctrl-C does; without this Python dies on the spot."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType

    import pytest


def treat_sigterm_as_sigint(config: pytest.Config) -> None:
    """Raise `KeyboardInterrupt` at the first SIGTERM until `config` is done with."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        # The sender may repeat itself, and must not end the clean-up that it asked for.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.default_int_handler(number, frame)

    previous = signal.signal(signal.SIGTERM, interrupt)

    def restore() -> None:
        signal.signal(signal.SIGTERM, previous)

    config.add_cleanup(restore)
