"""Accounts of the step grid: what the reference did in each window, who moved it, what limited it.

Executed and human actions are net changes of
the reference in units of the task's scale: translation as it is, rotation as a rotation vector in
the base frame.
"""

from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from hardware.memory import Record
from robot_rl.daemon.control.chunk import PlannedAction
from robot_rl.daemon.control.grid import Grid
from robot_rl.daemon.topics import step_result_type
from safety import rotation
from safety.verdict import Verdict
from safety.vocabulary import Limit, Reject, Source

type Vector = NDArray[np.float64]

MISSED_AT_MOST = 100
"""Windows reported after control stood still; by then a fault is latched long since."""

_BENIGN = (Reject.NONE, Reject.NO_PROPOSAL)
_PRECEDENCE = (Source.HUMAN, Source.POLICY, Source.REWIND, Source.RESET)


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """Who drives in a TAKEOVER, as recorded with each step."""

    intervention_id: bytes  # 16
    operator: str
    phase: str


class StepAccount:
    """One window at a time: `close_due` before the gate's tick, `note` after it."""

    def __init__(self, grid: Grid, now_ns: int, position_m: Vector, quaternion: Vector) -> None:
        self.grid = grid
        self._type = step_result_type(grid.columns)
        self._k = grid.window(now_ns)
        self._open(position_m, quaternion)

    def close_due(self, now_ns: int, planned: "PlannedAction | None", mode: str) -> list[Record]:
        """Results of every window that ended by `now_ns`: one as a rule, more after a standstill.

        `planned` is what the policy proposed for the window that is being closed.
        """
        present = self.grid.window(now_ns)
        if present <= self._k:
            return []
        results = [self._result(self._k, planned, mode)]
        self._open(self._position_m, self._quaternion)
        for k in range(max(self._k + 1, present - MISSED_AT_MOST), present):
            results.append(self._result(k, None, mode))
        self._k = present
        return results

    @property
    def begins_ns(self) -> int:
        """When the present window began."""
        return self.grid.begins_ns(self._k)

    def note(
        self,
        verdict: Verdict,
        gripper: float,
        position_m: Vector,
        quaternion: Vector,
        driver: Driver | None,
    ) -> None:
        """One tick: the reference moved to this pose; `gripper` is the entry proposed."""
        if verdict.source is Source.HUMAN:
            self._human_m = self._human_m + (position_m - self._position_m)
            turn = rotation.minus(quaternion, self._quaternion)
            self._human_q = rotation.plus(self._human_q, turn)
        self._position_m, self._quaternion = position_m, quaternion
        self._sources.add(verdict.source)
        self._limits |= verdict.limits
        if verdict.reject not in _BENIGN:
            self._reject = verdict.reject
        if driver is not None:
            self._driver = driver
        if verdict.source is not Source.HOLD and abs(gripper) > 0.5:
            self._gripper = float(np.sign(gripper))
            if verdict.source is Source.HUMAN:
                self._human_gripper = self._gripper

    def _open(self, position_m: Vector, quaternion: Vector) -> None:
        self._start_m = self._position_m = position_m
        self._start_q = self._quaternion = quaternion
        self._human_m = np.zeros(3)
        self._human_q = np.array([1.0, 0.0, 0.0, 0.0])
        self._sources: set[Source] = set()
        self._limits = Limit.NONE
        self._reject = Reject.NONE
        self._driver: Driver | None = None
        self._gripper = self._human_gripper = 0.0

    def _result(self, k: int, planned: PlannedAction | None, mode: str) -> Record:
        source = next((s for s in _PRECEDENCE if s in self._sources), Source.HOLD)
        result = np.zeros((), self._type)
        result["observation_ns"] = k * self.grid.step_ns
        result["executed"][self.grid.pose] = self._normalised(
            self._position_m - self._start_m, rotation.minus(self._quaternion, self._start_q)
        )
        result["executed"][self.grid.gripper] = self._gripper
        if source is Source.HUMAN:
            result["has_human"] = True
            result["human"][self.grid.pose] = self._normalised(
                self._human_m, rotation.logarithm(self._human_q)
            )
            result["human"][self.grid.gripper] = self._human_gripper
        result["source"] = source.encode()
        result["limits"] = int(self._limits)
        result["reject_reason"] = b"" if self._reject is Reject.NONE else self._reject.encode()
        result["policy_version"] = -1
        if planned is not None:
            result["has_proposed"] = True
            result["proposed"] = planned.action
            result["chunk_id"], result["chunk_index"] = planned.chunk_id, planned.index
            result["policy_version"] = planned.policy_version
        if self._driver is not None:
            result["intervention_id"] = np.void(self._driver.intervention_id)
            result["operator"] = self._driver.operator.encode()[:64]
            result["phase"] = self._driver.phase.encode()
        result["mode"] = mode.encode()
        return cast(Record, result[()])

    def _normalised(self, change_m: Vector, turn: Vector) -> Vector:
        """Change (6,) over scale; an axis that the task does not use is 0."""
        change = np.concatenate([change_m, turn])
        scale = self.grid.scale
        return np.divide(change, scale, out=np.zeros(6), where=scale > 0.0)
