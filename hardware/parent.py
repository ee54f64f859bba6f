"""Whether the process that started this one is still there."""

import multiprocessing
import os


class Parent:
    """The supervisor of a spawned process, known from before this process ran its first line."""

    def __init__(self) -> None:
        spawned_by = multiprocessing.parent_process()
        self._pid = os.getppid() if spawned_by is None else spawned_by.pid

    def gone(self) -> bool:
        """True once the parent has ended, however it ended."""
        return os.getppid() != self._pid
