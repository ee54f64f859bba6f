"""The arm's own watchdog: it needs no control process to be safe."""

import numpy as np
import pytest

from hardware.arm_faults import CLEAR_DISTANCE_M
from safety.impedance import brake_torque, impedance_torque

MS = 1_000_000


def speed(driver) -> float:
    return float(np.linalg.norm(driver.loop.physics.twist[:3]))


def fault(driver) -> str:
    return driver.guarded.measure(driver.now_ns).fault


def stop_commands_while_moving(driver) -> None:
    driver.move(driver.position + np.array([0.0, 0.1, 0.0]), speed_m_s=0.2)
    assert speed(driver) > 0.1, "it moves while commands arrive"
    assert not driver.loop.braking


def test_holds_without_any_command(drive):
    driver = drive("lift_cube", 0)
    start = driver.position.copy()
    driver.coast(500 * MS)
    assert not driver.loop.braking
    assert np.linalg.norm(driver.loop.physics.position_m - start) < 1e-3


def test_brakes_when_commands_stop(drive):
    driver = drive("lift_cube", 0)
    stop_commands_while_moving(driver)
    driver.coast(90 * MS)
    assert not driver.loop.braking, "18 missed periods are allowed"
    driver.coast(20 * MS)
    assert driver.loop.braking
    assert driver.guarded.guard.trips == 1
    assert "no new command" in driver.loop.fault
    driver.coast(90 * MS)  # 200 ms after the last command
    assert speed(driver) < 0.005


def test_a_repeated_command_does_not_feed_the_watchdog(drive):
    driver = drive("lift_cube", 0)
    driver.wait(0.05)
    same = driver.command(driver.position, driver.quaternion, 1.0)
    assert driver.guarded.command(same, driver.now_ns)
    for _ in range(30):
        assert not driver.guarded.command(same, driver.now_ns)
        driver.coast(5 * MS)
    assert driver.loop.braking


def test_an_expired_command_is_not_taken(drive):
    driver = drive("lift_cube", 0)
    late = driver.command(driver.position, driver.quaternion, 1.0)
    late["valid_until_ns"] = driver.now_ns
    assert not driver.guarded.command(late, driver.now_ns)


def test_a_command_expires_before_the_watchdog(drive):
    driver = drive("lift_cube", 0)
    brief = driver.command(driver.position, driver.quaternion, 1.0)
    brief["valid_until_ns"] = driver.now_ns + 20 * MS
    assert driver.guarded.command(brief, driver.now_ns)
    driver.coast(30 * MS)
    assert driver.loop.braking


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("field", ["position", "quaternion", "clip_m", "clip_rad", "gripper"])
def test_non_finite_commands_are_not_taken(drive, field: str, bad: float):
    driver = drive("lift_cube", 0)
    driver.wait(0.02)
    command = driver.command(driver.position, driver.quaternion, 1.0)
    value = np.array(command[field])
    value.flat[0] = bad
    command[field] = value
    if field.startswith("clip") and bad == np.inf:
        assert driver.guarded.command(command, driver.now_ns)
        assert np.isfinite(driver.loop.physics.law.clip_minus).all(), "the cell's clip holds"
        return
    assert not driver.guarded.command(command, driver.now_ns)
    driver.coast(120 * MS)
    assert driver.loop.braking, "bad commands are no commands"
    assert np.isfinite(driver.loop.physics.torque_nm).all()


def test_a_quaternion_must_have_unit_length(drive):
    driver = drive("lift_cube", 0)
    command = driver.command(driver.position, 1.1 * driver.quaternion, 1.0)
    assert not driver.guarded.command(command, driver.now_ns)


def test_commands_do_not_end_braking(drive):
    driver = drive("lift_cube", 0)
    driver.wait(0.05)
    driver.coast(150 * MS)
    assert driver.loop.braking
    driver.position = driver.loop.physics.position_m.copy()
    driver.wait(0.3)
    assert driver.loop.braking, "only a person's clear ends it"
    assert driver.guarded.clear(driver.now_ns)
    assert not driver.loop.braking
    assert driver.loop.fault == ""


def test_clear_is_refused_without_fresh_commands(drive):
    driver = drive("lift_cube", 0)
    driver.wait(0.05)
    driver.coast(300 * MS)
    assert not driver.guarded.clear(driver.now_ns)
    assert driver.loop.braking
    assert "no fresh commands" in fault(driver)


def test_clear_is_refused_when_it_would_start_motion(drive):
    driver = drive("lift_cube", 0)
    driver.wait(0.05)
    driver.coast(300 * MS)
    driver.position = driver.position + np.array([2 * CLEAR_DISTANCE_M, 0.0, 0.0])
    driver.wait(0.05)
    assert not driver.guarded.clear(driver.now_ns)
    assert "from the arm" in fault(driver)
    driver.position = driver.loop.physics.position_m.copy()
    driver.wait(0.05)
    before = driver.loop.physics.position_m.copy()
    assert driver.guarded.clear(driver.now_ns)
    driver.wait(0.3)
    assert np.linalg.norm(driver.loop.physics.position_m - before) < 2e-3


def test_a_command_only_tightens_the_clips(drive):
    driver = drive("lift_cube", 0)
    law = driver.loop.physics.law
    cell = law.clip_minus.copy()
    driver.wait(0.02)
    np.testing.assert_array_equal(law.clip_minus, cell)  # the driver asks for 1 m
    tight = driver.command(driver.position, driver.quaternion, 1.0)
    tight["clip_m"] = 0.002
    assert driver.guarded.command(tight, driver.now_ns)
    np.testing.assert_array_equal(law.clip_minus[:3], [0.002] * 3)
    np.testing.assert_array_equal(law.clip_plus[:3], [0.002] * 3)
    driver.wait(0.02)
    np.testing.assert_array_equal(law.clip_minus, cell)


def test_references_are_walked_not_jumped(drive):
    driver = drive("lift_cube", 0)
    driver.wait(0.02)
    step = np.array([0.0, 0.001, 0.0])
    begin = driver.loop.reference_position.copy()
    command = driver.command(begin + step, driver.quaternion, 1.0)
    assert driver.guarded.command(command, driver.now_ns)
    walked = []
    for _ in range(4):
        driver.now_ns += 2 * MS
        driver.guarded.tick(driver.now_ns)
        walked.append(float(driver.loop.reference_position[1] - begin[1]))
    np.testing.assert_allclose(walked, [0.0004, 0.0008, 0.001, 0.001], atol=1e-12)


def test_a_reset_keeps_the_peg_though_open_is_still_ordered(drive):
    driver = drive("insert_peg", 0)
    driver.wait(0.1)
    driver.grip(1.0)
    assert not driver.loop.physics.judge().held, "opened: the peg fell"
    driver.loop.reset(5, with_arm=False)
    driver.wait(0.6)
    assert driver.loop.physics.judge().held
    driver.grip(0.0, 0.2)
    assert driver.loop.physics.judge().held
    driver.grip(1.0)
    assert not driver.loop.physics.judge().held, "a new order to open is obeyed"


def test_a_reset_leaves_the_arm_where_it_is(drive):
    driver = drive("lift_cube", 0)
    driver.move(driver.position + np.array([0.0, 0.05, 0.0]))
    driver.wait(0.3)
    before, cube = driver.loop.physics.q.copy(), driver.loop.physics.data.body("cube").xpos.copy()
    driver.loop.reset(9, with_arm=False)
    np.testing.assert_array_equal(driver.loop.physics.q, before)
    driver.wait(0.2)
    np.testing.assert_allclose(driver.loop.physics.q, before, atol=3e-3)
    assert np.linalg.norm(driver.loop.physics.data.body("cube").xpos - cube) > 0.01
    driver.loop.reset(9, with_arm=True)
    np.testing.assert_allclose(
        driver.loop.physics.position_m, driver.loop.physics.start_pose().position_m, atol=1e-5
    )


@pytest.mark.parametrize("field", ["q", "dq", "position_m", "quaternion", "twist"])
def test_a_state_that_is_no_number_brakes_at_once_and_is_not_cleared(
    drive, monkeypatch: pytest.MonkeyPatch, field: str
):
    """The law alone falls back to gravity's torque, and the arm would float."""
    driver = drive("lift_cube", 0)
    driver.wait(0.05)
    physics = driver.loop.physics
    step = physics.step

    def step_and_lose(*given: object, **more: object) -> None:
        step(*given, **more)
        setattr(physics, field, np.full_like(getattr(physics, field), np.nan))

    monkeypatch.setattr(physics, "step", step_and_lose)
    driver.coast(10 * MS)
    assert driver.loop.braking
    assert "not finite" in driver.loop.fault
    driver.coast(50 * MS)
    assert np.isfinite(physics.torque_nm).all()
    setattr(physics, field, np.full_like(getattr(physics, field), np.nan))
    assert not driver.guarded.clear(driver.now_ns)
    assert driver.loop.braking


def test_clear_is_refused_while_a_joint_is_still_beyond_its_limits(drive):
    driver = drive("lift_cube", 0)
    driver.wait(0.05)
    driver.loop.brake("a joint was too fast")
    driver.wait(0.2)
    driver.loop.physics.dq[3] = 10.0
    driver.position = driver.loop.physics.position_m.copy()
    assert driver.guarded.command(
        driver.command(driver.position, driver.quaternion, 1.0), driver.now_ns
    )
    assert not driver.guarded.clear(driver.now_ns)
    assert "joint 4" in fault(driver)
    assert driver.loop.braking


def opening(driver) -> float:
    return driver.loop.physics.gripper.opening_m


def closing(drive):
    """A driver whose gripper is half way to closed."""
    driver = drive("lift_cube", 0)
    driver.wait(0.1)
    driver.grip(0.0, 0.3)
    assert 0.02 < opening(driver) < 0.07
    return driver


def test_the_gripper_moves_no_further_after_a_brake_nor_after_its_clear(drive):
    driver = closing(drive)
    before = opening(driver)
    driver.loop.brake("a person stopped the arm")
    driver.wait(1.0)
    assert opening(driver) == pytest.approx(before, abs=0.004)
    driver.position = driver.loop.physics.position_m.copy()
    driver.wait(0.05)
    assert driver.guarded.clear(driver.now_ns)
    driver.wait(1.0)
    assert opening(driver) == pytest.approx(before, abs=0.004), "the old order does not come back"
    driver.grip(1.0)
    assert opening(driver) > 0.08, "a new order does"


def test_a_command_that_holds_the_gripper_stops_it_where_it_is(drive):
    driver = closing(drive)
    before = opening(driver)
    driver.gripper_hold = True
    driver.wait(1.0)
    assert opening(driver) == pytest.approx(before, abs=0.004)
    driver.gripper_hold = False
    driver.wait(1.0)
    assert opening(driver) < 0.005, "an order after the hold counts, though it is the same one"


@pytest.mark.parametrize("by", ["brake", "hold"])
def test_a_stop_keeps_the_grip_on_an_object(drive, by: str):
    driver = drive("insert_peg", 0)
    driver.wait(0.3)
    assert driver.loop.physics.judge().held
    if by == "brake":
        driver.loop.brake("a person stopped the arm")
    else:
        driver.gripper_hold = True
    driver.wait(1.0)
    assert driver.loop.physics.judge().held


def test_nothing_is_compiled_after_warming_up(drive):
    """A tick that waits for the compiler would miss hundreds of others."""
    driver = drive("lift_cube", 0)
    driver.loop.warm_up()
    kernels = (impedance_torque, brake_torque)
    compiled = [len(getattr(kernel, "signatures", ())) for kernel in kernels]
    driver.move(driver.position + np.array([0.0, 0.02, 0.0]), speed_m_s=0.2)
    driver.coast(200 * MS)  # its watchdog brakes
    assert driver.loop.braking
    assert [len(getattr(kernel, "signatures", ())) for kernel in kernels] == compiled
