"""The reference asks nothing of the joints that they may not do, whatever their number."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import nnls

from safety import joint_space
from safety.joint_space import (
    ANNOUNCED,
    CREEP,
    DAMPED,
    RESERVE_RAD,
    SPEED_SHARE,
    JointSpace,
)
from safety.limits import ArmLimits, BrakeGains, JointLimits, LimitError
from safety.nearest import SWEEPS, project
from safety.proposal import Hold, Twist
from safety.vocabulary import Limit, Mode, Reject, Source
from tests.safety.chain import DT, SCALE, ChainRig, chain, joint_limits, measured

ALL = [3, 5, 6, 7, 8]
SHOULDER_M = np.array([0.0, 0.0, 0.333])
OFF = {"acceleration_rad_s2": None}


@pytest.fixture
def roomy(arm_limits: ArmLimits, state_much: dict[str, float]) -> ArmLimits:
    """Box and clip that leave the joints alone to bound the motion."""
    cartesian = replace(
        arm_limits.cartesian,
        box_min_m=np.full(3, -2.0),
        box_max_m=np.full(3, 2.0),
        clip_m=np.full((2, 3), 0.05),
        clip_rad=np.full((2, 3), 0.3),
        acceleration_m_s2=20.0,
        jerk_m_s3=2000.0,
        angular_acceleration_rad_s2=60.0,
        angular_jerk_rad_s3=6000.0,
    )
    return replace(arm_limits, cartesian=cartesian, **state_much)


def with_joints(limits: ArmLimits, joints: JointLimits) -> ArmLimits:
    gains = np.ones(len(joints.torque_nm))
    brake = BrakeGains(stiffness_nm_rad=gains, damping_nm_s_rad=gains)
    return replace(limits, joints=joints, brake=brake)


def twist(rig: ChainRig, values: np.ndarray) -> Twist:
    return Twist(epoch=rig.state.epoch, received_ns=rig.now_ns, twist=values)


def drive_wildly(rig: ChainRig, rng: np.random.Generator) -> None:
    for number in range(8):
        wanted = np.concatenate([rng.uniform(-0.4, 0.4, 3), rng.uniform(-1.5, 1.5, 3)])
        pause = number == 5
        rig.run(lambda w=wanted, p=pause: Hold() if p else twist(rig, w), 50)


def wild(joints: int, roomy: ArmLimits, rng: np.random.Generator, **changes: object) -> ChainRig:
    arm, bent = chain(joints)
    limits = replace(joint_limits(bent), **changes)
    rig = ChainRig.make(with_joints(roomy, limits), arm, bent)
    drive_wildly(rig, rng)
    return rig


def assert_joints_hold(rig: ChainRig, limits: JointLimits) -> None:
    """By the joints of the arm that follows, not by the gate's opinion of them."""
    q = np.array(rig.joints)
    speed = np.abs(np.diff(q, axis=0)) / DT
    assert (q >= limits.position_min_rad).all()
    assert (q <= limits.position_max_rad).all()
    assert (speed <= limits.velocity_rad_s).all()


@pytest.mark.parametrize("joints", ALL)
def test_range_and_speed_hold_for_any_number_of_joints(
    joints: int, roomy: ArmLimits, rng: np.random.Generator
) -> None:
    rig = wild(joints, roomy, rng)
    assert_joints_hold(rig, joint_limits(chain(joints)[1]))
    assert sum(Limit.JOINT in d.verdict.limits for d in rig.decisions) >= 100
    moved = np.linalg.norm(np.diff(np.array(rig.joints), axis=0), axis=1).sum()
    assert moved > 1.0, "it is not held for good"


@pytest.mark.parametrize("joints", [3, 7])
def test_control_without_joint_limits(
    joints: int, roomy: ArmLimits, rng: np.random.Generator
) -> None:
    with pytest.raises(AssertionError):
        assert_joints_hold(wild(joints, roomy, rng, **OFF), joint_limits(chain(joints)[1]))


def into_the_end(roomy: ArmLimits, *, share: float = 1.0, off: bool = False) -> ChainRig:
    """Down and down, until the elbow or the shoulder is at its end."""
    arm, bent = chain(7)
    limits = joint_limits(bent, room_rad=0.3)
    rig = ChainRig.make(with_joints(roomy, replace(limits, **OFF) if off else limits), arm, bent)
    down = np.array([0.0, 0.0, -0.3 * share, 0.0, 0.0, 0.0])
    rig.run(lambda: twist(rig, down), 200)
    return rig


def speeding_up(rig: ChainRig, limits: JointLimits) -> np.ndarray:
    """(ticks, n) of each joint's acceleration along its motion, over its limit."""
    speed = np.abs(np.diff(np.array(rig.joints), axis=0)) / DT
    assert limits.acceleration_rad_s2 is not None
    return np.diff(speed, axis=0) / DT / limits.acceleration_rad_s2


def test_a_joint_speeds_up_within_its_limit_and_stops_before_its_end(roomy: ArmLimits) -> None:
    rig = into_the_end(roomy)
    limits = joint_limits(chain(7)[1], room_rad=0.3)
    assert_joints_hold(rig, limits)
    ratio = speeding_up(rig, limits)
    assert ratio.max() < 1.1
    assert ratio.min() > -1.5, "it brakes in time, not all at once at the end"
    q = rig.joints[-1]
    room = np.minimum(limits.position_max_rad - q, q - limits.position_min_rad)
    assert room.min() == pytest.approx(RESERVE_RAD, abs=0.005), "and uses what it may"


def test_control_without_an_acceleration_limit(roomy: ArmLimits) -> None:
    rig = into_the_end(roomy, off=True)
    assert speeding_up(rig, joint_limits(chain(7)[1], room_rad=0.3)).max() > 1.1


def test_at_the_end_of_a_range_one_slides_along_and_comes_back(roomy: ArmLimits) -> None:
    rig = into_the_end(roomy)
    start = rig.gate.position_m.copy()
    aside = np.array([0.0, 0.2, -0.2, 0.0, 0.0, 0.0])
    rig.run(lambda: twist(rig, aside), 60)
    assert rig.gate.position_m[1] - start[1] > 0.02, "sideways it goes on"
    up = np.array([0.0, 0.0, 0.2, 0.0, 0.0, 0.0])
    start = rig.gate.position_m.copy()
    rig.run(lambda: twist(rig, up), 60)
    assert rig.gate.position_m[2] - start[2] > 0.03


def test_a_motion_that_the_joints_can_do_is_not_touched(roomy: ArmLimits) -> None:
    """To the last bit: with limits and without, the commands are the same."""

    def driven(**changes: object) -> list[np.ndarray]:
        arm, bent = chain(7)
        limits = replace(joint_limits(bent), **changes)
        rig = ChainRig.make(with_joints(roomy, limits), arm, bent)
        rng = np.random.default_rng(3)
        for _ in range(10):
            slow = rng.uniform(-0.03, 0.03, 6)
            rig.run(lambda slow=slow: twist(rig, slow), 30)
        assert not any(Limit.JOINT in d.verdict.limits for d in rig.decisions)
        return [d.command.position_m for d in rig.decisions]

    fast = {"acceleration_rad_s2": np.full(7, 500.0)}
    assert np.array_equal(driven(**fast), driven(**OFF))


def test_a_fast_motion_keeps_its_direction(roomy: ArmLimits) -> None:
    arm, bent = chain(7)
    limits = replace(
        joint_limits(bent, room_rad=1.0),
        velocity_rad_s=np.full(7, 0.2),
        acceleration_rad_s2=np.full(7, 50.0),
    )
    rig = ChainRig.make(with_joints(roomy, limits), arm, bent)
    way = np.array([0.3, 0.2, -0.1, 0.0, 0.0, 0.0])
    start = rig.gate.position_m.copy()
    rig.run(lambda: twist(rig, way), 40)
    moved = rig.gate.position_m - start
    assert np.dot(moved, way[:3]) > 0.999 * np.linalg.norm(moved) * np.linalg.norm(way)
    assert np.linalg.norm(moved) < 0.1


@pytest.mark.parametrize("name", ["q_rad", "jacobian"])
@pytest.mark.parametrize("bad", ["nan", "inf", "none", "shape", "zero"])
def test_joints_that_are_no_numbers_hold(roomy: ArmLimits, name: str, bad: str) -> None:
    arm, bent = chain(6)
    rig = ChainRig.make(with_joints(roomy, joint_limits(bent)), arm, bent)
    way = np.array([0.05, 0.0, 0.0, 0.0, 0.0, 0.0])
    rig.run(lambda: twist(rig, way), 10)
    good = getattr(measured(arm, rig.q, rig.now_ns), name)
    given = {
        "nan": np.where(np.arange(6) == 3, np.nan, good),
        "inf": np.where(np.arange(6) == 3, np.inf, good),
        "none": None,
        "shape": good[..., :5],
        "zero": np.zeros_like(good),
    }[bad]
    verdict = rig.tick(twist(rig, way), **{name: given}).verdict
    if (name, bad) == ("q_rad", "zero"):
        assert verdict.reject is Reject.NONE, "zero is an angle"
        return
    assert verdict.reject is Reject.MEASUREMENT
    assert verdict.source is Source.HOLD
    assert Limit.NOT_FINITE in verdict.limits
    assert rig.tick(twist(rig, way)).verdict.reject is Reject.NONE


def test_a_view_into_shared_memory_compiles_nothing(roomy: ArmLimits) -> None:
    """Its fields lie at odd addresses, for which a kernel would be another one."""
    arm, bent = chain(7)
    rig = ChainRig.make(with_joints(roomy, joint_limits(bent)), arm, bent)
    kernels = (joint_space.usable, joint_space.decompose, joint_space.allow, joint_space.slower)
    way = np.array([0.1, 0.0, 0.0, 0.0, 0.0, 0.0])
    rig.tick(twist(rig, way))
    before = [getattr(kernel, "signatures", ()) for kernel in kernels]
    record = np.zeros((), [("odd", np.bool_), ("q", float, 7), ("jacobian", float, (6, 7))])
    seen = measured(arm, rig.q, 0)
    record["q"], record["jacobian"] = seen.q_rad, seen.jacobian
    assert not record["q"].flags.aligned
    verdict = rig.tick(twist(rig, way), q_rad=record["q"], jacobian=record["jacobian"]).verdict
    assert verdict.reject is Reject.NONE
    assert [getattr(kernel, "signatures", ()) for kernel in kernels] == before


def test_an_arm_whose_first_joints_are_missing_holds(roomy: ArmLimits) -> None:
    arm, bent = chain(6)
    rig = ChainRig.make(with_joints(roomy, joint_limits(bent)), arm, bent)
    rig.gate._joints = JointSpace.of(with_joints(roomy, joint_limits(bent)), DT)
    way = np.array([0.1, 0.0, 0.0, 0.0, 0.0, 0.0])
    assert rig.tick(twist(rig, way), q_rad=None).verdict.reject is Reject.MEASUREMENT


# --- Singularities --------------------------------------------------------------------------------


def stretched(roomy: ArmLimits, *, off: bool = False) -> tuple[ChainRig, list[float]]:
    """The elbow is pulled straight; the least singular values on the way, down to 0.01."""
    arm, bent = chain(7)
    bent = bent.copy()
    bent[3] = -0.9
    limits = replace(
        joint_limits(bent, room_rad=2.5),
        velocity_rad_s=np.full(7, 50.0),
        acceleration_rad_s2=None if off else np.full(7, 5000.0),
    )
    rig = ChainRig.make(with_joints(roomy, limits), arm, bent)
    out = rig.gate.position_m - SHOULDER_M
    out = np.concatenate([0.3 * out / np.linalg.norm(out), np.zeros(3)])
    values = [least_singular(rig)]
    while values[-1] > 0.01:
        assert len(values) < 600, "the way does not lead there"
        rig.tick(twist(rig, out))
        values.append(least_singular(rig))
    return rig, values


def least_singular(rig: ChainRig) -> float:
    return np.linalg.svd(SCALE[:, None] * rig.chain.pose(rig.q)[2], compute_uv=False)[-1]


def assert_slowed(rig: ChainRig) -> None:
    """No faster than at the edge of the damped zone."""
    speed = np.abs(np.diff(np.array(rig.joints), axis=0)) / DT
    assert speed.max() < 0.3 / DAMPED


def test_a_singularity_is_announced_before_it_is_reached_and_damped(roomy: ArmLimits) -> None:
    rig, values = stretched(roomy)
    announced = [Limit.SINGULARITY in d.verdict.limits for d in rig.decisions]
    assert announced == [value < ANNOUNCED for value in values[:-1]]
    assert values[0] > ANNOUNCED
    assert values[announced.index(True)] > 1.2 * DAMPED
    assert_slowed(rig)


def test_control_without_damping(roomy: ArmLimits) -> None:
    with pytest.raises(AssertionError):
        assert_slowed(stretched(roomy, off=True)[0])


def test_from_a_singularity_one_comes_back(roomy: ArmLimits) -> None:
    rig, _ = stretched(roomy)
    back = SHOULDER_M - rig.gate.position_m
    back = np.concatenate([0.3 * back / np.linalg.norm(back), np.zeros(3)])
    rig.run(lambda: twist(rig, back), 400)
    assert least_singular(rig) > ANNOUNCED


def test_the_inverse_is_exact_away_from_singularities_and_bounded_in_them() -> None:
    arm, bent = chain(7)
    jacobian = arm.pose(bent)[2]
    inverse, weak, factors = np.zeros((7, 6)), np.zeros((6, 6)), np.ones(6)
    least = joint_space.decompose(jacobian, inverse, weak, factors)
    assert least > DAMPED
    assert np.allclose(inverse, np.linalg.pinv(SCALE[:, None] * jacobian))
    assert (factors == 1.0).all()
    for singular in (jacobian * 1e-3, np.zeros((6, 7)), np.ones((6, 7))):
        joint_space.decompose(singular, inverse, weak, factors)
        assert np.linalg.norm(inverse, 2) <= 1.0 / DAMPED * 1.2
        assert factors.min() == CREEP


# --- The projection -------------------------------------------------------------------------------


FREELY = np.full(3, -np.inf), np.full(3, np.inf)


def allowed(
    wanted: np.ndarray, rows: np.ndarray, low: np.ndarray, high: np.ndarray, sweeps: int = SWEEPS
) -> tuple[np.ndarray, int]:
    result = wanted.copy()
    return result, project(rows, low, high, len(rows), result, *FREELY, sweeps)


def test_the_nearest_allowed_motion_is_found(rng: np.random.Generator) -> None:
    """By the conditions of optimality: feasible, and moved against the rows that are full only."""
    acted = 0
    for _ in range(60):
        rows = rng.normal(size=(7, 6))
        low, high = -rng.uniform(0.0, 1.0, 7), rng.uniform(0.0, 1.0, 7)
        wanted = rng.normal(size=6)
        found, flags = allowed(wanted, rows, low, high, sweeps=2000)
        rate = rows @ found
        assert (rate <= high + 1e-5).all()
        assert (rate >= low - 1e-5).all()
        if not flags:
            assert np.array_equal(found, wanted)
            continue
        acted += 1
        assert Limit(flags) == Limit.JOINT
        full = np.concatenate([rows[rate > high - 1e-4], -rows[rate < low + 1e-4]])
        _, left = nnls(full.T, wanted - found)
        assert left < 1e-3
        near, flags = allowed(wanted, rows, low, high)
        if Limit.SOLVER_FALLBACK not in Limit(flags):
            least, got = np.linalg.norm(wanted - found), np.linalg.norm(wanted - near)
            assert got <= 1.05 * least, "thirty passes come near"
    assert acted >= 40


def test_a_joint_that_does_not_move_the_tool_bounds_nothing() -> None:
    rows = np.zeros((2, 6))
    rows[1, 0] = 1.0
    found, flags = allowed(np.ones(6), rows, np.zeros(2), np.array([0.0, 0.5]))
    assert np.allclose(found, [0.5, 1.0, 1.0, 1.0, 1.0, 1.0])
    assert Limit(flags) == Limit.JOINT


def test_a_projection_that_does_not_converge_brakes(rng: np.random.Generator) -> None:
    """Fault 13: with two passes instead of thirty it mostly has not come to its end."""
    failed = 0
    for _ in range(100):
        rows = rng.normal(size=(7, 6))
        low, high = -rng.uniform(0.0, 1.0, 7), rng.uniform(0.0, 1.0, 7)
        wanted = 3.0 * rng.normal(size=6)
        found, flags = allowed(wanted, rows, low, high, sweeps=2)
        assert (rows @ found <= high + 1e-6).all()
        assert (rows @ found >= low - 1e-6).all()
        failed += Limit.SOLVER_FALLBACK in Limit(flags)
    assert failed >= 50


def test_what_a_hold_does_is_let_through(roomy: ArmLimits) -> None:
    arm, bent = chain(7)
    limits = joint_limits(bent)
    assert limits.acceleration_rad_s2 is not None
    joints = JointSpace(limits, limits.acceleration_rad_s2, DT)
    seen = measured(arm, bent, 0)
    assert joints.see(seen)
    fast = np.full(6, 1.0)
    found, acted = joints.bound(fast, np.zeros(6), *FREELY, moving=False)
    assert found is fast
    assert acted is Limit.NONE
    found, acted = joints.bound(fast, np.zeros(6), *FREELY, moving=True)
    assert Limit.JOINT in acted
    rate = np.linalg.pinv(jacobian_of(seen)) @ found
    assert (np.abs(rate) <= SPEED_SHARE * limits.velocity_rad_s + 1e-6).all()


def jacobian_of(seen: object) -> np.ndarray:
    return seen.jacobian  # type: ignore[attr-defined]


@pytest.mark.parametrize("bad", [np.nan, 0.0, -1.0])
def test_accelerations_are_positive_numbers(bad: float) -> None:
    bent = chain(6)[1]
    with pytest.raises(LimitError, match="acceleration_rad_s2"):
        replace(joint_limits(bent), acceleration_rad_s2=np.full(6, bad))
    with pytest.raises(LimitError, match="shape"):
        replace(joint_limits(bent), acceleration_rad_s2=np.ones(5))


def test_without_accelerations_the_gate_knows_of_no_joints(roomy: ArmLimits) -> None:
    assert JointSpace.of(with_joints(roomy, replace(joint_limits(chain(6)[1]), **OFF)), DT) is None


@pytest.mark.parametrize("mode", [Mode.TAKEOVER])
def test_the_reference_does_not_wind_up_at_a_joint(roomy: ArmLimits, mode: Mode) -> None:
    """After a long push against the end of a joint it turns back within 100 ms."""
    rig = into_the_end(roomy)
    height = rig.gate.position_m[2]
    up = np.array([0.0, 0.0, 0.3, 0.0, 0.0, 0.0])
    rig.run(lambda: twist(rig, up), 20)
    assert rig.state.mode is mode
    assert rig.gate.position_m[2] > height + 0.002
