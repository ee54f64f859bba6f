"""The gate keeps the simulated Panda's joints within narrow limits, by the simulator's own joints.

The arm's own barrier and brake are wide: what holds here is the gate alone.
"""

from dataclasses import replace

import numpy as np
import pytest

from hardware.sim.fast_loop import FastLoop
from hardware.sim.panda import ACCELERATION_RAD_S2, default_limits
from hardware.sim.physics import Physics
from safety.gate import Gate, Measured
from safety.modes import ModeState
from safety.proposal import Twist
from safety.settings import GateSettings
from safety.vocabulary import Limit, Mode
from tests.hardware.conftest import CONTROL_NS, LoopDriver

RANGE_RAD, SPEED_RAD_S = 0.25, 0.6
STATE = ModeState(mode=Mode.TAKEOVER)
WAYS = [(0.0, 0.4, 0.0), (0.3, 0.0, -0.2), (-0.3, -0.2, 0.2), (0.0, -0.4, 0.1)]


type Seen = tuple[np.ndarray, np.ndarray]  # q and dq, (7,)


def driven(*, limited: bool, way: tuple[float, ...]) -> tuple[LoopDriver, list[Seen], int]:
    """A person pushes one way for 1.5 s; joints at every command and how often a limit acted."""
    plain = default_limits()
    driver = LoopDriver(FastLoop(Physics("lift_cube", plain, seed=0), CONTROL_NS))
    physics = driver.loop.physics
    joints = replace(
        plain.joints,
        position_min_rad=physics.q - RANGE_RAD,
        position_max_rad=physics.q + RANGE_RAD,
        velocity_rad_s=np.full(7, SPEED_RAD_S),
        acceleration_rad_s2=np.array(ACCELERATION_RAD_S2) / 4.0 if limited else None,
    )
    wide = replace(
        plain.cartesian, box_min_m=np.full(3, -1.0), box_max_m=np.full(3, 1.0), speed_m_s=0.8
    )
    limits = replace(plain, joints=joints, cartesian=wide)
    gate = Gate(limits, GateSettings(period_s=CONTROL_NS * 1e-9), seen(driver))
    joints_seen: list[Seen] = [(np.array(physics.q), np.zeros(7))]
    acted = 0
    for _ in range(300):
        twist = Twist(
            epoch=STATE.epoch, received_ns=driver.now_ns, twist=np.array([*way, 0.0, 0.0, 0.0])
        )
        decision = gate.tick(driver.now_ns, seen(driver), twist, STATE)
        driver.step(decision.command.position_m, decision.command.quaternion, 1.0)
        acted += Limit.JOINT in decision.verdict.limits
        joints_seen.append((np.array(physics.q), np.array(physics.dq)))
    return driver, joints_seen, acted


def seen(driver: LoopDriver) -> Measured:
    state = driver.loop.measure(driver.now_ns)
    return Measured(
        t_robot_ns=driver.now_ns,
        position_m=state.position_m,
        quaternion=state.quaternion_wxyz,
        q_rad=state.q_rad,
        jacobian=state.jacobian,
    )


def assert_held(joints: list[Seen]) -> None:
    q, dq = (np.array(part) for part in zip(*joints, strict=True))
    assert np.abs(q - q[0]).max() < RANGE_RAD
    assert np.abs(dq).max() < SPEED_RAD_S


@pytest.mark.parametrize("way", WAYS)
def test_the_arm_stays_within_range_and_speed_of_its_joints(way: tuple[float, ...]) -> None:
    driver, joints, acted = driven(limited=True, way=way)
    assert_held(joints)
    assert acted > 50
    assert not driver.loop.braking
    assert np.abs(joints[-1][0] - joints[0][0]).max() > 0.6 * RANGE_RAD, "it goes as far as it may"
    assert np.abs(driver.loop.physics.dq).max() < 0.1, "and stands there"


@pytest.mark.parametrize("way", WAYS)
def test_control_without_joint_limits_in_the_gate(way: tuple[float, ...]) -> None:
    with pytest.raises(AssertionError):
        assert_held(driven(limited=False, way=way)[1])
