"""A line that delivers late: what clients say reaches the robot some time after they said it. Pure.

A task that is simulated may ask for it (`[simulation] link_delay_s`). The whole round trip lies on
the way in: neither the robot, which measures an echo, nor a person could tell on which way it is.
Virtual time itself is agreed on at once.
"""

from collections import deque
from uuid import UUID

import numpy as np

from robot_rl.schema.live.client_message import JoinLockstep, LeaveLockstep, Ready
from robot_rl.schema.live.robot_command import FromClient

_AT_ONCE = (JoinLockstep, LeaveLockstep, Ready)


class LateCommands:
    """Commands on their way, in order: none overtakes another."""

    def __init__(self, delay_ns: tuple[int, int], unit_ns: int, seed: int) -> None:
        """Each takes `delay_ns`, at least and at most, drawn in whole `unit_ns`."""
        self._least, self._most = (round(end / unit_ns) for end in delay_ns)
        self._unit_ns = unit_ns
        self._rng = np.random.default_rng(np.random.SeedSequence([seed, 0x0B]))
        self._under_way: deque[tuple[int, FromClient]] = deque()

    def send(self, command: FromClient, now_ns: int) -> bool:
        """Whether it is on its way; else it is to be handed over at once."""
        if not self._most or isinstance(command.message, _AT_ONCE):
            return False
        units = int(self._rng.integers(self._least, self._most, endpoint=True))
        last_ns = self._under_way[-1][0] if self._under_way else now_ns
        self._under_way.append((max(last_ns, now_ns + units * self._unit_ns), command))
        return True

    @property
    def next_ns(self) -> int | None:
        """When the next one arrives; None: none is under way."""
        return self._under_way[0][0] if self._under_way else None

    def arrived(self, now_ns: int) -> list[FromClient]:
        """Those that have arrived, which are under way no more."""
        found: list[FromClient] = []
        while self._under_way and self._under_way[0][0] <= now_ns:
            found.append(self._under_way.popleft()[1])
        return found

    def forget(self, client: UUID) -> None:
        """It is gone: nothing of it arrives any more."""
        kept = [each for each in self._under_way if each[1].client_id != client]
        self._under_way = deque(kept)
