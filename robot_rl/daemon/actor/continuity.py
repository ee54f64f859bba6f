"""How one chunk of the policy follows another, so that the arm does not stop in between.

A question is put while the chunk before its answer still runs. How late answers were of late says
how many actions of that chunk will have run when the answer is there: these are frozen. The answer
is followed from there on. A policy that can go on from what runs is told of it (LeRobot's real-time
chunking, arXiv 2506.07339); the answer of any other one begins where the older chunk's path is, and
leads to its own.
"""

from collections import deque
from dataclasses import dataclass

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


class Continuity:
    """State: the newest chunk that control follows, and how late the newest answers were."""

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
        first = 0
        if chunk.follows is not None or self._sent is not None:
            first = self._first(chunk, grid_ns, epoch, late_ns)
        if first and chunk.follows is None and self._task.inference.blend:
            chunk = self._blended(chunk, grid_ns, first)
        sent = Sent(chunk=chunk, loaded=loaded, grid_ns=grid_ns, epoch=epoch, first=first)
        self._sent = sent if follows else None
        return sent

    def _first(self, chunk: Chunk, grid_ns: int, epoch: int, late_ns: int) -> int:
        """What was foreseen, or more where the answer came later: the window that has begun already
        keeps its action.
        """
        foreseen = 0 if chunk.follows is None else chunk.follows
        planned = self._planned(grid_ns, epoch)
        return min(max(foreseen, self._used_up(late_ns)), planned, len(chunk.actions) - 1)

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

    def _blended(self, chunk: Chunk, grid_ns: int, first: int) -> Chunk:
        """From `first` on as many actions lead from the path of the one chunk to that of the other
        as were frozen, and more where −1 … 1 is not enough. Actions are increments: mixed one by
        one, or followed as they are, they would keep for good what ran meanwhile and was not
        planned, and the arm would end beside its goal. An order to a gripper has no middle.
        """
        sent = self._sent
        assert sent is not None  # something was planned
        count = len(chunk.actions)
        before = sent.chunk.actions[self._shift(sent, grid_ns) :][:count]
        older = np.zeros_like(chunk.actions)  # after its end the arm holds
        older[: len(before)] = before
        older, newer = _path(older), _path(chunk.actions)
        share = np.minimum(1.0, np.arange(1, count - first + 1) / first)[:, None]
        wanted = share * newer[first:] + (1.0 - share) * older[first:]
        if not np.isfinite(wanted).all():
            return chunk  # the gate refuses it as it is
        actions, at = chunk.actions.copy(), older[first - 1]
        for place, there in enumerate(wanted, first):
            actions[place] = np.clip(there - at, -1.0, 1.0)
            at = at + actions[place]
        grippers = list(self._task.action.gripper_columns)
        actions[:, grippers] = chunk.actions[:, grippers]
        return chunk.with_actions(actions)


def _path(actions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where each action ends, from where the first one begins, as control holds them to −1 … 1."""
    return np.cumsum(np.clip(actions, -1.0, 1.0), axis=0)
