"""Who called a moment ago: asked again every two seconds, good for hours while nobody can be."""

import math
from dataclasses import dataclass

FRESH_S = 2.0  # a revoked token is refused after this long at the latest
KNOWN_S = 12 * 3600.0  # after the database last said so, and only while it is away
LIMIT = 1024


@dataclass(slots=True)
class _Entry[P]:
    principal: P
    confirmed: float
    fresh_until: float


class Remembered[P]:
    """Callers by what they show. `now` is the monotonic time."""

    def __init__(self) -> None:
        self._entries: dict[str, _Entry[P]] = {}  # the one that was confirmed longest ago first

    def fresh(self, key: str, now: float) -> P | None:
        """Who it is, where nobody has to be asked."""
        entry = self._entries.get(key)
        return entry.principal if entry is not None and entry.fresh_until > now else None

    def known(self, key: str, now: float) -> P | None:
        """Who it was when the database last answered."""
        entry = self._entries.get(key)
        return entry.principal if entry is not None and entry.confirmed + KNOWN_S > now else None

    def confirm(self, key: str, principal: P, now: float) -> None:
        self._entries.pop(key, None)
        if len(self._entries) >= LIMIT:
            del self._entries[next(iter(self._entries))]
        self._entries[key] = _Entry(principal, now, now + FRESH_S)

    def trust(self, key: str, now: float) -> None:
        """Without an answer: nobody is asked again for a moment."""
        if (entry := self._entries.get(key)) is not None:  # others may have pushed it out
            entry.fresh_until = now + FRESH_S

    def forget(self, key: str) -> None:
        self._entries.pop(key, None)

    def has_met(self, key: str) -> bool:
        """Whether it was known once, and nobody has found since that it no longer is."""
        return key in self._entries

    def doubt(self) -> None:
        """Everybody has to be asked about anew."""
        for entry in self._entries.values():
            entry.confirmed = entry.fresh_until = -math.inf
