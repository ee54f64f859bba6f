"""Joints stay inside their range and below their speed, by the simulator's own measurements."""

from dataclasses import replace

import numpy as np
import pytest

from hardware.sim.fast_loop import FastLoop
from hardware.sim.panda import default_limits
from hardware.sim.physics import Physics
from safety import impedance
from safety.standstill import REST_M_S
from tests.hardware.conftest import CONTROL_NS, LoopDriver

RANGE_RAD = 0.2
"""Of every joint about the start pose: far less than the model's own stops."""
TARGETS_M = [(0.45, 0.24, 0.2), (0.45, -0.24, 0.2), (0.62, 0.0, 0.12), (0.32, 0.0, 0.42)]


def arm(*, barrier: bool, brake: bool, speed_rad_s: float | None = None) -> LoopDriver:
    """An arm with a narrow range, watched by the law's barrier, by the loop's brake, or neither."""
    limits = default_limits()
    physics = Physics("lift_cube", limits, seed=0)
    joints = replace(
        limits.joints,
        position_min_rad=physics.q - RANGE_RAD,
        position_max_rad=physics.q + RANGE_RAD,
    )
    if barrier:
        narrow = replace(limits, joints=joints)
        physics.law = impedance.law(narrow, np.array(physics.q), 0.002)
    if brake:
        physics.joints = joints
    if speed_rad_s is not None:
        physics.joints = replace(limits.joints, velocity_rad_s=np.full(7, speed_rad_s))
    return LoopDriver(FastLoop(physics, CONTROL_NS))


def excursion_rad(driver: LoopDriver, target_m) -> float:
    """The furthest any joint comes from where it began, on the way to a target and pushing on."""
    physics = driver.loop.physics
    start, furthest, step = np.array(physics.q), 0.0, driver._send

    def watched(position, quaternion, gripper) -> None:
        nonlocal furthest
        step(position, quaternion, gripper)
        furthest = max(furthest, float(np.abs(physics.q - start).max()))

    driver._send = watched
    driver.move(target_m, speed_m_s=0.4)
    driver.wait(1.0)
    return furthest


@pytest.mark.parametrize("target_m", TARGETS_M)
def test_the_law_keeps_every_joint_inside_its_range(target_m) -> None:
    driver = arm(barrier=True, brake=False)
    assert excursion_rad(driver, target_m) < RANGE_RAD
    assert not driver.loop.braking
    assert driver.loop.physics.acted & impedance.JOINT
    still = np.abs(driver.loop.physics.dq).max()
    assert still < 0.02, "it rests against the limit"


@pytest.mark.parametrize("target_m", TARGETS_M)
def test_control_without_the_barrier_a_joint_leaves_its_range(target_m) -> None:
    assert excursion_rad(arm(barrier=False, brake=False), target_m) > 1.2 * RANGE_RAD


def test_an_arm_held_at_a_limit_comes_back_when_asked() -> None:
    driver = arm(barrier=True, brake=True)
    home = driver.position.copy()
    excursion_rad(driver, TARGETS_M[0])
    driver.move(home, speed_m_s=0.4)
    driver.wait(0.5)
    assert np.linalg.norm(driver.loop.physics.position_m - home) < 0.01
    assert not driver.loop.physics.acted & impedance.JOINT


@pytest.mark.parametrize("target_m", TARGETS_M)
def test_a_joint_that_leaves_its_range_all_the_same_stops_the_arm(target_m) -> None:
    driver = arm(barrier=False, brake=True)
    assert excursion_rad(driver, target_m) < 1.2 * RANGE_RAD
    assert driver.loop.braking
    assert "beyond its range" in driver.loop.fault


def test_a_joint_that_turns_too_fast_stops_the_arm() -> None:
    driver = arm(barrier=False, brake=False, speed_rad_s=0.3)
    driver.move(TARGETS_M[0], speed_m_s=0.4)
    assert driver.loop.braking
    assert "rad/s" in driver.loop.fault
    driver.wait(0.3)
    assert np.abs(driver.loop.physics.dq).max() < 0.02


def test_control_at_the_joints_own_speed_limit_it_goes_on() -> None:
    driver = arm(barrier=False, brake=False)
    driver.move(TARGETS_M[0], speed_m_s=0.4)
    assert not driver.loop.braking


def stopped_at_an_end(joint: int) -> LoopDriver:
    """An arm that has stopped itself with a joint 5 mrad beyond the end of its range, cleared."""
    limits = default_limits()
    physics = Physics("lift_cube", limits, seed=0)
    end_rad = limits.joints.position_max_rad.copy()
    end_rad[joint] = physics.q[joint] - 0.005
    narrow = replace(limits, joints=replace(limits.joints, position_max_rad=end_rad))
    physics.law, physics.joints = impedance.law(narrow, np.array(physics.q), 0.002), narrow.joints
    driver = LoopDriver(FastLoop(physics, CONTROL_NS))
    driver.loop.brake("stopped for this test")
    driver.wait(0.1)
    driver.position = physics.position_m.copy()
    driver.wait(0.02)
    assert driver.loop.clear() == ""
    return driver


def fastest_m_s(driver: LoopDriver, seconds: float, *, hold: bool) -> float:
    """Of the TCP, standing by one reference."""
    speeds: list[float] = []
    driver.hold = hold
    for _ in range(round(seconds / 0.005)):
        driver.wait(0.005)
        speeds.append(float(np.linalg.norm(driver.loop.physics.twist[:3])))
    return max(speeds)


@pytest.mark.parametrize("joint", [1, 3, 5])
def test_a_clear_at_the_end_of_a_range_starts_no_motion(joint: int) -> None:
    driver = stopped_at_an_end(joint)
    physics = driver.loop.physics
    before_m = physics.position_m.copy()
    assert fastest_m_s(driver, 0.5, hold=True) < REST_M_S
    assert np.linalg.norm(physics.position_m - before_m) < 1e-3
    assert fastest_m_s(driver, 2.0, hold=False) < 0.05, "it is brought back slowly"
    assert physics.q[joint] < physics.joints.position_max_rad[joint]
    assert not driver.loop.braking
