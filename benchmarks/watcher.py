"""A thread that looks at shared memory while something happens."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def watching(look: Callable[[], bool], period_s: float) -> Iterator[None]:
    """`look` is called every `period_s`, until it is true or the block is left."""
    ending = threading.Event()

    def run() -> None:
        while not ending.is_set() and not look():
            time.sleep(period_s)

    thread = threading.Thread(target=run, name="watcher", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ending.set()
        thread.join()
