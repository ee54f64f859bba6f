"""Requests to control, a few a tick: to read one takes as long as a gate's tick takes it to decide.

They are carried out in the order in which they came, but for a stop: it waits for nothing but the
clears before it, so that none of those undoes it.
"""

from collections import deque

from pydantic import TypeAdapter

from hardware.memory import Ring
from robot_rl.daemon.messages import json_of
from robot_rl.schema.live.robot_command import ClientGone, FromClient

A_TICK = 4
"""Requests carried out in one tick, stops and the clears before them not counted."""

_REQUESTS: TypeAdapter[FromClient | ClientGone] = TypeAdapter(FromClient | ClientGone)

# JSON escapes quotes inside of texts, so that these are found nowhere else.
_STOP, _CLEAR = b'"kind":"stop"', b'"kind":"clear"'


class RequestQueue:
    """State: the texts that wait."""

    def __init__(self, ring: Ring) -> None:
        self._ring = ring
        self._waiting: deque[bytes] = deque()

    def take(self) -> list[FromClient | ClientGone]:
        """What is to be carried out in this tick, in that order."""
        self._waiting.extend(json_of(record) for record in self._ring.drain())
        if not self._waiting:
            return []
        taken = self._take_stops()
        for _ in range(min(A_TICK, len(self._waiting))):
            taken.append(self._waiting.popleft())
        return [_REQUESTS.validate_json(text) for text in taken]

    def _take_stops(self) -> list[bytes]:
        """Every stop, and the clears that came before the last one of them."""
        stops = [place for place, text in enumerate(self._waiting) if _STOP in text]
        if not stops:
            return []
        first: list[bytes] = []
        others: deque[bytes] = deque()
        for place, text in enumerate(self._waiting):
            jumps = _STOP in text or (_CLEAR in text and place < stops[-1])
            (first if jumps else others).append(text)
        self._waiting = others
        return first
