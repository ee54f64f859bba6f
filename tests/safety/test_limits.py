"""Limits refuse what is not a limit, and a profile can only tighten."""

import pickle
from dataclasses import replace

import numpy as np
import pytest

from safety.limits import (
    ArmLimits,
    BrakeGains,
    CartesianLimits,
    ImpedanceGains,
    JointLimits,
    LimitError,
)
from safety.settings import GateSettings

NORMS = [
    "speed_m_s",
    "acceleration_m_s2",
    "jerk_m_s3",
    "angular_speed_rad_s",
    "angular_acceleration_rad_s2",
    "angular_jerk_rad_s3",
]
VECTORS = ["box_min_m", "box_max_m", "clip_m", "clip_rad"]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", [*NORMS, *VECTORS, "margin_m"])
def test_non_finite_is_refused(cartesian: CartesianLimits, name: str, value: float) -> None:
    bad = np.array(getattr(cartesian, name), dtype=float)
    bad.flat[-1] = value
    with pytest.raises(LimitError, match=name):
        replace(cartesian, **{name: bad if bad.ndim else float(bad)})


@pytest.mark.parametrize("name", NORMS)
@pytest.mark.parametrize("value", [0.0, -1.0])
def test_norms_are_positive(cartesian: CartesianLimits, name: str, value: float) -> None:
    with pytest.raises(LimitError, match=f"{name} is {value}; it must be finite and greater"):
        replace(cartesian, **{name: value})


def test_wrong_shape_names_both_shapes(cartesian: CartesianLimits) -> None:
    with pytest.raises(LimitError, match=r"clip_m has shape \(3,\); it must be \(2, 3\)"):
        replace(cartesian, clip_m=np.ones(3))


def test_empty_box_is_refused(cartesian: CartesianLimits) -> None:
    with pytest.raises(LimitError, match="box is empty"):
        replace(cartesian, box_min_m=cartesian.box_max_m)


@pytest.mark.parametrize("value", [0.0, -0.01])
def test_clip_is_positive(cartesian: CartesianLimits, value: float) -> None:
    with pytest.raises(LimitError, match=r"clip_m .* greater than 0"):
        replace(cartesian, clip_m=np.full((2, 3), value))


def test_rotation_clip_stays_below_a_quarter_turn(cartesian: CartesianLimits) -> None:
    with pytest.raises(LimitError, match="below pi/2"):
        replace(cartesian, clip_rad=np.full((2, 3), np.pi / 2))


def test_margin_may_be_zero_but_not_negative(cartesian: CartesianLimits) -> None:
    assert replace(cartesian, margin_m=0.0).margin_m == 0.0
    with pytest.raises(LimitError, match="margin_m"):
        replace(cartesian, margin_m=-0.001)


def test_arrays_are_read_only_and_survive_a_spawn(cartesian: CartesianLimits) -> None:
    with pytest.raises(ValueError, match="read-only"):
        cartesian.clip_m[0, 0] = 1.0
    again = pickle.loads(pickle.dumps(cartesian))  # noqa: S301 (spawn arguments)
    assert np.array_equal(again.clip_m, cartesian.clip_m)


def test_profile_only_tightens(cartesian: CartesianLimits, rng: np.random.Generator) -> None:
    for _ in range(50):
        factor = rng.uniform(0.5, 1.5, len(NORMS))
        profile = replace(
            cartesian,
            **{n: getattr(cartesian, n) * f for n, f in zip(NORMS, factor, strict=True)},
            box_min_m=cartesian.box_min_m + rng.uniform(-0.05, 0.05, 3),
            box_max_m=cartesian.box_max_m + rng.uniform(-0.05, 0.05, 3),
            clip_m=cartesian.clip_m * rng.uniform(0.5, 1.5, (2, 3)),
            clip_rad=cartesian.clip_rad * rng.uniform(0.5, 1.5, (2, 3)),
            margin_m=float(rng.uniform(0.0, 0.04)),
        )
        tight = cartesian.tightened(profile)
        for name in [*NORMS, "box_max_m", "clip_m", "clip_rad", "margin_m"]:
            expected = np.minimum(getattr(cartesian, name), getattr(profile, name))
            assert np.array_equal(getattr(tight, name), expected)
        assert np.array_equal(tight.box_min_m, np.maximum(cartesian.box_min_m, profile.box_min_m))


def test_profile_outside_the_cell_is_refused(cartesian: CartesianLimits) -> None:
    elsewhere = replace(
        cartesian, box_min_m=cartesian.box_min_m + 1.0, box_max_m=cartesian.box_max_m + 1.0
    )
    with pytest.raises(LimitError, match="box is empty"):
        cartesian.tightened(elsewhere)


def test_arm_is_tightened_by_a_profile(arm_limits: ArmLimits) -> None:
    profile = replace(arm_limits.cartesian, clip_m=np.full((2, 3), 0.001))
    assert arm_limits.tightened(profile).bounds.force_n.max() == pytest.approx(2.0)


@pytest.mark.parametrize("bad", [np.nan, 0.0, -1.0])
def test_gains_are_positive(bad: float) -> None:
    with pytest.raises(LimitError, match="stiffness"):
        ImpedanceGains.from_ratio([bad] * 6, 1.0)
    with pytest.raises(LimitError, match="damping ratio"):
        ImpedanceGains.from_ratio([1.0] * 6, bad)
    with pytest.raises(LimitError, match="damping"):
        ImpedanceGains(stiffness=np.ones(6), damping=np.full(6, bad))


def test_nullspace_and_brake_gains_are_not_negative() -> None:
    with pytest.raises(LimitError, match="nullspace_stiffness"):
        ImpedanceGains(stiffness=np.ones(6), damping=np.ones(6), nullspace_stiffness_nm_rad=-1.0)
    with pytest.raises(LimitError, match="damping_nm_s_rad"):
        BrakeGains(damping_nm_s_rad=np.full(7, -1.0))


def test_joint_ranges_are_not_empty(arm_limits: ArmLimits) -> None:
    joints = arm_limits.joints
    with pytest.raises(LimitError, match="position_min_rad"):
        replace(joints, position_min_rad=joints.position_max_rad)
    with pytest.raises(LimitError, match="torque_nm"):
        replace(joints, torque_nm=np.zeros(7))


@pytest.mark.parametrize("bad", [np.nan, np.inf, 0.0, -0.1])
@pytest.mark.parametrize("name", ["period_s", "command_life_s", "measurement_age_s"])
def test_gate_settings_refuse_bad_times(name: str, bad: float) -> None:
    with pytest.raises(LimitError, match=name):
        replace(GateSettings(period_s=0.005), **{name: bad})


@pytest.mark.parametrize("bad", [np.nan, -0.1, 1.1])
def test_gate_settings_refuse_a_bad_threshold(bad: float) -> None:
    with pytest.raises(LimitError, match="risk_threshold"):
        GateSettings(period_s=0.005, risk_threshold=bad)


def test_joint_limits_follow_the_number_of_joints(arm_limits: ArmLimits) -> None:
    joints = arm_limits.joints
    names = ("position_min_rad", "position_max_rad", "velocity_rad_s", "torque_nm")
    six = {name: getattr(joints, name)[:6] for name in (*names, "torque_rate_nm_s")}
    assert JointLimits(**six).torque_nm.shape == (6,)
    with pytest.raises(LimitError, match=r"velocity_rad_s has shape \(7,\); it must be \(6,\)"):
        JointLimits(**six | {"velocity_rad_s": joints.velocity_rad_s})
    with pytest.raises(LimitError, match="position_min_rad has shape"):
        replace(joints, position_min_rad=0.0)
    with pytest.raises(LimitError, match="damping_nm_s_rad has shape"):
        BrakeGains(stiffness_nm_rad=np.ones(6))
