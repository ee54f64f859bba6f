"""What gives recorded data its meaning, as named facts: only data of one identity is trained on
together, unless an engineer admits another (`robot-rl episodes admit`).

Settings of reward, learning, limits and reset are no part of it, nor is how a file is written.
"""

import hashlib
import json
from collections.abc import Mapping

from robot_rl.schema.message import Message, Name, Text


class DataIdentity(Message):
    """Name of a fact → its value as text: "step_s" → "0.1". Numbers have one way of writing."""

    facts: dict[Name, Text]

    @property
    def sha256(self) -> str:
        canonical = json.dumps(self.facts, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()


def changes(recorded: Mapping[str, str], wanted: Mapping[str, str]) -> tuple[str, ...]:
    """What differs, in words: "step_s 0.1 → 0.05"."""
    return tuple(
        f"{name} {recorded.get(name, 'not given')} → {wanted.get(name, 'not given')}"
        for name in sorted({*recorded, *wanted})
        if recorded.get(name) != wanted.get(name)
    )
