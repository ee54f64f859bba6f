"""Both tasks are solved by commands alone from every seed tried, and not by doing them wrong."""

import numpy as np
import pytest
from numpy.typing import NDArray

from hardware.sim import scene
from hardware.sim.settings import TASK_NAMES
from hardware.sim.tasks import TASKS, InsertPeg, LiftCube, body_pose


def yaw_of(quaternion: NDArray[np.float64]) -> float:
    return float(2 * np.arctan2(quaternion[3], quaternion[0]))


def test_task_names_are_complete():
    assert set(TASK_NAMES) == set(TASKS)


@pytest.mark.parametrize("seed", range(4))
def test_cube_is_lifted_by_commands(drive, experts, seed: int):
    driver = drive("lift_cube", seed)
    physics = driver.loop.physics
    driver.wait(0.2)
    assert not physics.judge().success
    cube, quaternion = body_pose(physics.data, "cube")
    experts.lift_cube(driver, cube, yaw_of(quaternion))
    judged = physics.judge()
    assert judged.held
    assert judged.success
    assert judged.progress == 1.0
    driver.grip(1.0)
    assert not physics.judge().held, "an opened gripper holds nothing"
    assert not physics.judge().success


def test_cube_beside_the_fingers_is_not_lifted(drive, experts):
    driver = drive("lift_cube", 0)
    cube, quaternion = body_pose(driver.loop.physics.data, "cube")
    experts.lift_cube(driver, cube + np.array([0.05, 0.0, 0.0]), yaw_of(quaternion))
    assert not driver.loop.physics.judge().success


@pytest.mark.parametrize("seed", range(4))
def test_peg_is_inserted_by_commands(drive, experts, seed: int):
    driver = drive("insert_peg", seed)
    physics = driver.loop.physics
    driver.wait(0.2)
    assert physics.judge().held
    assert physics.judge().progress == 0.0
    socket, quaternion = body_pose(physics.data, "socket")
    experts.insert_peg(driver, socket, yaw_of(quaternion), physics.task.tip_m)
    judged = physics.judge()
    assert judged.success, judged
    assert judged.measure_m >= InsertPeg.DONE * InsertPeg.DEPTH_M


def test_peg_beside_the_hole_is_not_inserted(drive, experts):
    driver = drive("insert_peg", 1)
    physics = driver.loop.physics
    socket, quaternion = body_pose(physics.data, "socket")
    beside = socket + np.array([0.006, 0.0, 0.0])
    experts.insert_peg(driver, beside, yaw_of(quaternion), physics.task.tip_m)
    assert not physics.judge().success
    assert physics.judge().held, "the peg stays in the hand while it is pushed against the rim"


@pytest.mark.parametrize("task", TASK_NAMES)
def test_objects_lie_where_the_seed_says(task: str):
    import mujoco

    model, chosen = scene.build(task)
    data = mujoco.MjData(model)
    name = chosen.objects[-1]  # the cube; the socket
    kind = TASKS[task]
    (low_x, high_x), (low_y, high_y) = kind.REGION_M
    seen: list[tuple[float, ...]] = []
    for seed in range(50):
        chosen.place(data, seed)
        mujoco.mj_kinematics(model, data)
        position, quaternion = body_pose(data, name)
        assert low_x <= position[0] <= high_x
        assert low_y <= position[1] <= high_y
        assert abs(yaw_of(quaternion)) <= kind.YAW_RAD + 1e-9
        seen.append((*position, *quaternion))
        chosen.place(data, seed)
        mujoco.mj_kinematics(model, data)
        again = (*body_pose(data, name)[0], *body_pose(data, name)[1])
        assert again == seen[-1], "the same seed gives the same place"
    assert len(set(seen)) == 50
    spread = np.ptp(np.array(seen)[:, :2], axis=0)
    assert (spread > 0.7 * np.array([high_x - low_x, high_y - low_y])).all()


def test_a_cube_thrown_up_is_not_lifted(drive):
    driver = drive("lift_cube", 0)
    physics = driver.loop.physics
    physics.data.joint("cube").qpos[2] = LiftCube.LIFT_M + 0.1
    driver.coast(4_000_000)
    assert physics.judge().measure_m > LiftCube.LIFT_M
    assert not physics.judge().success
