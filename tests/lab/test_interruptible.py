import os
import signal
import threading

import pytest

from lab.interruptible import in_thread


def test_it_gives_what_the_work_gives() -> None:
    assert in_thread(lambda: threading.current_thread() is threading.main_thread()) is False
    with pytest.raises(ZeroDivisionError):
        in_thread(lambda: 1 / 0)


def test_an_interrupt_ends_the_wait_and_lets_the_work_finish() -> None:
    go_on, finished = threading.Event(), threading.Event()

    def work() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        go_on.wait(10)
        finished.set()

    with pytest.raises(KeyboardInterrupt):
        in_thread(work)
    assert not finished.is_set()
    go_on.set()
    assert finished.wait(10)
