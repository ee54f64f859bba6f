"""Accounts of the step grid: what the reference did in each window, who moved it, what limited it.

Executed and human actions are net changes of
the reference in units of the task's scale: translation as it is, rotation as a rotation vector in
the base frame. The commanded action is what was asked for instead: where the arm is blocked or a
limit acts the reference does not follow, and a policy that is to do the same has to ask the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from hardware.memory import Record
from robot_rl.daemon.control.chunk import PlannedAction
from robot_rl.daemon.control.grid import ArmColumns, Grid
from robot_rl.daemon.topics import step_result_type
from safety import rotation
from safety.verdict import Verdict
from safety.vocabulary import Reject, Source

type Vector = NDArray[np.float64]

MISSED_AT_MOST = 100
"""Windows reported after control stood still; by then a fault is latched long since."""

_BENIGN = (Reject.NONE, Reject.NO_PROPOSAL)
PRECEDENCE = (Source.HUMAN, Source.POLICY, Source.REWIND, Source.RESET)
"""Of a window or a tick in which several sources moved something, the first one gives its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """Who drives in a TAKEOVER, as recorded with each step."""

    intervention_id: bytes  # 16
    operator: str
    phase: str


class ArmAccount:
    """One arm's part of a window: how its reference moved, and what its gripper was told."""

    def __init__(self, columns: ArmColumns, position_m: Vector, quaternion: Vector) -> None:
        self.columns = columns
        self._position_m, self._quaternion = position_m, quaternion
        self.begin()

    def begin(self) -> None:
        """A window begins where the reference is now."""
        self._start_m, self._start_q = self._position_m, self._quaternion
        self._human_m = np.zeros(3)
        self._human_q = np.array([1.0, 0.0, 0.0, 0.0])
        self._gripper = self._human_gripper = 0.0
        self._asked = np.zeros(6)

    def note(
        self,
        source: Source,
        gripper: float,
        position_m: Vector,
        quaternion: Vector,
        asked: Vector | None = None,
    ) -> None:
        """One tick: the reference moved to this pose. `gripper` is the entry proposed, `asked` (6,)
        the change that the admitted proposal asked for in this tick (m, rad); None: none.
        """
        if asked is None and source is Source.REWIND:
            # Its goal moves at its own speed and waits for the arm: what it asks for is its way.
            turned = rotation.minus(quaternion, self._quaternion)
            asked = np.concatenate([position_m - self._position_m, turned])
        if asked is not None:
            self._asked = self._asked + asked
        if source is Source.HUMAN:
            self._human_m = self._human_m + (position_m - self._position_m)
            turn = rotation.minus(quaternion, self._quaternion)
            self._human_q = rotation.plus(self._human_q, turn)
        self._position_m, self._quaternion = position_m, quaternion
        if source is not Source.HOLD and abs(gripper) > 0.5:
            self._gripper = float(np.sign(gripper))
            if source is Source.HUMAN:
                self._human_gripper = self._gripper

    def write(self, executed: Vector, commanded: Vector, human: Vector | None) -> None:
        """Fill this arm's columns of the actions; `human` None: no person drove.

        The turns of single ticks are added up as rotation vectors: they are a few milliradians.
        """
        columns = self.columns
        executed[columns.pose] = self._normalised(
            self._position_m - self._start_m, rotation.minus(self._quaternion, self._start_q)
        )
        commanded[columns.pose] = self._normalised(self._asked[:3], self._asked[3:])
        executed[columns.gripper] = commanded[columns.gripper] = self._gripper
        if human is not None:
            turn = rotation.logarithm(self._human_q)
            human[columns.pose] = self._normalised(self._human_m, turn)
            human[columns.gripper] = self._human_gripper

    def _normalised(self, change_m: Vector, turn: Vector) -> Vector:
        """Change (6,) over scale; an axis that the task does not use is 0."""
        change = np.concatenate([change_m, turn])
        scale = self.columns.scale
        return np.divide(change, scale, out=np.zeros(6), where=scale > 0.0)


class StepAccount:
    """One window at a time: `close_due` before the gates' tick, `note` after it.

    `arms` are the accounts of those that act; what they do is noted in them.
    """

    def __init__(self, grid: Grid, now_ns: int, arms: Sequence[ArmAccount]) -> None:
        self.grid = grid
        self._arms = tuple(arms)
        self._type = step_result_type(grid.columns)
        self._k = grid.window(now_ns)
        self._active: tuple[str, ...] = ()
        self._open()

    def close_due(self, now_ns: int, planned: "PlannedAction | None", mode: str) -> list[Record]:
        """Results of every window that ended by `now_ns`: one as a rule, more after a standstill.

        `planned` is what the policy proposed for the window that is being closed.
        """
        present = self.grid.window(now_ns)
        if present <= self._k:
            return []
        results = [self._result(self._k, planned, mode)]
        self._open()
        for k in range(max(self._k + 1, present - MISSED_AT_MOST), present):
            results.append(self._result(k, None, mode))
        self._k = present
        return results

    def due(self, now_ns: int) -> bool:
        """Whether the present window has ended."""
        return self.grid.window(now_ns) > self._k

    @property
    def begins_ns(self) -> int:
        """When the present window began."""
        return self.grid.begins_ns(self._k)

    def note(self, verdict: Verdict, driver: Driver | None) -> None:
        """One tick of one arm, whether it acts or not."""
        self._sources.add(verdict.source)
        self._limits |= int(verdict.limits)
        if verdict.reject not in _BENIGN:
            self._reject = verdict.reject
        if driver is not None:
            self._driver = driver

    def note_profiles(self, active: tuple[str, ...]) -> None:
        """Limit profiles that are active from now on, in the present window at least."""
        if active != self._active:
            self._active = active
            self._profiles.update(dict.fromkeys(active))

    def _open(self) -> None:
        self._profiles = dict.fromkeys(self._active)  # names, in the order of the cell
        for arm in self._arms:
            arm.begin()
        self._sources: set[Source] = set()
        self._limits = 0  # bits of `Limit`
        self._reject = Reject.NONE
        self._driver: Driver | None = None

    def _result(self, k: int, planned: PlannedAction | None, mode: str) -> Record:
        source = next((s for s in PRECEDENCE if s in self._sources), Source.HOLD)
        result = np.zeros((), self._type)
        result["observation_ns"] = k * self.grid.step_ns
        result["has_human"] = source is Source.HUMAN
        for arm in self._arms:
            human = result["human"] if source is Source.HUMAN else None
            arm.write(result["executed"], result["commanded"], human)
        result["source"] = source.encode()
        result["limits"] = self._limits
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
        result["limit_profiles"] = " ".join(self._profiles).encode()
        return cast(Record, result[()])
