"""Which threads do what: what takes long never uses up those that somebody who stops a robot needs.

Threads share one interpreter: each that computes makes the event loop wait for its turn. So few may
compute at a time, and the rest wait in line.
"""

import sys
from collections.abc import Callable

from anyio import CapacityLimiter, to_thread

from robot_rl.errors import Unavailable

HEAVY = 2  # metrics, exports, large lists
HEAVY_WAITING = 64
IDENTITIES = 2  # who is calling, of those who were known a moment ago
STRANGERS = 2  # who is calling, of all others
OTHERS = (
    10  # together no more than the database has connections (database.POOL_SIZE, POOL_OVERFLOW)
)
TURN_S = 0.0005  # how long a thread computes before another may; Python's default is 5 ms


class BoundedThreads:
    """At most `threads` calls at a time; of further ones `waiting` wait."""

    def __init__(self, threads: int, waiting: int) -> None:
        self._limiter = CapacityLimiter(threads)
        self._most = threads + waiting
        self._inside = 0  # the limiter's own count of those who wait comes too late for a burst

    async def run[T](self, work: Callable[[], T]) -> T:
        """Cancelled, it leaves the call to end by itself. Raises Unavailable when too many wait."""
        if self._inside >= self._most:
            raise Unavailable("the server has too much to compute at the moment; try again")
        self._inside += 1
        try:
            return await to_thread.run_sync(work, limiter=self._limiter, abandon_on_cancel=True)
        finally:
            self._inside -= 1


def share_out() -> None:
    """Once, in the event loop of the server."""
    to_thread.current_default_thread_limiter().total_tokens = OTHERS
    sys.setswitchinterval(TURN_S)
