"""What a change of driver did to the reference, the motors and the contact. No input or output.

One account for each arm and change, over `ACCOUNT_NS` from the change on. A hold between two
drivers (the policy thinks, a person has not moved yet) is part of the change; a hold after which
the same driver goes on under the same epoch is none.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hardware.arm import ArmState
from robot_rl.daemon.messages import HandoverMeasured
from robot_rl.schema.episode import HandoverFigures
from safety import rotation
from safety.vocabulary import Source

type Vector = NDArray[np.float64]

ACCOUNT_NS = 200_000_000
"""Twice the time in which the reference decays to the measured pose (`safety.decay`)."""


@dataclass(slots=True, kw_only=True)
class _Open:
    before: Source
    after: Source
    t_ns: int
    force_before_n: float
    closes_ns: int
    jump_m: float = 0.0
    jump_rad: float = 0.0
    jerk_m_s3: float = 0.0
    torque_step_nm_ms: float = 0.0
    force_n: float = 0.0

    def close(self, arm: str) -> HandoverMeasured:
        figures = HandoverFigures(
            arm=arm,
            before=self.before,
            after=self.after,
            jump_m=self.jump_m,
            jump_rad=self.jump_rad,
            jerk_m_s3=self.jerk_m_s3,
            torque_step_nm_ms=self.torque_step_nm_ms,
            force_before_n=self.force_before_n,
            force_n=self.force_n,
        )
        return HandoverMeasured(figures=figures, t_ns=self.t_ns)


class HandoverWatch:
    """State: who drives, the last ticks' motion and measurement, the account that is open."""

    def __init__(
        self, name: str, arm: ArmState, position_m: Vector, quaternion: Vector, *, period_s: float
    ) -> None:
        self._name, self._period_s = name, period_s
        self._driver, self._epoch = Source.HOLD, 0
        self._position_m, self._quaternion = position_m, quaternion
        self._moved, self._jump_m = np.zeros(6), np.zeros(3)
        self._arm = arm
        self._open: _Open | None = None

    def tick(
        self,
        now_ns: int,
        arm: ArmState,
        source: Source,
        epoch: int,
        position_m: Vector,
        quaternion: Vector,
    ) -> HandoverMeasured | None:
        """One tick: who moved the reference, to which pose. An account that is over, or None."""
        turned = rotation.minus(quaternion, self._quaternion)
        moved = np.concatenate([position_m - self._position_m, turned])
        departed = moved - self._moved
        changed = self._changes(source, epoch)
        if changed:
            self._begin(source, now_ns)
        over: HandoverMeasured | None = None
        if self._open is not None:
            self._note(self._open, departed, arm)
            if now_ns >= self._open.closes_ns:
                over, self._open = self._open.close(self._name), None
        if source is not Source.HOLD or changed:
            self._driver, self._epoch = source, epoch
        self._position_m, self._quaternion = position_m, quaternion
        self._moved, self._jump_m, self._arm = moved, departed[:3], arm
        return over

    def _changes(self, source: Source, epoch: int) -> bool:
        if source is self._driver:
            return source is not Source.HOLD and epoch != self._epoch
        return source is not Source.HOLD or epoch != self._epoch

    def _begin(self, source: Source, now_ns: int) -> None:
        """A change while another is being accounted for goes on with that one."""
        opened = self._open
        if opened is None:
            self._open = _Open(
                before=self._driver,
                after=source,
                t_ns=now_ns,
                force_before_n=_force_n(self._arm),
                closes_ns=now_ns + ACCOUNT_NS,
            )
        else:
            opened.after, opened.closes_ns = source, now_ns + ACCOUNT_NS

    def _note(self, opened: _Open, departed: Vector, arm: ArmState) -> None:
        opened.jump_m = max(opened.jump_m, math.hypot(*departed[:3].tolist()))
        opened.jump_rad = max(opened.jump_rad, math.hypot(*departed[3:].tolist()))
        jerk = math.hypot(*(departed[:3] - self._jump_m).tolist()) / self._period_s**3
        opened.jerk_m_s3 = max(opened.jerk_m_s3, jerk)
        opened.force_n = max(opened.force_n, _force_n(arm))
        passed_ms = (arm.t_ns - self._arm.t_ns) * 1e-6
        if passed_ms > 0.0:
            step = float(np.abs(arm.torque_nm - self._arm.torque_nm).max()) / passed_ms
            if math.isfinite(step):
                opened.torque_step_nm_ms = max(opened.torque_step_nm_ms, step)


def _force_n(arm: ArmState) -> float:
    """0 where it is no number: that is latched elsewhere, and an account must be told whole."""
    force_n = math.hypot(*arm.wrench[:3].tolist())
    return force_n if math.isfinite(force_n) else 0.0
