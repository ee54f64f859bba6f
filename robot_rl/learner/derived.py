"""The columns of a batch: values that an algorithm names, each gathered for the rows it drew.

Nothing here is kept: what follows from a label follows the newest one.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from robot_rl.config.task import Task
from robot_rl.learner.columns import NOTHING, Array
from robot_rl.learner.samplers import Rows
from robot_rl.learner.storage import Storage

type Floats = NDArray[np.float32]


class ReplayData(Protocol):
    """What is needed of a replay."""

    task: Task
    store: Storage


class BatchColumn(Protocol):
    def of(self, replay: ReplayData, rows: Rows) -> Array:
        """(len(rows), …)."""
        ...


@dataclass(frozen=True, slots=True)
class StoredColumn:
    """A column of robot_rl.learner.columns.STORED, or one that the replay derives from the labels:
    reward, penalty (of the gripper, ≤ 0), cost, bootstrap (0 where the episode terminated, else 1),
    shown.
    """

    name: str

    def of(self, replay: ReplayData, rows: Rows) -> Array:
        return replay.store.column(self.name)[rows]

    def rows(self, replay: ReplayData, rows: Rows) -> Rows:  # noqa: ARG002 (as of Next)
        """(len(rows),) where they stand in the stored column."""
        return rows


@dataclass(frozen=True, slots=True)
class Next:
    """A stored column of the next record; of the same one where the episode ended unseen."""

    name: str

    def of(self, replay: ReplayData, rows: Rows) -> Array:
        return replay.store.column(self.name)[self.rows(replay, rows)]

    def rows(self, replay: ReplayData, rows: Rows) -> Rows:
        """(len(rows),) where they stand in the stored column."""
        after = replay.store.next_row[rows]
        return np.where(after == NOTHING, rows, after)


def decided(store: Storage, rows: Rows) -> Floats:
    """(batch, action) −1 … 1: what the driver asked for; of older records what was executed.

    It is the action of reinforcement learning: gate, clip and contact belong to the environment. On
    the executed change alone the value of pushing on against an obstacle would never be learned,
    because what is executed there is nothing.
    """
    asked = store.column("commanded")[rows]
    known = ~np.isnan(asked[:, :1])
    return np.clip(np.where(known, asked, store.column("executed")[rows]), -1.0, 1.0)


@dataclass(frozen=True, slots=True)
class DecidedAction:
    """(batch, action) −1 … 1: see `decided`."""

    def of(self, replay: ReplayData, rows: Rows) -> Array:
        return decided(replay.store, rows)


@dataclass(frozen=True, slots=True)
class Imitated:
    """(batch, action): what a person showed; zero where `shown` is false."""

    def of(self, replay: ReplayData, rows: Rows) -> Array:
        shown = replay.store.shown[rows]
        return np.where(shown[:, None], decided(replay.store, rows), np.float32(0))


@dataclass(frozen=True, slots=True)
class PreviousAction:
    """(batch, action): decided in the step before; zero at an episode's start."""

    def of(self, replay: ReplayData, rows: Rows) -> Array:
        before = replay.store.previous_row[rows]
        action = decided(replay.store, before.astype(np.int64))
        known = (before != NOTHING) & ~np.isnan(action[:, 0])
        return np.where(known[:, None], action, np.float32(0))


FEATURES, NEXT_FEATURES = StoredColumn("features"), Next("features")
DECIDED, IMITATED, SHOWN = DecidedAction(), Imitated(), StoredColumn("shown")
REWARD, PENALTY, COST = StoredColumn("reward"), StoredColumn("penalty"), StoredColumn("cost")
BOOTSTRAP = StoredColumn("bootstrap")


# ---- over several steps: they end with the episode, or where the next step cannot be trained on --


def walk(store: Storage, rows: Rows, steps: int) -> tuple[Rows, NDArray[np.bool_]]:
    """(batch, steps) rows of the transitions from each row on, and whether there are so many."""
    found = np.empty((len(rows), steps), np.int64)
    valid = np.ones((len(rows), steps), np.bool_)
    found[:, 0] = rows
    for step in range(1, steps):
        before = found[:, step - 1]
        after = store.next_row[before]
        valid[:, step] = (
            valid[:, step - 1]
            & (store.bootstrap[before] > 0)
            & (after != NOTHING)
            & store.usable[after]
        )
        found[:, step] = np.where(valid[:, step], after, before)
    return found, valid


@dataclass(frozen=True, slots=True)
class Window:
    """(batch, steps, …): a stored column over that many steps, zero after the last one."""

    name: str
    steps: int

    def of(self, replay: ReplayData, rows: Rows) -> Array:
        found, valid = walk(replay.store, rows, self.steps)
        values = replay.store.column(self.name)[found]
        return np.where(valid.reshape(valid.shape + (1,) * (values.ndim - 2)), values, 0)


@dataclass(frozen=True, slots=True)
class WindowMask:
    """(batch, steps) bool: the steps that a window of that length has."""

    steps: int

    def of(self, replay: ReplayData, rows: Rows) -> Array:
        return walk(replay.store, rows, self.steps)[1]


@dataclass(frozen=True, slots=True)
class NStepReward:
    """(batch,): Σ γᵏ r_k over `steps` steps or up to the last one."""

    steps: int
    discount: float

    def of(self, replay: ReplayData, rows: Rows) -> Floats:
        found, valid = walk(replay.store, rows, self.steps)
        weights = self.discount ** np.arange(self.steps)
        return (replay.store.reward[found] * valid * weights).sum(1).astype(np.float32)


@dataclass(frozen=True, slots=True)
class NStepDiscount:
    """(batch,): γᵐ after the m steps that there are; 0 where the episode terminated in them."""

    steps: int
    discount: float

    def of(self, replay: ReplayData, rows: Rows) -> Floats:
        found, valid = walk(replay.store, rows, self.steps)
        factor = self.discount ** valid.sum(1) * replay.store.bootstrap[found[:, -1]]
        return factor.astype(np.float32)


@dataclass(frozen=True, slots=True)
class NStepNext:
    """A stored column of the record after those steps."""

    name: str
    steps: int

    def of(self, replay: ReplayData, rows: Rows) -> Array:
        found, _ = walk(replay.store, rows, self.steps)
        return Next(self.name).of(replay, found[:, -1])


@dataclass(frozen=True, slots=True)
class MonteCarloReturn:
    """(batch,): Σ γᵏ r_k to the end of the episode, by its newest label.

    Where it did not terminate (time ran out, or more is to come) the step reward goes on for ever,
    r / (1 − γ), as in the code of Cal-QL.
    """

    discount: float

    def of(self, replay: ReplayData, rows: Rows) -> Floats:
        store = replay.store
        total, factor = np.zeros(len(rows)), np.ones(len(rows))
        at, going = rows.copy(), np.ones(len(rows), np.bool_)
        while going.any():
            total += going * factor * store.reward[at]
            factor = np.where(going, factor * self.discount, factor)
            after = store.next_row[at]
            onward = going & (store.bootstrap[at] > 0) & (after != NOTHING) & store.usable[after]
            at, going = np.where(onward, after, at), onward
        unended = store.bootstrap[at] > 0
        forever = replay.task.reward.step / (1 - self.discount)
        return (total + unended * factor * forever).astype(np.float32)
