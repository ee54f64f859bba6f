"""The policy's chunks as control sees them: which action is due now, and which one a window had."""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from hardware.memory import Record
from robot_rl.daemon.control.grid import ArmColumns
from robot_rl.daemon.topics import MAX_CHUNK, risk_of, risk_threshold_of
from safety.proposal import PolicyTarget

type Vector = NDArray[np.float64]

KEPT = 4
"""Chunks that may overlap: the one in force, the one for the next window, and late ones."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PlannedAction:
    """One action of a chunk and the window it is meant for."""

    chunk_id: int
    index: int
    epoch: int
    observed_ns: int
    valid_from_ns: int
    valid_until_ns: int
    action: Vector  # (columns,) normalised, as the policy gave it
    risk: float | None
    risk_threshold: float | None
    policy_version: int

    def target(self, step_ns: int, arm: ArmColumns, *, gripper: bool) -> PolicyTarget:
        """The proposal to one arm's gate, held to −1 … 1. An action with an entry that is not
        finite is none for any arm: the gates refuse it, and all hold.
        """
        whole = np.isfinite(self.action).all()
        share = np.clip(self.action, -1.0, 1.0) if whole else np.full(len(self.action), np.nan)
        return PolicyTarget(
            sequence=self.valid_from_ns // step_ns,
            epoch=self.epoch,
            observed_ns=self.observed_ns,
            valid_from_ns=self.valid_from_ns,
            valid_until_ns=self.valid_until_ns,
            delta=share[arm.pose] * arm.scale,
            gripper=float(share[arm.gripper]) if gripper else 0.0,
            risk=self.risk,
            risk_threshold=self.risk_threshold,
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Held:
    """A chunk and when its last action ends, unless it was voided before."""

    chunk: Record
    ends_ns: int


@dataclass(slots=True)
class ChunkPlan:
    """The newest chunks. Nothing is replayed: an action belongs to one window of the grid."""

    _chunks: list[_Held] = field(default_factory=list[_Held])
    _cached: PlannedAction | None = None
    _targets: dict[int, PolicyTarget] = field(default_factory=dict[int, PolicyTarget])
    """Of the action below, by the column of the arm's gripper: the same in every tick."""
    _targets_of: PlannedAction | None = None

    def see(self, chunk: Record) -> None:
        """Take the newest chunk; seeing one again changes nothing.

        An empty one says that the policy cannot see: what was planned ends where it begins.
        """
        count, dt_ns = int(chunk["count"]), int(chunk["dt_ns"])
        if count == 0:
            self._void(int(chunk["valid_from_ns"]))
        if not 1 <= count <= MAX_CHUNK or dt_ns <= 0:
            return
        if self._chunks and int(self._chunks[-1].chunk["chunk_id"]) == int(chunk["chunk_id"]):
            return
        held = _Held(chunk=chunk, ends_ns=int(chunk["valid_from_ns"]) + count * dt_ns)
        self._chunks = [*self._chunks, held][-KEPT:]
        self._cached = None

    def at(self, t_ns: int, epoch: int | None) -> PlannedAction | None:
        """The action for `t_ns` by the newest chunk followed then, of `epoch` (None: of any)."""
        cached = self._cached
        if (
            cached is not None
            and cached.valid_from_ns <= t_ns < cached.valid_until_ns
            and epoch in (None, cached.epoch)
        ):
            return cached
        for held in reversed(self._chunks):
            chunk = held.chunk
            if epoch is not None and int(chunk["epoch"]) != epoch:
                continue
            index = (t_ns - int(chunk["valid_from_ns"])) // int(chunk["dt_ns"])
            if index >= int(chunk["first"]) and t_ns < held.ends_ns:
                self._cached = _planned(chunk, index, held.ends_ns)
                return self._cached
        return None

    def stands(self, action: PlannedAction, t_ns: int, epoch: int) -> bool:
        """Whether an action that was followed is still for `t_ns`: of this epoch, and not void."""
        return (
            action.epoch == epoch
            and action.valid_from_ns <= t_ns < action.valid_until_ns
            and any(
                t_ns < held.ends_ns and int(held.chunk["chunk_id"]) == action.chunk_id
                for held in self._chunks
            )
        )

    def target(
        self, action: PlannedAction, arm: ArmColumns, *, step_ns: int, gripper: bool
    ) -> PolicyTarget:
        """As `PlannedAction.target`; computed once for all ticks of its window."""
        if self._targets_of is not action:
            self._targets_of, self._targets = action, {}
        found = self._targets.get(arm.gripper)
        if found is None:
            found = self._targets[arm.gripper] = action.target(step_ns, arm, gripper=gripper)
        return found

    def drop(self) -> None:
        """Authority changed: what was planned is void; a window still remembers its proposal."""
        self._cached = None

    def _void(self, from_ns: int) -> None:
        self._chunks = [replace(c, ends_ns=min(c.ends_ns, from_ns)) for c in self._chunks]
        self._cached = None


def _planned(chunk: Record, index: int, ends_ns: int) -> PlannedAction:
    start = int(chunk["valid_from_ns"]) + index * int(chunk["dt_ns"])
    return PlannedAction(
        chunk_id=int(chunk["chunk_id"]),
        index=index,
        epoch=int(chunk["epoch"]),
        observed_ns=int(chunk["observation_ns"]),
        valid_from_ns=start,
        valid_until_ns=min(start + int(chunk["dt_ns"]), ends_ns),
        action=np.array(chunk["actions"][index]),
        risk=risk_of(chunk),
        risk_threshold=risk_threshold_of(chunk),
        policy_version=int(chunk["policy_version"]),
    )
