"""Processes that someone starts and has to end: none outlives the one that started it."""

import ctypes
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_PR_SET_PDEATHSIG = 1


def end_with_parent() -> None:
    """For `preexec_fn`. Linux: the child gets SIGTERM when the parent is killed, so that nothing is
    left running.
    """
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


@contextmanager
def undisturbed() -> Iterator[None]:
    """SIGINT and SIGTERM wait outside; only the main thread may say so, and only it gets them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, signal.SIG_IGN) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
