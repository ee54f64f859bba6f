"""A set of rows with O(1) add, discard and uniform sampling, ordered by its own history."""

import numpy as np
from numpy.typing import NDArray

_ABSENT = -1


class IndexSet:
    """Rows 0 … capacity − 1. The same history of calls gives the same samples."""

    def __init__(self, capacity: int) -> None:
        self._rows = np.zeros(capacity, np.int64)
        self._place = np.full(capacity, _ABSENT, np.int64)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __contains__(self, row: int) -> bool:
        return bool(self._place[row] != _ABSENT)

    @property
    def nbytes(self) -> int:
        return self._rows.nbytes + self._place.nbytes

    @property
    def rows(self) -> NDArray[np.int64]:
        """(len,) all of them, in an order of their own."""
        return self._rows[: self._count].copy()

    def add(self, row: int) -> None:
        if self._place[row] == _ABSENT:
            self._rows[self._count] = row
            self._place[row] = self._count
            self._count += 1

    def discard(self, row: int) -> None:
        place = self._place[row]
        if place == _ABSENT:
            return
        self._count -= 1
        last = self._rows[self._count]
        self._rows[place] = last
        self._place[last] = place
        self._place[row] = _ABSENT

    def sample(self, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """(count,) rows, uniformly with replacement."""
        if count == 0:
            return np.zeros(0, np.int64)
        return self._rows[rng.integers(0, self._count, count)]
