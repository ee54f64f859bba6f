"""The fuzz run in short: no limit is exceeded, and a limiter that is off is seen to be off."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks import fuzz, fuzz_scene
from benchmarks.fuzz_measured import BEYOND, Quantity, less
from benchmarks.fuzz_off import OFF, UNCONTROLLED, Off, unjudged
from benchmarks.fuzz_scene import FeltPhysics
from robot_rl.commands.bench import bench
from robot_rl.config import load_cell
from robot_rl.daemon.limits import cell_limits
from robot_rl.errors import PlainError
from safety import gate
from safety.limits import ArmLimits
from safety.vocabulary import ONLY_ARM, Limit, Reject

SEED = 3  # of a segment in which the hand is caught, and that ends in 8 s


@pytest.fixture(scope="module")
def stated() -> ArmLimits:
    return cell_limits(load_cell("simulation").arms[ONLY_ARM])


@pytest.fixture(scope="module")
def physics(stated: ArmLimits) -> FeltPhysics:
    return fuzz_scene.build(stated)


def test_nothing_is_exceeded(physics: FeltPhysics, stated: ArmLimits) -> None:
    found = fuzz.segment(physics, stated, SEED, 8.0)
    assert found.commands == pytest.approx(1600, abs=400)
    assert not {name: steps for name, steps in found.beyond.items() if steps}
    assert found.worst[Quantity.TORQUE.name][0] > 0.9, "it was hard work"
    assert Quantity.CLEARANCE.name in found.worst
    assert found.refused == 0


def test_a_force_at_rest_is_told_from_what_moves(physics: FeltPhysics, stated: ArmLimits) -> None:
    """A caught hand that presses with K c while its fingers move: they are felt in the vice."""
    found = fuzz.segment(physics, stated, 32, 4.0)
    assert 0.99 < found.worst[Quantity.STATIC_FORCE.name][0] <= 1.0
    assert found.worst[Quantity.STATIC_FORCE.name][0] <= found.worst[Quantity.RAW_FORCE.name][0]
    assert found.worst[Quantity.RAW_FORCE.name][0] < 1.1


def test_of_a_force_at_rest_a_hold_takes_only_what_its_brake_can_be() -> None:
    """Its rate is anything from nothing to the whole."""
    pressed = np.array([10.0, -10.0, 10.0, -10.0, 0.2, 0.0])
    brake = np.array([1.0, -2.0, -3.0, 4.0, 0.5, 1.0])
    assert np.array_equal(less(pressed, brake), [9.0, -8.0, 10.0, -10.0, 0.0, 0.0])


def test_control_without_the_workspace(physics: FeltPhysics, stated: ArmLimits) -> None:
    ratio, shown = fuzz.shown_without(physics, stated, OFF["workspace"], segments=2)
    assert shown is Quantity.POSITION
    assert ratio > 2.0


def test_control_without_bounds_of_the_joints(physics: FeltPhysics, stated: ArmLimits) -> None:
    """The engine's own stops, and no error, end the motion."""
    ratio, shown = fuzz.shown_without(physics, stated, OFF["joint"], segments=1)
    assert shown is Quantity.JOINT_RANGE
    assert BEYOND < ratio < 1.1


def test_control_without_a_shape(physics: FeltPhysics, stated: ArmLimits) -> None:
    ratio, shown = fuzz.shown_without(physics, stated, OFF["collision"], segments=1)
    assert shown is Quantity.CLEARANCE
    assert 1.5 < ratio < 10.0


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")  # what is let through is inf
@pytest.mark.parametrize("name", ["risk", "expired", "not_finite"])
def test_control_of_a_reason_to_refuse(physics: FeltPhysics, stated: ArmLimits, name: str) -> None:
    ratio, shown = fuzz.shown_without(physics, stated, OFF[name], segments=2)
    assert shown is Quantity.UNADMITTED
    assert 2.0 < ratio < 1e3


def test_an_error_of_the_gate_shows_nothing(physics: FeltPhysics, stated: ArmLimits) -> None:
    """It ends control in place of moving the arm: see `UNCONTROLLED`."""
    with pytest.raises(ValueError, match="broadcast"):
        fuzz.shown_without(physics, stated, unjudged(Reject.SHAPE), segments=1)


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")  # what is let through is inf
def test_what_is_no_measurement_is_refused_at_the_arms_door_too(
    physics: FeltPhysics, stated: ArmLimits, monkeypatch: pytest.MonkeyPatch
) -> None:
    only = Off(shown_by=(), spells=("refused",), reasons=(Reject.MEASUREMENT.value,))
    assert fuzz.segment(physics, stated, SEED, 3.0, off=only).refused == 0
    monkeypatch.setattr(gate, "usable_pose", lambda *_: True)
    found = fuzz.segment(physics, stated, SEED, 3.0, off=only)
    assert found.refused > 0
    assert found.beyond[Quantity.UNADMITTED.name] == 0


@pytest.mark.parametrize("name", OFF)
def test_an_arm_without_one_limiter_can_be_built(
    physics: FeltPhysics, stated: ArmLimits, name: str
) -> None:
    """Else its control would show that a file is refused, and simulate nothing."""
    fuzz.begun(physics, stated, SEED, OFF[name])


def test_each_limiter_has_a_control_or_a_reason_for_none() -> None:
    named = {str(limit.name).lower() for limit in Limit} | {reject.value for reject in Reject}
    assert named - OFF.keys() == UNCONTROLLED.keys() | {Reject.NONE.value}


def test_results_are_kept_and_gone_on_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seeds: list[int] = []
    once = fuzz.segment

    def counted(
        physics: FeltPhysics, stated: ArmLimits, seed: int, *rest: float, code: str
    ) -> object:
        seeds.append(seed)
        return once(physics, stated, seed, 0.5, code=code).model_copy(update={"seconds": rest[0]})

    monkeypatch.setattr(fuzz, "segment", counted)
    file = tmp_path / "fuzz.jsonl"
    fuzz.run(hours=1 / 120, keep=str(file))
    with file.open("a") as lines:
        lines.write('{"code": "cut o')
    result = fuzz.run(hours=2 / 120, keep=str(file))
    assert seeds == [0, 1]
    assert result.detail["simulated hours"] == pytest.approx(2 / 120)


def test_a_limiter_that_there_is_none_of() -> None:
    with pytest.raises(PlainError, match="there is no limiter 'luck'; choose all or one of: speed"):
        bench("fuzz", without="luck")
