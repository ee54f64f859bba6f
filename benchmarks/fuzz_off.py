"""Positive controls of the fuzz run: one limiter off, and what must then be seen beyond 1.

Off means: the parts are built with a value that does not bind, or one function is replaced here.
`safety/` knows no such switch. A clip, and a joint's range, have to be off in gate and law, which
both have them: what is shown is that the run would see it, not which of the two holds.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from benchmarks.fuzz_measured import Quantity
from safety import gate
from safety.excursion import WorkspaceBrake
from safety.limits import ArmLimits
from safety.settings import GateSettings
from safety.tracking import Tracker
from safety.vocabulary import Reject

MANY = 1000.0
_UNBOUND = {
    "force_limit_n": 1e9,
    "torque_limit_nm": 1e9,
    "free_speed_limit_m_s": 1e9,
    "free_rotation_limit_rad_s": 1e9,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Off:
    """One limiter: the limits and settings without it, what is replaced, and what then shows it."""

    shown_by: tuple[Quantity, ...]
    limits: Callable[[ArmLimits], ArmLimits] = lambda limits: limits
    settings: Callable[[GateSettings], GateSettings] = lambda settings: settings
    patches: tuple[tuple[Any, str, Any], ...] = ()
    spells: tuple[str, ...] = ()
    """Only these, so that it is soon seen."""
    reasons: tuple[str, ...] = ()
    """The same of inadmissible proposals."""

    @contextmanager
    def applied(self) -> Iterator[None]:
        before = [(owner, name, getattr(owner, name)) for owner, name, _ in self.patches]
        for owner, name, put in self.patches:
            setattr(owner, name, put)
        try:
            yield
        finally:
            for owner, name, put in before:
                setattr(owner, name, put)


def _cartesian(**values: Callable[[Any], Any]) -> Callable[[ArmLimits], ArmLimits]:
    def change(limits: ArmLimits) -> ArmLimits:
        found = {name: put(getattr(limits.cartesian, name)) for name, put in values.items()}
        return replace(limits, cartesian=replace(limits.cartesian, **found), **_UNBOUND)

    return change


def _joints(**values: Callable[[Any], Any]) -> Callable[[ArmLimits], ArmLimits]:
    def change(limits: ArmLimits) -> ArmLimits:
        found = {name: put(getattr(limits.joints, name)) for name, put in values.items()}
        return replace(limits, joints=replace(limits.joints, **found))

    return change


def _shapeless(limits: ArmLimits) -> ArmLimits:
    return replace(limits, collision=None)


def _boundless(limits: ArmLimits) -> ArmLimits:
    """Joints without bounds in gate and law, up to the engine's own stops; and no shape, which
    would keep the arm from folding so far.
    """
    joints = _joints(
        position_min_rad=lambda low: low - 1.0,
        position_max_rad=lambda high: high + 1.0,
        velocity_rad_s=_much,
        acceleration_rad_s2=_much,
    )
    return joints(_shapeless(limits))


def _much(value: Any) -> Any:
    return MANY * value


def unjudged(reject: Reject) -> Off:
    """Proposals that are to be refused for this reason are let through."""
    asked = gate.judge

    def judge(*of: Any) -> Reject:
        found = asked(*of)
        return Reject.NONE if found is reject else found

    return Off(
        shown_by=(Quantity.UNADMITTED,),
        patches=((gate, "judge", judge),),
        spells=("refused",),
        reasons=(reject.value,),
    )


def _run_on(tracker: Any) -> None:
    tracker.position_m = tracker.position_m + tracker.velocity[:3] * tracker.period_s


_DRIVEN = ("moving", "pushed")

OFF = {
    "speed": Off(
        shown_by=(Quantity.SPEED,),
        limits=_cartesian(speed_m_s=_much, angular_speed_rad_s=_much),
        spells=_DRIVEN,
    ),
    "acceleration": Off(
        shown_by=(Quantity.REFERENCE,),
        limits=_cartesian(acceleration_m_s2=_much, jerk_m_s3=_much),
        spells=_DRIVEN,
    ),
    "workspace": Off(
        shown_by=(Quantity.POSITION,),
        limits=_cartesian(box_min_m=lambda low: low - 1.0, box_max_m=lambda high: high + 1.0),
        spells=_DRIVEN,
    ),
    "position_clip": Off(
        shown_by=(Quantity.STATIC_FORCE,), limits=_cartesian(clip_m=_much), spells=("jam",)
    ),
    "rotation_clip": Off(
        shown_by=(Quantity.STATIC_TORQUE,),
        limits=_cartesian(clip_rad=lambda clip: np.full_like(clip, 1.5)),
        spells=("jam",),
    ),
    "risk": Off(
        shown_by=(Quantity.UNADMITTED,),
        settings=lambda settings: replace(settings, risk_threshold=None),
        spells=("refused",),
        reasons=("risk",),
    ),
    "torque": Off(shown_by=(Quantity.TORQUE,), limits=_joints(torque_nm=_much), spells=("jam",)),
    "torque_rate": Off(shown_by=(Quantity.TORQUE_RATE,), limits=_joints(torque_rate_nm_s=_much)),
    "solver_fallback": Off(
        shown_by=(Quantity.UNADMITTED,),
        patches=((Tracker, "_brake_without_solver", _run_on),),
        spells=("solver",),
    ),
    "excursion": Off(
        shown_by=(Quantity.OUTSIDE,),
        patches=((WorkspaceBrake, "look", lambda *_: False),),
        spells=("carried",),
    ),
    "joint": Off(
        shown_by=(Quantity.JOINT_SPEED, Quantity.JOINT_RANGE),
        limits=_boundless,
        spells=_DRIVEN,
    ),
    "collision": Off(shown_by=(Quantity.CLEARANCE,), limits=_shapeless, spells=_DRIVEN),
    **{
        reject.value: unjudged(reject)
        for reject in (
            Reject.NOT_FINITE,
            Reject.NO_AUTHORITY,
            Reject.OLD_EPOCH,
            Reject.STALE,
            Reject.NOT_YET_VALID,
            Reject.EXPIRED,
            Reject.REPLAYED,
        )
    },
}

UNCONTROLLED = {
    Reject.NO_PROPOSAL.value: "there is nothing that could be let through",
    Reject.SHAPE.value: "numpy refuses to compute with it: the gate raises, control ends, and the "
    "arm's own watchdog brakes",
    Reject.MEASUREMENT.value: "the reference becomes NaN, which the arm's own door refuses, and "
    "its watchdog brakes",
    "singularity": "the law pulls by the transposed Jacobian, so that joints stay below their "
    "speed without it; tests/safety/test_joint_space.py has its control",
    "force": "the recorder's: it marks a step and holds nothing back",
    "brake": "the arm's own, of what the fault tests inject (tests/faults)",
}
"""Without a control here, and why."""
