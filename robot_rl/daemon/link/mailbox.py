"""What waits to be sent on the live socket: answers in order, of all else the latest value."""

import asyncio
from collections import deque

from pydantic import BaseModel

ANSWERS = 256  # more than clients can ask for while a socket is slow; then the oldest are dropped


class LiveOutbound:
    """One event loop's. `take` empties it; a slow socket finds only the newest values."""

    def __init__(self) -> None:
        self._answers: deque[str] = deque(maxlen=ANSWERS)
        self._latest: dict[str, BaseModel] = {}
        self._changed = asyncio.Event()

    def answer(self, message: BaseModel) -> None:
        """Something that is sent once, in order."""
        self._answers.append(message.model_dump_json())
        self._changed.set()

    def show(self, kind: str, message: BaseModel) -> None:
        """A value that replaces the one of its kind. Kinds go out in the order of first use."""
        self._latest[kind] = message
        self._changed.set()

    async def take(self) -> list[str]:
        """Wait for something, then everything: answers first, then the latest values."""
        await self._changed.wait()
        self._changed.clear()
        texts = [*self._answers, *(message.model_dump_json() for message in self._latest.values())]
        self._answers.clear()
        self._latest.clear()
        return texts

    def empty(self) -> None:
        """A new connection starts with nothing of the old one but the answers."""
        self._latest.clear()
