"""How one chunk of the policy follows another, so that the arm does not stop in between.

A question is put while the chunk before its answer still runs. How late answers were of late says
how many actions of that chunk will have run when the answer is there: these are frozen. The answer
is followed from there on. A policy that can go on from what runs is told of it (LeRobot's real-time
chunking, arXiv 2506.07339); the answer of any other one begins where the older chunk's path is, and
leads to its own.
"""

from collections import deque
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from robot_rl.config import Task
from robot_rl.daemon.actor.policy import Loaded
from robot_rl.policy.interface import Chunk, RunningChunk

WINDOW = 50
"""Answers by whose lateness the next one is foreseen: what was slow once is forgotten again."""
_QUANTILE = 0.95


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sent:
    """A chunk as control has it."""

    chunk: Chunk
    loaded: Loaded  # the version that decided
    grid_ns: int  # T_k on which it was decided
    epoch: int  # of control's mode then
    first: int = 0  # its actions before this one are not followed


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Joint:
    """Where one chunk passes over into the next; places count from the window of its T_k on."""

    before: NDArray[np.float64]  # (steps, action): what runs where the next is not followed
    first: int  # frozen actions
    start: int  # the first action that is not over: more than `first` where the arm held meanwhile
    part: float  # of that action, where it comes in mid-window: the gate skips what is used up


class Continuity:
    """State: the newest chunk that control follows, with what runs before its `first` action, and
    how late the newest answers were.
    """

    def __init__(self, task: Task) -> None:
        self._task = task
        self._late_ns: deque[int] = deque(maxlen=WINDOW)
        self._sent: Sent | None = None

    def forget(self) -> None:
        """Nothing runs any more."""
        self._sent = None

    def running(self, grid_ns: int, epoch: int, loaded: Loaded) -> RunningChunk | None:
        """What runs while an answer to the observation at T_k is thought of; None: nothing that the
        answer will not be there before.
        """
        frozen = self._frozen(grid_ns, epoch)
        sent = self._sent
        if sent is None or not frozen:
            return None
        shift = self._shift(sent, grid_ns)
        return RunningChunk(
            shift=shift,
            frozen=frozen,
            actions=sent.chunk.actions[shift:],
            memory=sent.chunk.memory if sent.loaded == loaded else None,
        )

    def follow(
        self, chunk: Chunk, *, loaded: Loaded, grid_ns: int, epoch: int, now_ns: int, follows: bool
    ) -> Sent:
        """The chunk as control is to have it from now on. `follows`: control followed the policy at
        T_k.
        """
        late_ns = now_ns - grid_ns
        self._late_ns.append(late_ns)
        planned, begun = self._planned(grid_ns, epoch), self._used_up(late_ns)
        foreseen = 0 if chunk.follows is None else chunk.follows
        # The window that has begun already keeps its action.
        first = min(max(foreseen, begun), planned, len(chunk.actions) - 1)
        joint = _Joint(
            before=self._before(chunk, grid_ns, planned),
            first=first,
            start=max(first, begun - 1 if begun > planned else begun),
            part=begun - (late_ns - self._task.action_delay_ns) / self._task.step_ns
            if begun > planned
            else 1.0,
        )
        if first and chunk.follows is None and self._task.inference.blend:
            chunk = self._blended(chunk, joint)
        sent = Sent(chunk=chunk, loaded=loaded, grid_ns=grid_ns, epoch=epoch, first=first)
        self._sent = replace(sent, chunk=self._as_it_runs(chunk, joint)) if follows else None
        return sent

    def _frozen(self, grid_ns: int, epoch: int) -> int:
        if not self._late_ns:
            return 0
        foreseen_ns = int(np.quantile(self._late_ns, _QUANTILE))
        return min(self._used_up(foreseen_ns), self._planned(grid_ns, epoch))

    def _used_up(self, late_ns: int) -> int:
        """Windows from T_k's own on that have begun before an answer so late."""
        task = self._task
        return max(0, -(-(late_ns - task.action_delay_ns) // task.step_ns))

    def _planned(self, grid_ns: int, epoch: int) -> int:
        """Windows from T_k's own on for which the chunk that runs has an action young enough."""
        sent, task = self._sent, self._task
        if sent is None or sent.epoch != epoch:
            return 0
        age_ns = round(task.observation_age_s * 1e9) - task.action_delay_ns
        count = min(len(sent.chunk.actions), age_ns // task.step_ns)
        return max(0, count - self._shift(sent, grid_ns))

    def _shift(self, sent: Sent, grid_ns: int) -> int:
        return (grid_ns - sent.grid_ns) // self._task.step_ns

    def _before(self, chunk: Chunk, grid_ns: int, planned: int) -> NDArray[np.float64]:
        """(steps, action) from T_k's own window on, of the chunk that runs: where that has ended or
        is too old the arm holds.
        """
        before = np.zeros_like(chunk.actions)
        if self._sent is not None and planned:
            shift = self._shift(self._sent, grid_ns)
            runs = self._sent.chunk.actions[shift : shift + planned][: len(before)]
            before[: len(runs)] = runs
        return before

    def _blended(self, chunk: Chunk, joint: _Joint) -> Chunk:
        """From the first action that is not over as many lead from the path of the one chunk to
        that of the other as were frozen, and more where −1 … 1 is not enough. Actions are
        increments: mixed one by one, or followed as they are, they would keep for good what ran
        meanwhile and was not planned, and the arm would end beside its goal. An order to a gripper
        has no middle.
        """
        if not np.isfinite(chunk.actions).all():
            return chunk  # the gate refuses it as it is
        start = min(joint.start, len(chunk.actions))
        older = np.cumsum(joint.before, axis=0)
        newer = np.cumsum(np.clip(chunk.actions, -1.0, 1.0), axis=0)
        share = np.minimum(1.0, np.arange(1, len(newer) - start + 1) / joint.first)[:, None]
        wanted = share * newer[start:] + (1.0 - share) * older[start:]
        actions, at = chunk.actions.copy(), older[start - 1]
        for place, there in enumerate(wanted, start):
            actions[place] = np.clip(there - at, -1.0, 1.0)
            at = at + actions[place] * (joint.part if place == start else 1.0)
        grippers = list(self._task.action.gripper_columns)
        actions[:, grippers] = chunk.actions[:, grippers]
        return chunk.with_actions(actions)

    def _as_it_runs(self, chunk: Chunk, joint: _Joint) -> Chunk:
        """With what the arm does in each window: before this chunk is followed it did what the one
        before said. Control holds actions to −1 … 1, and the arm where one is no number.
        """
        finite = np.isfinite(chunk.actions).all(axis=1, keepdims=True)
        actions = np.where(finite, np.clip(chunk.actions, -1.0, 1.0), 0.0)
        actions[: joint.start] = joint.before[: joint.start]
        grippers = list(self._task.action.gripper_columns)
        orders = actions[:, grippers]
        actions[joint.start : joint.start + 1] *= joint.part
        actions[:, grippers] = orders
        return chunk.with_actions(actions)
