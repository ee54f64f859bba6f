"""Contact at rest and free speed follow from the values; what exceeds the statement is refused."""

from dataclasses import replace

import numpy as np
import pytest

from safety import contact
from safety.limits import ArmLimits, ImpedanceGains, LimitError

STATEMENTS = {
    "force_limit_n": (16.0, "Stiffness × clip is 16 N on z and static_force_n is 15.9 N"),
    "torque_limit_nm": (
        4.5,
        "Rotational stiffness × clip_rad is 4.5 Nm on z and static_torque_nm is 4.47 Nm",
    ),
    "free_speed_limit_m_s": (
        16.0 / (2.0 * np.sqrt(2000.0)),
        "Free speed .* is 0.179 m/s on z and free_speed_m_s is 0.178 m/s",
    ),
    "free_rotation_limit_rad_s": (
        4.5 / (2.0 * np.sqrt(150.0)),
        "Free rotation .* is 0.184 rad/s on z and free_rotation_rad_s is 0.183 rad/s",
    ),
}


def test_bounds_are_stiffness_times_clip_and_that_over_damping(arm_limits: ArmLimits) -> None:
    force = [[12.0, 12.0, 8.0], [12.0, 12.0, 16.0]]
    torque = 150.0 * arm_limits.cartesian.clip_rad
    found = arm_limits.bounds
    assert np.allclose(found.force_n, force)
    assert np.allclose(found.torque_nm, torque)
    assert np.allclose(found.free_speed_m_s, np.array(force) / (2.0 * np.sqrt(2000.0)))
    assert np.allclose(found.free_rotation_rad_s, torque / (2.0 * np.sqrt(150.0)))


@pytest.mark.parametrize("name", STATEMENTS)
def test_an_arm_that_allows_more_than_it_states_is_refused(
    arm_limits: ArmLimits, name: str
) -> None:
    exact, said = STATEMENTS[name]
    assert getattr(replace(arm_limits, **{name: exact}), name) == exact
    with pytest.raises(LimitError, match=said):
        replace(arm_limits, **{name: exact * 0.994})


@pytest.mark.parametrize("name", STATEMENTS)
@pytest.mark.parametrize("bad", [np.nan, np.inf, 0.0, -1.0])
def test_what_is_stated_is_a_positive_number(arm_limits: ArmLimits, name: str, bad: float) -> None:
    with pytest.raises(LimitError, match=name):
        replace(arm_limits, **{name: bad})


def test_damping_bounds_the_free_speed_and_not_the_force(arm_limits: ArmLimits) -> None:
    stiff = ImpedanceGains.from_ratio([2000.0] * 3 + [150.0] * 3, 0.9)
    with pytest.raises(LimitError, match="Free speed"):
        replace(arm_limits, gains=stiff)


def test_what_is_missing_is_named_with_the_value_to_write(arm_limits: ArmLimits) -> None:
    given: dict[str, float | None] = {"static_torque_nm": 5.0, "free_rotation_rad_s": None}
    said = contact.missing(arm_limits.bounds, given)
    assert "free_rotation_rad_s is missing" in said
    assert "if that is right write free_rotation_rad_s = 0.184, else lower clip_rad" in said
    assert contact.missing(arm_limits.bounds, {"static_torque_nm": 5.0}) == ""


@pytest.mark.parametrize("value", [0.00123, 0.447, 1.0, 15.0, 39.99, 123.4])
def test_what_is_to_be_written_is_never_less_than_the_bound(value: float) -> None:
    """Otherwise a person who does as the sentence says would meet the next refusal."""
    gains = ImpedanceGains(stiffness=np.full(6, value), damping=np.ones(6))
    bounds = contact.bounds(gains.stiffness, gains.damping, np.ones((2, 6)))
    written = float(contact.missing(bounds, {"static_force_n": None}).split("= ")[1].split(",")[0])
    assert value <= written <= 1.01 * value
