"""Which rows of the replay a batch is made of: values that an algorithm chooses from."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from robot_rl.learner.index_set import IndexSet

type Rows = NDArray[np.int64]


class Views(Protocol):
    """The sets of rows of a replay that can be sampled."""

    online: IndexSet  # D_on: every step
    demonstrated: IndexSet  # D_demo: corrections and demonstrations
    demonstrations: IndexSet  # of D_demo: demonstrations alone
    accepted: IndexSet  # of the next: those that may be imitated for it
    succeeded: IndexSet  # of D_on: steps of episodes that are known to have succeeded
    failed: IndexSet  # of D_on: and of those known to have failed or been aborted

    def unsampled(self, most: int) -> Rows:
        """Steps that people drove and that were in no batch yet, the oldest first."""
        ...


class Sampler(Protocol):
    def draw(self, views: Views, count: int, rng: np.random.Generator) -> tuple[Rows, int]:
        """(count,) rows, and how many of them, the first ones, are from D_on. ValueError: there are
        none.
        """
        ...


@dataclass(frozen=True, slots=True)
class Uniform:
    """Every step alike."""

    def draw(self, views: Views, count: int, rng: np.random.Generator) -> tuple[Rows, int]:
        return _some(views.online).sample(count, rng), count


@dataclass(frozen=True, slots=True)
class Demonstrated:
    """Only what people showed."""

    def draw(self, views: Views, count: int, rng: np.random.Generator) -> tuple[Rows, int]:
        return _some(views.demonstrated).sample(count, rng), 0


@dataclass(frozen=True, slots=True)
class Demonstrations:
    """Only demonstrations: no correction."""

    def draw(self, views: Views, count: int, rng: np.random.Generator) -> tuple[Rows, int]:
        return _some(views.demonstrations).sample(count, rng), 0


@dataclass(frozen=True, slots=True)
class HalfAndHalf:
    """Half D_on, half D_demo (RLPD, Ball et al. 2023); all of one if the other is empty.

    A step that a person drove is in the first batch after it came, so that what they showed is soon
    in a version (as combined experience replay does it, Zhang and Sutton 2017): by chance alone it
    would wait the longer the more is recorded. At most a quarter of a batch is filled so.

    balanced: D_on's half by outcome once both are known, so that long failures do not crowd the
    successes out.
    """

    balanced: bool = False

    def draw(self, views: Views, count: int, rng: np.random.Generator) -> tuple[Rows, int]:
        online = count // 2 if views.demonstrated else count
        online = online if views.online else 0
        if not views.online:
            _some(views.demonstrated)
        fresh = views.unsampled(count // 4).tolist()
        first = [row for row in fresh if row not in views.demonstrated]
        shown = [row for row in fresh if row in views.demonstrated]
        return np.concatenate(
            [
                np.array(first, np.int64),
                self._online(views, online - len(first), rng),
                np.array(shown, np.int64),
                views.demonstrated.sample(count - online - len(shown), rng),
            ]
        ), online

    def _online(self, views: Views, count: int, rng: np.random.Generator) -> Rows:
        if self.balanced and count and views.succeeded and views.failed:
            return BalancedByOutcome().draw(views, count, rng)[0]
        return views.online.sample(count, rng)


@dataclass(frozen=True, slots=True)
class Accepted:
    """Half from episodes of D_on that succeeded, without what led back, half from D_demo; all of
    one if the other is empty.
    """

    def draw(self, views: Views, count: int, rng: np.random.Generator) -> tuple[Rows, int]:
        online = count // 2 if views.demonstrated else count
        online = online if views.accepted else 0
        if not views.accepted:
            _some(views.demonstrated)
        rows = [views.accepted.sample(online, rng), views.demonstrated.sample(count - online, rng)]
        return np.concatenate(rows), online


@dataclass(frozen=True, slots=True)
class BalancedByOutcome:
    """Half from episodes that succeeded, half from those that did not; all of one kind if there is
    no other, and every step alike while no outcome is known.
    """

    def draw(self, views: Views, count: int, rng: np.random.Generator) -> tuple[Rows, int]:
        if not views.succeeded or not views.failed:
            known = views.succeeded or views.failed or views.online
            return _some(known).sample(count, rng), count
        half = count // 2
        rows = [views.succeeded.sample(half, rng), views.failed.sample(count - half, rng)]
        return np.concatenate(rows), count


def _some(rows: IndexSet) -> IndexSet:
    if not rows:
        raise ValueError("the replay is empty: there is nothing to sample")
    return rows
