"""When each step that a person drove was in a batch for the first time, since the newest version;
and which of them wait for that, so that a sampler can take them first.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import numpy as np

from robot_rl.learner.columns import NOTHING
from robot_rl.learner.episodes import Episode
from robot_rl.learner.samplers import Rows
from robot_rl.learner.storage import Storage
from robot_rl.schema.message import utc_now
from robot_rl.schema.policy import FirstSampled


class FirstSamples:
    """Of one replay's rows: those that belong to an intervention."""

    def __init__(self, store: Storage) -> None:
        self._store = store
        self._waiting: dict[int, None] = {}  # a set that keeps its order
        self._found: dict[UUID, list[tuple[int, datetime]]] = {}

    @property
    def waiting(self) -> tuple[int, ...]:
        """Rows that can be sampled and never were, the oldest first."""
        return tuple(self._waiting)

    def enter(self, row: int) -> None:
        """The row can be sampled from now on."""
        if self._store.intervention[row] != NOTHING and not self._store.sampled[row]:
            self._waiting.setdefault(row)

    def leave(self, row: int) -> None:
        self._waiting.pop(row, None)

    def notice(self, rows: Rows, episodes: Sequence[Episode]) -> None:
        """`rows` are a batch; `episodes` by their numbers."""
        if not self._waiting:
            return
        now = utc_now()
        for row in sorted(self._waiting.keys() & set(rows.tolist())):
            del self._waiting[row]
            self._store.sampled[row] = True
            owner = self._store.owner(row)
            episode_id = None if owner is None else episodes[owner[0]].episode_id
            if owner is not None and episode_id is not None:
                self._found.setdefault(episode_id, []).append((owner[1], now))

    def told(self) -> tuple[FirstSampled, ...]:
        """What the next version tells of."""
        return tuple(
            FirstSampled(
                episode_id=episode_id,
                indices=tuple(index for index, _ in steps),
                t_utc=tuple(t_utc for _, t_utc in steps),
            )
            for episode_id, steps in self._found.items()
        )

    def published(self) -> None:
        self._found.clear()

    @property
    def unsampled(self) -> tuple[int, ...]:
        """Rows that never were in a batch, those included that cannot be sampled yet."""
        store = self._store
        rows = np.flatnonzero((store.intervention != NOTHING) & ~store.sampled)
        return tuple(rows.tolist())

    def restore(
        self, unsampled: Sequence[int], waiting: Sequence[int], told: Sequence[FirstSampled]
    ) -> None:
        """As it was saved, after the rows were built again. With another capacity they may stand
        elsewhere: what is not there is left out.
        """
        store = self._store
        store.sampled[:] = True
        store.sampled[np.array([row for row in unsampled if row < store.rows], np.int64)] = False
        self._waiting = dict.fromkeys(
            row for row in waiting if row < store.rows and store.usable[row]
        )
        self._found = {
            each.episode_id: list(zip(each.indices, each.t_utc, strict=True)) for each in told
        }
