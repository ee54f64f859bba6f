"""The barrier at the end of a joint's range: it holds, comes back damped, and starts no motion."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from safety.impedance import (
    JOINT_AHEAD_S,
    JOINT_BACK_RAD_S,
    JOINT_ZONE_RAD,
    Law,
    brake_torque,
    impedance_torque,
    law,
    scratch,
    yield_to,
)
from safety.limits import ArmLimits
from safety.standstill import STILL_RAD_S
from safety.vocabulary import Limit
from tests.safety.chain import chain

ARM, BENT = chain(7)
JOINT, MOST_RAD, DT_S = 5, 2.9, 0.002
FRICTION_NM_S, INERTIA_KG_M2 = 5.0, 0.5
SIDES = pytest.mark.parametrize("side", [1.0, -1.0])


@dataclass
class Joint:
    """One joint of an arm whose reference and posture are wherever it is: only a barrier pushes.

    Positions are given as seen from the middle of its range towards `side`.
    """

    constants: Law
    side: float
    work: np.ndarray = field(default_factory=scratch)
    acted: Limit = Limit.NONE

    def _state(self, deep_rad: float, outward_rad_s: float) -> tuple[np.ndarray, np.ndarray]:
        q, dq = BENT.copy(), np.zeros(7)
        q[JOINT] = self.side * (MOST_RAD - JOINT_ZONE_RAD + deep_rad)
        dq[JOINT] = self.side * outward_rad_s
        return q, dq

    def torque(self, deep_rad: float, outward_rad_s: float = 0.0, *, hold: bool = True) -> float:
        """Of the barrier, inward, Nm; so deep in its zone, and so fast."""
        q, dq = self._state(deep_rad, outward_rad_s)
        position, quaternion, jacobian = ARM.pose(q)
        out, pose = np.zeros(7), (position, quaternion)
        constants = self.constants._replace(posture=q, damping=np.zeros(6), hold_rate=0.0)
        constants = constants._replace(nullspace_damping=0.0)
        none, inertia = np.zeros(7), np.eye(7)
        self.acted = Limit(
            impedance_torque(
                constants, q, dq, jacobian, *pose, *pose, inertia, hold, none, none, self.work, out
            )
        )
        return -self.side * float(out[JOINT])

    def brake(self, deep_rad: float) -> None:
        q, dq = self._state(deep_rad, 0.0)
        brake_torque(self.constants, q, dq, q.copy(), np.zeros(7), np.zeros(7), self.work, dq)


@pytest.fixture
def constants(arm_limits: ArmLimits) -> Law:
    free = np.full(7, 1e9)
    return law(arm_limits, BENT, DT_S)._replace(torque_step=free)


def most_nm(constants: Law) -> float:
    return float(constants.torque_limit[JOINT])


@SIDES
def test_a_brake_at_the_end_of_a_range_starts_no_motion(constants: Law, side: float) -> None:
    """Cleared, the law holds the joint there; without the brake its barrier pushes."""
    for deep_rad in (0.01, JOINT_ZONE_RAD, JOINT_ZONE_RAD + 0.015):
        joint = Joint(constants, side)
        joint.brake(deep_rad)
        assert joint.torque(deep_rad) == pytest.approx(0.0, abs=1e-9)
        assert Limit.JOINT not in joint.acted
        fresh = Joint(constants, side)
        assert fresh.torque(deep_rad) > 0.3 * most_nm(constants)
        assert Limit.JOINT in fresh.acted


@SIDES
def test_a_yielded_barrier_still_holds_outward(constants: Law, side: float) -> None:
    joint = Joint(constants, side)
    joint.brake(0.04)
    stiffness = 2.0 * most_nm(constants) / JOINT_ZONE_RAD
    assert joint.torque(0.05) == pytest.approx(0.01 * stiffness)
    outward_rad_s = STILL_RAD_S + 0.1
    assert joint.torque(0.04, outward_rad_s) == pytest.approx(0.1 * JOINT_AHEAD_S * stiffness)
    assert joint.torque(0.04 + JOINT_ZONE_RAD) == pytest.approx(most_nm(constants))


@SIDES
def test_a_barrier_follows_a_joint_inward_and_not_back(constants: Law, side: float) -> None:
    joint = Joint(constants, side)
    joint.brake(0.04)
    assert joint.torque(0.02) == pytest.approx(0.0, abs=1e-9)
    assert joint.torque(0.04) == pytest.approx(0.02 * 2.0 * most_nm(constants) / JOINT_ZONE_RAD)
    assert joint.torque(-0.5) == pytest.approx(0.0, abs=1e-9)
    assert joint.torque(0.04) == pytest.approx(most_nm(constants))


@SIDES
def test_a_barrier_takes_its_zone_back_slowly_once_the_arm_may_move(
    constants: Law, side: float
) -> None:
    joint = Joint(constants, side)
    joint.brake(0.02)
    assert [joint.torque(0.02) for _ in range(3)] == pytest.approx([0.0] * 3, abs=1e-9)
    step_nm = JOINT_BACK_RAD_S * DT_S * 2.0 * most_nm(constants) / JOINT_ZONE_RAD
    pushed = [joint.torque(0.02, hold=False) for _ in range(300)]
    np.testing.assert_allclose(pushed[:5], step_nm * np.arange(1, 6))
    assert pushed[-1] == pytest.approx(0.02 * 2.0 * most_nm(constants) / JOINT_ZONE_RAD)


@SIDES
def test_a_joint_that_comes_back_is_braked_and_never_pulled_outward(
    constants: Law, side: float
) -> None:
    """Not much faster than its depth in `JOINT_AHEAD_S`: a spring that was pressed throws not."""
    joint, stiffness = Joint(constants, side), 2.0 * most_nm(constants) / JOINT_ZONE_RAD
    back_rad_s = -STILL_RAD_S - 0.1
    assert joint.torque(0.02, back_rad_s) == pytest.approx((0.02 - 0.1 * JOINT_AHEAD_S) * stiffness)
    back_rad_s = -STILL_RAD_S - 0.02 / JOINT_AHEAD_S
    assert joint.torque(0.02, back_rad_s) == pytest.approx(0.0, abs=1e-9)
    assert joint.torque(0.02, -1.5) == pytest.approx(0.0, abs=1e-9)
    assert Limit.JOINT not in joint.acted


def test_a_barrier_yields_to_no_position_that_is_no_number(constants: Law) -> None:
    work = scratch()
    yield_to(constants, np.full(7, np.nan), work)
    assert (work == 0.0).all()


@SIDES
def test_a_barrier_that_yielded_is_not_driven_by_noise(constants: Law, side: float) -> None:
    """Speeds as measured of a joint that stands, for 10 s: without a dead-band it creeps inward."""
    rng, joint, deep_rad, outward_rad_s = (
        np.random.default_rng(4),
        Joint(constants, side),
        0.04,
        0.0,
    )
    joint.brake(deep_rad)
    for noise in rng.uniform(-0.9, 0.9, 5000) * STILL_RAD_S:
        pushed_nm = joint.torque(deep_rad, outward_rad_s + noise) + FRICTION_NM_S * outward_rad_s
        outward_rad_s -= DT_S * pushed_nm / INERTIA_KG_M2
        deep_rad += DT_S * outward_rad_s
    assert abs(deep_rad - 0.04) < 1e-6
    assert Limit.JOINT not in joint.acted


def test_a_joint_near_its_speed_limit_is_braked(constants: Law) -> None:
    """By nothing up to there, and from there on by the brake's damping."""
    joint = Joint(constants, 1.0)
    fast_rad_s = float(constants.joint_fast[JOINT])
    for way in (1.0, -1.0):
        assert joint.torque(-1.0, way * fast_rad_s) == pytest.approx(0.0, abs=1e-9)
        assert Limit.JOINT not in joint.acted
        braked_nm = joint.torque(-1.0, way * (fast_rad_s + 0.1))
        assert braked_nm == pytest.approx(way * 0.1 * constants.brake_damping[JOINT])
        assert Limit.JOINT in joint.acted
