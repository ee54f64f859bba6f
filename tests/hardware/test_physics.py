"""The simulated arm against numbers known from elsewhere: weights, forces, geometry."""

import mujoco
import numpy as np
import pytest

from hardware.sim import gripper
from hardware.sim.panda import default_limits
from hardware.sim.physics import Physics
from safety import rotation
from safety.limits import ArmLimits
from safety.vocabulary import Limit

G = 9.81


def limits_with(clip_m: float) -> ArmLimits:
    """The default limits with another clip and a force limit that allows it."""
    from dataclasses import replace

    plain = default_limits()
    cartesian = replace(plain.cartesian, clip_m=np.full((2, 3), clip_m))
    return replace(
        plain,
        cartesian=cartesian,
        force_limit_n=2000.0 * clip_m,
        free_speed_limit_m_s=23.0 * clip_m,
    )


def run(physics: Physics, position: np.ndarray, quaternion: np.ndarray, duration_s: float) -> None:
    for _ in range(round(duration_s / physics.dt_s)):
        physics.step(position, quaternion)


def push_on_table(clip_m: float) -> tuple[float, float]:
    """Greatest vertical force at rest by the estimate and by the table's own contacts, N."""
    physics = Physics("lift_cube", limits_with(clip_m), seed=2)
    start = physics.position_m.copy()
    down = physics.quaternion.copy()
    physics.data.joint("cube").qpos[:2] = (0.30, 0.30)  # out of the way
    physics.gripper.command(0.0)
    deep = np.array([start[0], start[1], -0.1])
    for i in range(1000):
        physics.step(start + (deep - start) * i / 1000, down)
    run(physics, deep, down, 1.0)
    mujoco.mj_forward(physics.model, physics.data)  # forces of the contacts listed now
    table = physics.model.geom("table").id
    cube = physics.model.geom("cube").id
    total, force = 0.0, np.zeros(6)
    for index in range(physics.data.ncon):
        contact = physics.data.contact[index]
        pair = set(map(int, contact.geom))
        if table in pair and cube not in pair:
            mujoco.mj_contactForce(physics.model, physics.data, index, force)
            world = contact.frame.reshape(3, 3).T @ force[:3]
            total += abs(world[2])
    assert np.abs(physics.twist).max() < 1e-3, "the arm is at rest"
    return float(physics.wrench[2]), total


@pytest.mark.parametrize("task", ["lift_cube", "insert_peg"])
def test_same_seed_gives_the_same_motion(task: str):
    def final(seed: int) -> np.ndarray:
        physics = Physics(task, default_limits(), seed=seed)
        goal = physics.position_m + np.array([0.02, 0.01, -0.05])
        run(physics, goal, physics.quaternion.copy(), 0.3)
        return np.concatenate([physics.data.qpos, physics.data.qvel, physics.wrench])

    first, again, other = final(7), final(7), final(8)
    assert (first == again).all()
    assert not np.allclose(first, other)


def test_placing_again_gives_the_same_motion_as_a_fresh_start():
    fresh = Physics("lift_cube", default_limits(), seed=5)
    used = Physics("lift_cube", default_limits(), seed=4)
    run(used, used.position_m + np.array([0.0, 0.03, -0.02]), used.quaternion.copy(), 0.3)
    used.place(5, with_arm=True)
    turn = fresh.quaternion.copy()
    for physics in (fresh, used):
        run(physics, np.array([0.45, 0.0, 0.15]), turn, 0.2)
    np.testing.assert_allclose(used.q, fresh.q, atol=1e-9)


@pytest.mark.parametrize("task", ["lift_cube", "insert_peg"])
def test_holds_against_gravity(task: str):
    physics = Physics(task, default_limits(), seed=1)
    position, quaternion = physics.position_m.copy(), physics.quaternion.copy()
    run(physics, position, quaternion, 1.0)
    assert np.linalg.norm(physics.position_m - position) < 0.5e-3
    assert np.linalg.norm(rotation.minus(physics.quaternion, quaternion)) < 2e-3
    assert np.abs(physics.twist).max() < 1e-3
    assert physics.limits == Limit.NONE


def test_reaches_the_commanded_pose():
    physics = Physics("lift_cube", default_limits(), seed=1)
    start, begin = physics.position_m.copy(), physics.quaternion.copy()
    goal = np.array([0.52, 0.10, 0.12])
    turn = rotation.plus(begin, np.array([0.1, -0.15, 0.4]))
    for i in range(1000):
        physics.step(start + (goal - start) * i / 1000, rotation.slerp(begin, turn, i / 1000))
    run(physics, goal, turn, 1.0)
    assert np.linalg.norm(physics.position_m - goal) < 0.3e-3
    assert np.linalg.norm(rotation.minus(turn, physics.quaternion)) < 3e-3


def test_wrench_is_the_weight_in_the_hand():
    physics = Physics("insert_peg", default_limits(), seed=3)
    run(physics, physics.position_m.copy(), physics.quaternion.copy(), 1.0)
    weight = float(physics.model.body("peg").mass[0]) * G
    np.testing.assert_allclose(physics.wrench[:3], [0.0, 0.0, -weight], atol=0.01)
    empty = Physics("lift_cube", default_limits(), seed=3)
    run(empty, empty.position_m.copy(), empty.quaternion.copy(), 1.0)
    np.testing.assert_allclose(empty.wrench, np.zeros(6), atol=0.01)


def test_contact_force_at_rest_is_bounded_by_stiffness_times_clip():
    estimate, contacts = push_on_table(0.01)
    bound = default_limits().bounds.force_n[0, 2]
    assert estimate == pytest.approx(contacts, abs=0.1), "two independent measurements agree"
    assert 0.9 * bound < contacts <= bound + 0.1, "the push is on, and the bound holds"


def test_contact_force_without_the_clip_exceeds_the_bound():
    _, contacts = push_on_table(0.03)
    assert contacts > 2 * default_limits().bounds.force_n[0, 2]


def test_gripper_opening_is_the_distance_between_its_pads():
    physics = Physics("lift_cube", default_limits(), seed=0)
    left, right = physics.model.geom("left_pad1").id, physics.model.geom("right_pad1").id
    for wanted in (0.0, 0.02, 0.05, 0.085):
        physics.gripper.command(wanted)
        run(physics, physics.position_m.copy(), physics.quaternion.copy(), 1.5)
        apart = mujoco.mj_geomDistance(physics.model, physics.data, left, right, 1.0, None)
        assert physics.gripper.opening_m == pytest.approx(apart, abs=1e-3)
        assert physics.gripper.opening_m == pytest.approx(wanted, abs=1.5e-3)
        assert not physics.gripper.moving


def test_gripper_takes_its_time():
    physics = Physics("lift_cube", default_limits(), seed=0)
    position, quaternion = physics.position_m.copy(), physics.quaternion.copy()
    physics.gripper.command(0.0)
    run(physics, position, quaternion, 0.4)
    least = gripper.MAX_OPENING_M - 0.4 * gripper.SPEED_M_S
    assert least - 0.004 < physics.gripper.opening_m < gripper.MAX_OPENING_M - 0.02
    assert physics.gripper.moving


def test_brake_stops_a_moving_arm_and_holds_it():
    physics = Physics("lift_cube", default_limits(), seed=0)
    start, quaternion = physics.position_m.copy(), physics.quaternion.copy()
    for i in range(200):
        physics.step(start + np.array([0.0, 0.0005 * i, 0.0]), quaternion)
    assert np.linalg.norm(physics.twist[:3]) > 0.15, "it moves before it brakes"
    for _ in range(100):  # 200 ms
        physics.brake()
    assert np.linalg.norm(physics.twist[:3]) < 0.005
    stopped = physics.position_m.copy()
    for _ in range(500):
        physics.brake()
    assert np.linalg.norm(physics.position_m - stopped) < 2e-3
    assert Limit.BRAKE in physics.limits


def test_torque_never_jumps():
    physics = Physics("lift_cube", default_limits(), seed=0)
    rng = np.random.default_rng(11)
    step = physics.law.torque_step
    goal = before = physics.torque_nm.copy()
    for i in range(600):
        if i % 25 == 0:
            goal = physics.position_m + rng.uniform(-0.3, 0.3, 3)
        if i % 200 < 150:
            physics.step(goal, physics.quaternion.copy())
        else:
            physics.brake()
        assert (np.abs(physics.torque_nm - before) <= step + 1e-9).all()
        before = physics.torque_nm.copy()
