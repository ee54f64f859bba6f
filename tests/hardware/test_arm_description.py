"""What a driver may say of its arm."""

import pytest

from hardware.arm import SimulationDescription


def test_a_simulation_without_cameras_needs_no_renderer() -> None:
    assert SimulationDescription(step_ns=2_000_000, scenes=("reach",)).cameras == ()
    with pytest.raises(ValueError, match="must name the renderer that draws them"):
        SimulationDescription(step_ns=2_000_000, scenes=("reach",), cameras=("front",))


def test_an_arm_that_draws_itself_needs_none() -> None:
    drawn = SimulationDescription(
        step_ns=2_000_000, scenes=("reach",), cameras=("front",), draws_itself=True
    )
    assert drawn.renderer == ""
