"""The replay's memory: columns of rows, and which record of which episode stands in each.

Three regions. What people did has a ring of its own, so that autonomous steps, of which there are
many more, never push it out; what came with the starting policy stays for good.
"""

import numpy as np
from numpy.typing import NDArray

from robot_rl.learner.columns import NOTHING, STORED, Array, Trajectory
from robot_rl.learner.episodes import Episode


class Storage:
    """`capacity` rows each for autonomous records and for people's, `kept` for those that stay.

    Memory is taken as rows are first written.
    """

    def __init__(self, *, capacity: int, kept: int, action: int, features: int) -> None:
        self.capacity = capacity
        self.rows = 2 * capacity + kept
        self.columns: dict[str, Array] = {
            name: column.empty(self.rows, action=action, features=features)
            for name, column in STORED.items()
        }
        # Derived, again whenever a label changes; of rows that can be sampled only.
        self.reward = np.zeros(self.rows, np.float32)
        self.penalty = np.zeros(self.rows, np.float32)
        self.cost = np.zeros(self.rows, np.float32)
        self.bootstrap = np.zeros(self.rows, np.float32)
        self.usable = np.zeros(self.rows, np.bool_)
        self.shown = np.zeros(self.rows, np.bool_)
        self.sampled = np.zeros(self.rows, np.bool_)  # ever, of people's steps
        self.next_row = np.full(self.rows, NOTHING, np.int32)
        self.previous_row = np.full(self.rows, NOTHING, np.int32)
        self.intervention = np.full(self.rows, NOTHING, np.int32)
        self._episode = np.full(self.rows, NOTHING, np.int32)
        self._index = np.zeros(self.rows, np.int32)
        self._next_autonomous, self._next_person, self._next_kept = 0, capacity, 2 * capacity
        derived = ("reward", "penalty", "cost", "bootstrap", "usable", "shown")
        self._named = self.columns | {name: getattr(self, name) for name in derived}

    def column(self, name: str) -> Array:
        """A stored or derived column, (rows, …). Raises KeyError."""
        return self._named[name]

    @property
    def nbytes(self) -> int:
        arrays = [value for value in vars(self).values() if isinstance(value, np.ndarray)]
        return sum(array.nbytes for array in [*self.columns.values(), *arrays])

    def owner(self, row: int) -> tuple[int, int] | None:
        """(episode number, record index) of what stands in a row; None where nothing does."""
        number = int(self._episode[row])
        return None if number == NOTHING else (number, int(self._index[row]))

    def episodes_of(self, rows: NDArray[np.int64]) -> NDArray[np.int32]:
        """(len(rows),) the numbers of the episodes that they are of."""
        return self._episode[rows]

    def next_place(self, *, person: bool) -> int:
        """The row that the next such record will take: the oldest one of its ring."""
        return self._next_person if person else self._next_autonomous

    def take(self, episode: Episode, index: int, *, person: bool) -> int:
        """The row for a new record; what it held before is forgotten."""
        row = self.next_place(person=person)
        if person:
            self._next_person = self.capacity + (row + 1 - self.capacity) % self.capacity
        else:
            self._next_autonomous = (row + 1) % self.capacity
        self._claim(row, episode, index)
        return row

    def take_kept(self, episode: Episode, index: int) -> int:
        row, self._next_kept = self._next_kept, self._next_kept + 1
        self._claim(row, episode, index)
        return row

    def _claim(self, row: int, episode: Episode, index: int) -> None:
        self._episode[row], self._index[row] = episode.number, index
        episode.rows[index] = row

    def write(self, row: int, trajectory: Trajectory, offset: int) -> None:
        for name, column in self.columns.items():
            column[row] = trajectory[name][offset]
        self.next_row[row] = self.previous_row[row] = self.intervention[row] = NOTHING
        self.usable[row] = self.shown[row] = self.sampled[row] = False

    def join(self, row: int, after: int) -> None:
        """`after` is the record that follows `row`."""
        self.next_row[row], self.previous_row[after] = after, row

    def release(self, row: int) -> None:
        """Empty the row and unlink it from the records before and after it."""
        before, after = int(self.previous_row[row]), int(self.next_row[row])
        if before != NOTHING:
            self.next_row[before] = NOTHING
        if after != NOTHING:
            self.previous_row[after] = NOTHING
        self._episode[row] = NOTHING
        self.usable[row] = self.shown[row] = False

    def fixed_sample(self, rows: NDArray[np.int64], count: int) -> NDArray[np.int64]:
        """(≤ count,) those of the rows whose records have the smallest hashes: of the same records
        always the same, whichever rows they stand in. The hash is the finaliser of SplitMix64.
        """
        hashed = self._episode[rows].astype(np.uint64) << np.uint64(32)
        hashed |= self._index[rows].astype(np.uint64)
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            hashed = (hashed ^ (hashed >> np.uint64(shift))) * np.uint64(factor)
        hashed ^= hashed >> np.uint64(31)
        return rows[np.argsort(hashed)[:count]]

    def rows_of_intervention(self, number: int) -> NDArray[np.int64]:
        return np.flatnonzero(self.intervention == number)
