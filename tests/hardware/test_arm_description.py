"""What a driver may say of its arm."""

from dataclasses import replace

import pytest

from hardware.arm import SimulationDescription
from hardware.sim.driver import SimulatedArmSettings, describe


def test_a_simulation_without_cameras_needs_no_renderer() -> None:
    assert SimulationDescription(step_ns=2_000_000, scenes=("reach",)).cameras == ()
    with pytest.raises(ValueError, match="must name the renderer that draws them"):
        SimulationDescription(step_ns=2_000_000, scenes=("reach",), cameras=("front",))


def test_an_arm_that_draws_itself_needs_none() -> None:
    drawn = SimulationDescription(
        step_ns=2_000_000, scenes=("reach",), cameras=("front",), draws_itself=True
    )
    assert drawn.renderer == ""


def test_accelerations_are_one_for_each_joint() -> None:
    described = describe(SimulatedArmSettings(driver="simulated_panda"))
    unknown = replace(described, acceleration_rad_s2=None, shape=None)
    assert unknown.acceleration_rad_s2 is None
    with pytest.raises(ValueError, match="acceleration_rad_s2 has 6 values; the arm has 7 joints"):
        replace(described, acceleration_rad_s2=(1.0,) * 6)


def test_a_shape_has_the_arms_joints_and_needs_their_accelerations() -> None:
    described = describe(SimulatedArmSettings(driver="simulated_panda"))
    shape = described.shape
    assert shape is not None
    with pytest.raises(ValueError, match="shape needs acceleration_rad_s2"):
        replace(described, acceleration_rad_s2=None)
    on_six = tuple(each for each in shape.capsules if each.link < 7)
    with pytest.raises(ValueError, match="shape has 6 axes; the arm has 7 joints"):
        replace(described, shape=replace(shape, axes=shape.axes[:6], capsules=on_six, ignored=()))
