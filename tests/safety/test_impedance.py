"""The torque laws against finite differences, energy, bounds and non-finite input."""

from dataclasses import replace

import numpy as np
import pytest

from safety import rotation
from safety.impedance import (
    JOINT_ZONE_RAD,
    TAKEN_BACK,
    Law,
    brake_torque,
    impedance_torque,
    law,
    scratch,
)
from safety.limits import ArmLimits, BrakeGains, CartesianLimits, ImpedanceGains, LimitError
from safety.vocabulary import Limit

# Denavit-Hartenberg of a seven-joint arm (a, d, alpha), for tests only.
CHAIN = [
    (0.0, 0.333, 0.0),
    (0.0, 0.0, -np.pi / 2),
    (0.0, 0.316, np.pi / 2),
    (0.0825, 0.0, np.pi / 2),
    (-0.0825, 0.384, -np.pi / 2),
    (0.0, 0.0, np.pi / 2),
    (0.088, 0.107, np.pi / 2),
]
POSTURE = np.array([0.0, -0.3, 0.0, -2.2, 0.0, 2.0, 0.8])
INERTIA = np.array([1.5, 1.5, 1.0, 1.0, 0.3, 0.3, 0.1])
BEFORE_HOLD = ("q", "dq", "jacobian", "position", "quaternion", "target", "facing", "inertia")
INPUTS = (*BEFORE_HOLD, "bias")


def kinematics(q: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Position (3,), quaternion (4,) and geometric Jacobian (6, 7)."""
    frame, axes, origins = np.eye(4), [], []
    for (a, d, alpha), angle in zip(CHAIN, q, strict=True):
        ca, sa, ct, st = np.cos(alpha), np.sin(alpha), np.cos(angle), np.sin(angle)
        frame = frame @ np.array(
            [
                [ct, -st, 0.0, a],
                [st * ca, ct * ca, -sa, -d * sa],
                [st * sa, ct * sa, ca, d * ca],
                [0.0, 0.0, 0.0, 1.0],
            ]
        )
        axes.append(frame[:3, 2])
        origins.append(frame[:3, 3])
    tcp = frame[:3, 3] + 0.1 * frame[:3, 2]
    columns = [[*np.cross(z, tcp - origin), *z] for z, origin in zip(axes, origins, strict=True)]
    m = frame[:3, :3]
    w = 0.5 * np.sqrt(max(1e-12, 1.0 + np.trace(m)))
    v = np.array([m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1]]) / (4.0 * w)
    return tcp, rotation.normalized(np.array([w, *v])), np.array(columns).T.copy()


def torque_at(
    constants: Law,
    q: np.ndarray,
    dq: np.ndarray,
    target: np.ndarray,
    facing: np.ndarray,
    previous: np.ndarray | None = None,
    *,
    hold: bool = False,
) -> tuple[np.ndarray, Limit]:
    position, quaternion, jacobian = kinematics(q)
    out = np.zeros(7)
    last = np.zeros(7) if previous is None else previous
    flags = impedance_torque(
        constants,
        q,
        dq,
        jacobian,
        position,
        quaternion,
        target,
        facing,
        np.diag(INERTIA),
        hold,
        np.zeros(7),
        last,
        scratch(),
        out,
    )
    return out, Limit(flags)


@pytest.fixture
def free(arm_limits: ArmLimits) -> Law:
    """Constants without torque limits and with wide clips: the bare law."""
    constants = law(arm_limits, POSTURE, 0.002)
    wide = np.full(6, 10.0)
    much = np.full(7, 1e9)
    return constants._replace(
        clip_minus=wide, clip_plus=wide, torque_limit=much, torque_step=much, torque_rate=much
    )


@pytest.fixture
def bounded(free: Law, arm_limits: ArmLimits) -> Law:
    """Constants with the cell's clips, and without torque limits."""
    clips = law(arm_limits, POSTURE, 0.002)
    return free._replace(clip_minus=clips.clip_minus, clip_plus=clips.clip_plus)


def near(rng: np.random.Generator, size: float) -> np.ndarray:
    return POSTURE + rng.uniform(-size, size, 7)


def test_jacobian_of_the_test_arm(rng: np.random.Generator) -> None:
    q, step = near(rng, 0.5), 1e-6
    jacobian = kinematics(q)[2]
    for j in range(7):
        d = np.eye(7)[j] * 0.5 * step
        (p1, q1, _), (p0, q0, _) = kinematics(q + d), kinematics(q - d)
        found = np.concatenate([p1 - p0, rotation.minus(q1, q0)]) / step
        assert np.allclose(found, jacobian[:, j], atol=1e-6)


def test_torque_is_the_gradient_of_the_spring(free: Law, rng: np.random.Generator) -> None:
    """At rest tau = -dV/dq with V = 1/2 e^T K e: true only of the true rotation vector."""
    constants = free._replace(nullspace_stiffness=0.0)

    def potential(q: np.ndarray, target: np.ndarray, facing: np.ndarray) -> float:
        position, quaternion, _ = kinematics(q)
        e = np.concatenate([target - position, rotation.minus(facing, quaternion)])
        return 0.5 * float(e @ (constants.stiffness * e))

    for _ in range(20):
        q = near(rng, 0.4)
        target, facing, _ = kinematics(q + rng.uniform(-0.3, 0.3, 7))
        tau, flags = torque_at(constants, q, np.zeros(7), target, facing)
        step = 1e-6
        for j in range(7):
            d = np.eye(7)[j] * 0.5 * step
            slope = potential(q + d, target, facing) - potential(q - d, target, facing)
            assert tau[j] == pytest.approx(-slope / step, rel=1e-4, abs=1e-3)
        assert flags is Limit.NONE


def test_energy_never_grows(free: Law, rng: np.random.Generator) -> None:
    """A mass on the law's spring and damper loses energy until it rests at the target."""
    constants = free._replace(nullspace_stiffness=0.0, nullspace_damping=2.0)
    q = near(rng, 0.2)
    target, facing, _ = kinematics(q + rng.uniform(-0.05, 0.05, 7))
    dq, dt, last = rng.uniform(-0.3, 0.3, 7), 1e-4, np.inf
    first = 0.0
    for _ in range(5000):
        position, quaternion, _ = kinematics(q)
        e = np.concatenate([target - position, rotation.minus(facing, quaternion)])
        energy = 0.5 * float(e @ (constants.stiffness * e) + dq @ (INERTIA * dq))
        first = first or energy  # At the start.
        assert energy <= last + 1e-4 * first
        last = energy
        tau, _ = torque_at(constants, q, dq, target, facing)
        dq = dq + dt * tau / INERTIA
        q = q + dt * dq
    assert last < 0.05 * first


def static_wrenches(constants: Law, rng: np.random.Generator) -> np.ndarray:
    """Wrenches at rest against far-away targets, with the posture pulling as well: (n, 6)."""
    found = []
    for _ in range(200):
        q = near(rng, 0.4)
        position, quaternion, jacobian = kinematics(q)
        target = position + rng.uniform(-0.3, 0.3, 3)
        facing = rotation.plus(quaternion, rng.uniform(-1.0, 1.0, 3))
        tau, _ = torque_at(constants, q, np.zeros(7), target, facing)
        found.append(np.linalg.lstsq(jacobian.T, tau, rcond=None)[0])
    return np.array(found)


def assert_static_force_is_bounded(wrenches: np.ndarray, limits: ArmLimits) -> None:
    low = np.concatenate([limits.bounds.force_n[0], limits.bounds.torque_nm[0]])
    high = np.concatenate([limits.bounds.force_n[1], limits.bounds.torque_nm[1]])
    assert (wrenches <= high + 1e-2).all()
    assert (wrenches >= -low - 1e-2).all()


def test_static_force_is_bounded_per_axis_and_direction(
    bounded: Law, arm_limits: ArmLimits, rng: np.random.Generator
) -> None:
    wrenches = static_wrenches(bounded, rng)
    assert_static_force_is_bounded(wrenches, arm_limits)
    bound = arm_limits.bounds.force_n
    assert np.allclose(wrenches[:, :3].max(axis=0), bound[1], atol=1e-2)  # and it is reached
    assert np.allclose(-wrenches[:, :3].min(axis=0), bound[0], atol=1e-2)


def test_static_force_is_bounded_where_a_joint_has_not_the_torque(
    bounded: Law, arm_limits: ArmLimits, rng: np.random.Generator
) -> None:
    """A wrist at its limit must not bend the wrench: the fuzz run found 88 N in place of 40 so."""
    weak = bounded._replace(torque_limit=np.array([87.0] * 4 + [1.5] * 3))
    wrenches = static_wrenches(weak, rng)
    assert_static_force_is_bounded(wrenches, arm_limits)
    assert not np.allclose(wrenches, static_wrenches(bounded, rng)), "the limit acts"


def test_control_without_the_clip_force_is_not_bounded(
    free: Law, arm_limits: ArmLimits, rng: np.random.Generator
) -> None:
    with pytest.raises(AssertionError):
        assert_static_force_is_bounded(static_wrenches(free, rng), arm_limits)


@pytest.mark.parametrize("axis", range(6))
@pytest.mark.parametrize("side", [-1.0, 1.0])
@pytest.mark.parametrize(("share", "acts"), [(0.999, False), (1.001, True), (50.0, True)])
def test_clip_acts_exactly_at_its_boundary(
    bounded: Law, axis: int, side: float, share: float, acts: bool
) -> None:
    position, quaternion, _ = kinematics(POSTURE)
    clip = (bounded.clip_plus if side > 0 else bounded.clip_minus)[axis]
    e = np.zeros(6)
    e[axis] = side * share * clip
    facing = rotation.plus(quaternion, e[3:])
    _, flags = torque_at(bounded, POSTURE, np.zeros(7), position + e[:3], facing)
    expected = Limit.POSITION_CLIP if axis < 3 else Limit.ROTATION_CLIP
    assert flags == (expected if acts else Limit.NONE)


def random_torques(constants: Law, rng: np.random.Generator) -> tuple[np.ndarray, Limit]:
    torques, flags, last = [np.zeros(7)], Limit.NONE, np.zeros(7)
    q, dq, (target, facing, _) = POSTURE, np.zeros(7), kinematics(POSTURE)
    for k in range(600):
        if k % 30 == 0:
            q, dq = near(rng, 1.0), rng.uniform(-3.0, 3.0, 7)
            target, facing, _ = kinematics(near(rng, 1.0))
        last, acted = torque_at(constants, q, dq, target, facing, last)
        flags |= acted
        torques.append(last)
    return np.array(torques), flags


def assert_torque_holds(torques: np.ndarray, limits: ArmLimits) -> None:
    step = limits.joints.torque_rate_nm_s * 0.002
    assert (np.abs(torques) <= limits.joints.torque_nm).all()
    assert (np.abs(np.diff(torques, axis=0)) <= step + 1e-9).all()


def test_torque_and_torque_rate_hold(
    arm_limits: ArmLimits, state_much: dict[str, float], rng: np.random.Generator
) -> None:
    wide = replace(
        arm_limits,
        **state_much,
        cartesian=replace(arm_limits.cartesian, clip_m=np.full((2, 3), 1.0)),
    )
    torques, flags = random_torques(law(wide, POSTURE, 0.002), rng)
    assert_torque_holds(torques, arm_limits)
    assert Limit.TORQUE in flags
    assert Limit.TORQUE_RATE in flags


@pytest.mark.parametrize("switched_off", ["torque_limit", "torque_step"])
def test_control_without_a_torque_limiter(
    arm_limits: ArmLimits,
    state_much: dict[str, float],
    rng: np.random.Generator,
    switched_off: str,
) -> None:
    wide = replace(
        arm_limits,
        **state_much,
        cartesian=replace(arm_limits.cartesian, clip_m=np.full((2, 3), 1.0)),
    )
    constants = law(wide, POSTURE, 0.002)._replace(**{switched_off: np.full(7, 1e9)})
    with pytest.raises(AssertionError):
        assert_torque_holds(random_torques(constants, rng)[0], arm_limits)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", INPUTS)
def test_non_finite_input_falls_back_to_gravity(
    arm_limits: ArmLimits, name: str, bad: float
) -> None:
    constants = law(arm_limits, POSTURE, 0.002)
    position, quaternion, jacobian = kinematics(POSTURE)
    values = {
        "q": POSTURE.copy(),
        "dq": np.zeros(7),
        "jacobian": jacobian,
        "position": position,
        "quaternion": quaternion,
        "target": position.copy(),
        "facing": quaternion.copy(),
        "inertia": np.diag(INERTIA),
        "bias": np.full(7, 5.0),
    }
    values[name].flat[-1] = bad
    previous, out = np.full(7, 4.0), np.zeros(7)
    before = (values[n] for n in BEFORE_HOLD)
    flags = Limit(
        impedance_torque(constants, *before, True, values["bias"], previous, scratch(), out)  # pyright: ignore[reportCallIssue]
    )
    assert Limit.NOT_FINITE in flags
    goal = 0.0 if name == "bias" else 5.0
    assert np.allclose(out, np.clip(goal, 4.0 - 2.0, 4.0 + 2.0))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # interpreted, numpy says what overflows
@pytest.mark.parametrize("law_name", ["impedance", "brake"])
def test_a_lost_previous_torque_and_an_overflow_stay_finite(
    arm_limits: ArmLimits, law_name: str
) -> None:
    constants = law(arm_limits, POSTURE, 0.002)
    position, quaternion, jacobian = kinematics(POSTURE)
    out, work, bias = np.zeros(7), scratch(), np.zeros(7)
    for dq, previous in ((np.full(7, 1e308), np.zeros(7)), (np.zeros(7), np.full(7, np.nan))):
        if law_name == "impedance":
            pose = (position, quaternion)
            flags = impedance_torque(
                constants,
                POSTURE,
                dq,
                jacobian,
                *pose,
                *pose,
                np.diag(INERTIA),
                True,
                bias,
                previous,
                work,
                out,
            )
        else:
            flags = brake_torque(constants, POSTURE, dq, POSTURE.copy(), bias, previous, work, out)
        assert Limit.NOT_FINITE in Limit(flags)
        assert (np.abs(out) <= constants.torque_step).all()


def test_torque_may_be_written_over_the_previous_one(arm_limits: ArmLimits) -> None:
    constants = law(arm_limits, POSTURE, 0.002)
    position, quaternion, _ = kinematics(POSTURE)
    apart, _ = torque_at(constants, POSTURE, np.zeros(7), position + 0.1, quaternion)
    same = np.zeros(7)
    position, quaternion, jacobian = kinematics(POSTURE)
    impedance_torque(
        constants,
        POSTURE,
        np.zeros(7),
        jacobian,
        position,
        quaternion,
        position + 0.1,
        quaternion,
        np.diag(INERTIA),
        False,
        np.zeros(7),
        same,
        scratch(),
        same,
    )
    assert np.array_equal(apart, same)


def assert_dies_out(constants: Law, rng: np.random.Generator) -> None:
    """A holding arm without spring loses all motion at the hold's rate, in its own direction."""
    dt, steps = 1e-4, 600
    for _ in range(5):
        q, start = near(rng, 0.4), rng.uniform(-0.5, 0.5, 7)
        dq = start.copy()
        for _ in range(steps):
            target, facing, _ = kinematics(q)
            tau, _ = torque_at(constants, q, dq, target, facing, hold=True)
            dq = dq + dt * tau / INERTIA
            q = q + dt * dq
        assert np.allclose(dq, start * np.exp(-60.0 * dt * steps), atol=2e-3)


@pytest.fixture
def only_hold(free: Law) -> Law:
    """The bare brake of a hold: neither damper nor posture."""
    none = np.zeros(6)
    return free._replace(damping=none, nullspace_stiffness=0.0, nullspace_damping=0.0)


def test_a_hold_takes_all_motion_away_at_its_rate(only_hold: Law, rng: np.random.Generator) -> None:
    assert_dies_out(only_hold, rng)


def test_control_without_a_hold_rate_motion_stays(only_hold: Law, rng: np.random.Generator) -> None:
    with pytest.raises(AssertionError):
        assert_dies_out(only_hold._replace(hold_rate=0.0), rng)


def thrown_back(constants: Law, start: np.ndarray) -> float:
    """Of a holding arm's momentum the share with which it goes back, its torque rate limited."""
    dt, q, dq, torque = 2e-3, POSTURE.copy(), start.copy(), np.zeros(7)
    back = 0.0
    for _ in range(100):
        target, facing, _ = kinematics(q)
        torque, _ = torque_at(constants, q, dq, target, facing, torque, hold=True)
        dq = dq + dt * torque / INERTIA
        q = q + dt * dq
        back = max(back, -float(dq @ (INERTIA * start)) / float(start @ (INERTIA * start)))
    return back


def test_a_hold_does_not_throw_the_arm_back(only_hold: Law, arm_limits: ArmLimits) -> None:
    """More torque than can be taken back before the arm stands would."""
    real = law(arm_limits, POSTURE, 0.002)
    limited = only_hold._replace(torque_step=real.torque_step)
    start = np.array([0.5, -1.5, 0.4, 0.3, 0.1, 0.1, 0.1])
    assert thrown_back(limited._replace(torque_rate=real.torque_rate), start) < 0.01
    assert thrown_back(limited, start) > 0.15, "what it is without"


def test_all_torques_of_a_hold_together_can_be_taken_back(
    bounded: Law, arm_limits: ArmLimits, rng: np.random.Generator
) -> None:
    """Where pull and damping brake already the hold adds only what is left of the curve."""
    rate = law(arm_limits, POSTURE, 0.002).torque_rate
    limited, brakes_less = bounded._replace(torque_rate=rate), 0
    for _ in range(200):
        q, dq = near(rng, 0.4), rng.uniform(-1.0, 1.0, 7)
        position, facing, _ = kinematics(q)
        target = position + rng.uniform(-0.02, 0.02, 3)
        momentum = INERTIA * dq
        most = np.sqrt(2.0 * TAKEN_BACK * rate * np.abs(momentum))
        others, holding = (
            -np.sign(momentum) * torque_at(limited, q, dq, target, facing, hold=hold)[0]
            for hold in (False, True)
        )
        assert (holding <= np.maximum(most, others) + 1e-9).all()
        assert (holding >= others - 1e-9).all()
        brakes_less += bool((holding < others + 59.9 * np.abs(momentum)).all())
    assert brakes_less > 20


@pytest.mark.parametrize("hold", [False, True])
def test_what_a_wrist_has_not_the_torque_for_is_weakened_as_a_whole(
    bounded: Law, arm_limits: ArmLimits, rng: np.random.Generator, hold: bool
) -> None:
    """Where damping alone was more than it has the others pulled in full, and gave energy."""
    most = np.array([87.0, 87.0, 87.0, 87.0, 12.0, 12.0, 12.0])
    weak = bounded._replace(torque_limit=most)
    shares: list[float] = []
    for _ in range(200):
        q = near(rng, 0.4)
        dq = rng.uniform(-0.7, 0.7, 7)
        position, facing, _ = kinematics(q)
        target = position + rng.uniform(-0.03, 0.03, 3)
        wanted, _ = torque_at(bounded, q, dq, target, facing, hold=hold)
        torque, flags = torque_at(weak, q, dq, target, facing, hold=hold)
        shares.append(min(1.0, float((most / np.abs(wanted)).min())))
        assert np.allclose(torque, shares[-1] * wanted, atol=1e-9)
        assert (Limit.TORQUE in flags) == (shares[-1] < 1.0)
    assert min(shares) < 0.5
    assert max(shares) == 1.0


def test_at_rest_a_hold_changes_no_torque(bounded: Law, rng: np.random.Generator) -> None:
    """So the bound on contact force at rest is the same with and without it."""
    for _ in range(20):
        q = near(rng, 0.4)
        position, quaternion, _ = kinematics(q)
        target = position + rng.uniform(-0.3, 0.3, 3)
        plain, _ = torque_at(bounded, q, np.zeros(7), target, quaternion)
        holding, _ = torque_at(bounded, q, np.zeros(7), target, quaternion, hold=True)
        assert np.array_equal(plain, holding)


@pytest.mark.parametrize("hold", [False, True])
def test_the_inertia_counts_only_in_a_hold(bounded: Law, hold: bool) -> None:
    position, quaternion, jacobian = kinematics(POSTURE)
    zeros, lost = np.zeros(7), np.full((7, 7), np.nan)
    flags = impedance_torque(
        bounded,
        POSTURE,
        zeros,
        jacobian,
        position,
        quaternion,
        position,
        quaternion,
        lost,
        hold,
        zeros,
        zeros,
        scratch(),
        np.zeros(7),
    )
    assert (Limit.NOT_FINITE in Limit(flags)) == hold


def brake(constants: Law, dq: np.ndarray, seconds: float) -> tuple[np.ndarray, np.ndarray]:
    """Run the brake law on a free mass; joint speeds (n, 7) and positions (n, 7)."""
    q, latched, tau, work = POSTURE.copy(), POSTURE.copy(), np.zeros(7), scratch()
    speeds, positions, dt = [], [], 0.002
    for _ in range(round(seconds / dt)):
        brake_torque(constants, q, dq, latched, np.zeros(7), tau, work, tau)
        dq = dq + dt * tau / INERTIA
        q = q + dt * dq
        speeds.append(dq)
        positions.append(q)
    return np.array(speeds), np.array(positions)


def assert_stops(speeds: np.ndarray) -> None:
    assert (np.abs(speeds[-1]) < 0.02).all()


def test_brake_stops_and_never_pulls_back(arm_limits: ArmLimits) -> None:
    constants = law(arm_limits, POSTURE, 0.002)
    speeds, positions = brake(constants, np.array([0.8, -0.5, 0.6, -0.4, 1.0, -0.8, 0.9]), 1.0)
    assert_stops(speeds)
    turned = np.sign(positions[-1] - POSTURE)
    assert (turned == np.array([1, -1, 1, -1, 1, -1, 1])).all()
    back = np.abs(positions - POSTURE).max(axis=0) - np.abs(positions[-1] - POSTURE)
    assert (back < 0.01).all()


def test_control_without_brake_gains_the_arm_runs_on(arm_limits: ArmLimits) -> None:
    off = BrakeGains(stiffness_nm_rad=np.zeros(7), damping_nm_s_rad=np.zeros(7))
    constants = law(replace(arm_limits, brake=off), POSTURE, 0.002)
    with pytest.raises(AssertionError):
        assert_stops(brake(constants, np.full(7, 0.5), 1.0)[0])


def test_brake_holds_against_a_push_with_bounded_torque(arm_limits: ArmLimits) -> None:
    constants = law(arm_limits, POSTURE, 0.002)
    latched, out = POSTURE.copy(), np.zeros(7)
    pushed, flags = POSTURE + 0.3, 0
    for _ in range(100):
        flags = brake_torque(
            constants, pushed, np.zeros(7), latched, np.zeros(7), out, scratch(), out
        )
    assert Limit.BRAKE in Limit(flags)
    assert np.allclose(out, np.maximum(-constants.brake_stiffness * 0.05, -constants.torque_limit))
    assert np.array_equal(latched, POSTURE)


@pytest.mark.parametrize("place", range(3))
def test_brake_without_a_usable_state(arm_limits: ArmLimits, place: int) -> None:
    constants = law(arm_limits, POSTURE, 0.002)
    inputs = [POSTURE.copy(), np.zeros(7), np.zeros(7)]
    inputs[place][3] = np.nan
    q, dq, bias = inputs
    out, latched = np.zeros(7), POSTURE.copy()
    flags = Limit(brake_torque(constants, q, dq, latched, bias, out, scratch(), out))
    assert Limit.BRAKE | Limit.NOT_FINITE in flags
    assert (out == 0.0).all()


def test_brake_damps_a_joint_whose_position_is_not_known(arm_limits: ArmLimits) -> None:
    constants = law(arm_limits, POSTURE, 0.002)
    q, dq, out = np.full(7, np.nan), np.full(7, 0.01), np.zeros(7)
    flags = brake_torque(constants, q, dq, POSTURE.copy(), np.zeros(7), out, scratch(), out)
    assert Limit.BRAKE | Limit.NOT_FINITE in Limit(flags)
    np.testing.assert_allclose(out, -constants.brake_damping * 0.01)


def test_brake_latches_anew_when_the_latch_is_lost(arm_limits: ArmLimits) -> None:
    constants = law(arm_limits, POSTURE, 0.002)
    out, latched = np.zeros(7), np.full(7, np.nan)
    brake_torque(constants, POSTURE, np.zeros(7), latched, np.zeros(7), out, scratch(), out)
    assert np.array_equal(latched, POSTURE)
    assert (out == 0.0).all()


def test_posture_moves_the_elbow_and_not_the_hand(free: Law) -> None:
    q = POSTURE + np.array([0.2, 0.1, -0.2, 0.1, 0.2, -0.1, 0.1])
    position, quaternion, jacobian = kinematics(q)
    tau, _ = torque_at(free, q, np.zeros(7), position, quaternion)
    assert np.linalg.norm(tau) > 0.1
    wrench = np.linalg.lstsq(jacobian.T, tau, rcond=None)[0]
    assert np.abs(wrench).max() < 1e-6


def test_law_takes_the_cells_values(
    arm_limits: ArmLimits,
    cartesian: CartesianLimits,
) -> None:
    constants = law(arm_limits, POSTURE, 0.001)
    assert np.array_equal(constants.clip_plus, [*cartesian.clip_m[1], *cartesian.clip_rad[1]])
    assert np.allclose(constants.torque_step, 1.0)
    gains = ImpedanceGains.from_ratio([100.0] * 6, 0.5)
    assert np.allclose(gains.damping, 10.0)


@pytest.mark.parametrize("side", [1.0, -1.0])
def test_a_joint_is_pushed_back_from_the_end_of_its_range(
    arm_limits: ArmLimits, side: float
) -> None:
    """Nothing before the zone, all of its torque at the limit, and earlier while it moves there."""
    constants = law(arm_limits, POSTURE, 0.002)._replace(torque_step=np.full(7, 1e9))
    joint, limit = 0, 2.9 * side

    def torque(q_rad: float, dq_rad_s: float = 0.0) -> tuple[float, Limit]:
        q, dq = np.array(POSTURE), np.zeros(7)
        q[joint], dq[joint] = q_rad, dq_rad_s
        free = constants._replace(posture=q)
        position, quaternion, _ = kinematics(q)
        out, flags = torque_at(free, q, dq, position, quaternion)
        return float(out[joint]), flags

    before, flags = torque(limit - 1.01 * side * JOINT_ZONE_RAD)
    assert before == pytest.approx(0.0, abs=1e-6)
    assert Limit.JOINT not in flags
    half, flags = torque(limit - 0.75 * side * JOINT_ZONE_RAD)
    assert half == pytest.approx(-side * 0.5 * arm_limits.joints.torque_nm[joint], rel=1e-6)
    assert Limit.JOINT in flags
    at_limit, _ = torque(limit)
    assert at_limit == -side * arm_limits.joints.torque_nm[joint]
    _, towards = torque(limit - 2.0 * side * JOINT_ZONE_RAD, side * 1.0)
    _, away = torque(limit - 2.0 * side * JOINT_ZONE_RAD, -side * 1.0)
    assert Limit.JOINT in towards
    assert Limit.JOINT not in away


def test_the_law_is_refused_for_another_number_of_joints(arm_limits: ArmLimits) -> None:
    with pytest.raises(LimitError, match=r"for 7 joints; .* have \[6, 7\]"):
        law(arm_limits, POSTURE[:6], 0.002)
