"""What still has to be sent to one peer of the live hub: bounded, latest value wins."""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Hashable

QUEUE_LIMIT = 256


class MailboxClosed(Exception):
    """Nothing more is sent to this peer; `code` and `reason` go into the close frame."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Mailbox[F: (str, bytes)]:
    """Frames in the order of their arrival; one put in a slot replaces the one that waits there.

    Memory is bounded by the number of slots and by `limit` queued frames of each sender: a slow
    reader gets fewer, newer values, and one sender's pile refuses nothing to another.
    """

    def __init__(self, limit: int = QUEUE_LIMIT) -> None:
        self._frames: OrderedDict[Hashable, F] = OrderedDict()
        self._limit = limit
        self._queued: Counter[Hashable] = Counter()
        self._ready = asyncio.Event()
        self._closed: MailboxClosed | None = None

    def __len__(self) -> int:
        return len(self._frames)

    def put_latest(self, slot: Hashable, frame: F) -> None:
        """Replaces what waits in the slot, and goes to the end of the queue."""
        self._frames.pop(slot, None)
        self._frames[slot] = frame
        self._ready.set()

    def put_queued(self, frame: F, sender: Hashable = None) -> bool:
        """Never replaced; False when too many of this sender wait already."""
        if self._queued[sender] >= self._limit:
            return False
        self._queued[sender] += 1
        self._frames[_Queued(sender)] = frame
        self._ready.set()
        return True

    def put_first(self, slot: Hashable, frame: F) -> None:
        """Ahead of all that waits; always accepted. For STOP."""
        self._frames[slot] = frame
        self._frames.move_to_end(slot, last=False)
        self._ready.set()

    def close(self, code: int, reason: str) -> None:
        """What waits is dropped."""
        if self._closed is None:
            self._closed = MailboxClosed(code, reason)
        self._ready.set()

    async def take(self) -> F:
        """The next frame. Raises MailboxClosed."""
        while True:
            if self._closed is not None:
                raise self._closed
            if self._frames:
                key, frame = self._frames.popitem(last=False)
                if isinstance(key, _Queued):
                    self._queued[key.sender] -= 1
                    if not self._queued[key.sender]:
                        del self._queued[key.sender]
                return frame
            self._ready.clear()
            await self._ready.wait()


class _Queued:
    """Key of a frame that is never replaced."""

    __slots__ = ("sender",)

    def __init__(self, sender: Hashable) -> None:
        self.sender = sender
