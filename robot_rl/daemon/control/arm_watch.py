"""What is wrong with the arm: measurements that are missing, no numbers or not of its shape, or a
stop of its own.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Self

from hardware.arm import ArmState
from safety.admission import usable_pose
from safety.faults import FaultCode, arm_called, sentence
from safety.standstill import at_rest

UNUSABLE_NS = 25_000_000
"""Measurements that cannot be used for this long latch a fault; a single one is ridden out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultFound:
    """A fault to latch, with what completes its sentence."""

    code: FaultCode
    details: Mapping[str, object] = field(default_factory=dict[str, object])


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmCondition:
    """An arm at one tick, or all arms together. A sentence each, or None."""

    unusable: str | None = None
    """Why its measurements cannot be used."""
    stopped: str | None = None
    """Why it stopped itself."""
    speed_m_s: float = 0.0

    @classmethod
    def of_all(cls, arms: Iterable[Self]) -> Self:
        """The first of each sentence, and the fastest."""
        each = tuple(arms)
        return cls(
            unusable=next((arm.unusable for arm in each if arm.unusable is not None), None),
            stopped=next((arm.stopped for arm in each if arm.stopped is not None), None),
            speed_m_s=fastest(arm.speed_m_s for arm in each),
        )

    @property
    def obstacle(self) -> str | None:
        """Why a latch must not be cleared, apart from the arm's own stop, which may be left."""
        if self.unusable is not None:
            return self.unusable
        if not at_rest(self.speed_m_s):
            return f"The arm still moves at {self.speed_m_s * 1e3:.0f} mm/s; wait until it stands."
        return None


class ArmWatch:
    """State: since when measurements are unusable; condition and fault of the newest tick."""

    def __init__(self, name: str) -> None:
        self.called = arm_called(name)
        self._details = {"arm": self.called}
        self.condition = ArmCondition()
        self.fault: FaultFound | None = None
        self._unusable_since_ns: int | None = None

    def look(self, arm: ArmState | None, now_ns: int, contradicted: str | None = None) -> None:
        """See this tick's measurement, and what the gate found in the last one."""
        if arm is None:
            self.fault = FaultFound(code=FaultCode.ARM_SILENT, details=self._details)
            self.condition = ArmCondition(unusable=_sentence(self.fault))
            return
        problem = _problem(arm) or contradicted
        if problem is None:
            self._unusable_since_ns = None
        elif self._unusable_since_ns is None:
            self._unusable_since_ns = now_ns
        unusable = stopped = None
        if problem is not None:
            details = {**self._details, "problem": problem}
            unusable = FaultFound(code=FaultCode.ARM_UNUSABLE, details=details)
        if arm.braking or arm.fault:
            reason = arm.fault or "no reason given"
            details = {**self._details, "reason": reason}
            stopped = FaultFound(code=FaultCode.ARM_STOPPED, details=details)
        since_ns = self._unusable_since_ns
        lasts = since_ns is not None and now_ns - since_ns >= UNUSABLE_NS
        self.fault = stopped or (unusable if lasts else None)
        self.condition = ArmCondition(
            unusable=_sentence(unusable),
            stopped=_sentence(stopped),
            speed_m_s=speed_m_s(arm),
        )


def speed_m_s(arm: ArmState) -> float:
    """Of the measured TCP."""
    return math.hypot(*arm.twist[:3].tolist())


def fastest(speeds: Iterable[float]) -> float:
    """The greatest of some speeds; NaN with one that is no number."""
    each = list(speeds)
    return math.nan if any(map(math.isnan, each)) else max(each)


def _sentence(found: FaultFound | None) -> str | None:
    return None if found is None else sentence(found.code, **found.details)


def _problem(arm: ArmState) -> str | None:
    if bad := arm.not_finite:
        return f"not finite: {', '.join(bad)}"
    if not usable_pose(arm.position_m, arm.quaternion_wxyz):
        return "the quaternion is not of unit length"
    return None
