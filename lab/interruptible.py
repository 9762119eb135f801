"""Waiting for a library that does not bear an interrupt in its midst."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


def in_thread(work: Callable[[], T]) -> T:
    """What `work` returns or raises, done in a thread of its own.

    Ctrl-C ends the wait and not the work: grpc 1.85 holds locks that a KeyboardInterrupt raised inside it
    leaves held, and the run then hangs when its channel is collected.
    """
    done: Future[T] = Future()

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as error:  # noqa: BLE001 - handed to who waits
            done.set_exception(error)

    threading.Thread(target=run, name="interruptible", daemon=True).start()
    return done.result()
