"""A person's input: dead-band, hysteresis, dead-man, scale, frame, and zero when in doubt."""

from dataclasses import replace

import numpy as np
import pytest

from safety import lease, rotation
from safety.admission import judge
from safety.drive import DriveInput, DriveSettings, DriveState, shape
from safety.limits import LimitError
from safety.modes import ModeState
from safety.proposal import Twist
from safety.settings import GateSettings
from safety.vocabulary import DriveFrame, Mode, Reject

SETTINGS = DriveSettings(speed_m_s=0.2, angular_speed_rad_s=0.8, dead_band=0.1, hysteresis=0.04)
UPRIGHT = np.array([1.0, 0.0, 0.0, 0.0])


def reading(**axes: float) -> DriveInput:
    values = np.array([axes.get(name, 0.0) for name in ("x", "y", "z", "rx", "ry", "rz")])
    return DriveInput(axes=values, dead_man=True, age_s=0.0)


def twist_of(given: DriveInput, state: DriveState | None = None) -> np.ndarray:
    return shape(SETTINGS, state or DriveState(), given, UPRIGHT)[0]


def test_full_deflection_is_full_speed() -> None:
    assert np.allclose(twist_of(reading(x=1.0, rz=-1.0)), [0.2, 0, 0, 0, 0, -0.8])
    assert np.allclose(twist_of(reading(x=7.0)), [0.2, 0, 0, 0, 0, 0])
    assert np.allclose(twist_of(replace(reading(x=1.0), speed_scale=0.25)), [0.05, 0, 0, 0, 0, 0])


def test_motion_starts_from_zero_at_the_dead_band() -> None:
    assert not twist_of(reading(x=0.1)).any()
    assert 0.0 < twist_of(reading(x=0.101))[0] < 0.001


def test_an_axis_awake_stays_awake_down_to_the_hysteresis() -> None:
    _, awake = shape(SETTINGS, DriveState(), reading(y=0.2), UPRIGHT)
    assert awake.awake == (False, True, False, False, False, False)
    _, still = shape(SETTINGS, awake, reading(y=0.07), UPRIGHT)
    assert still.awake[1]
    _, asleep = shape(SETTINGS, awake, reading(y=0.059), UPRIGHT)
    assert not asleep.awake[1]
    _, fresh = shape(SETTINGS, DriveState(), reading(y=0.07), UPRIGHT)
    assert not fresh.awake[1]


def test_nothing_moves_without_the_dead_man() -> None:
    released = replace(reading(x=1.0), dead_man=False)
    assert not twist_of(released).any()
    by_hand = replace(SETTINGS, deflection_is_dead_man=True)
    assert shape(by_hand, DriveState(), released, UPRIGHT)[0][0] == pytest.approx(0.2)
    assert not shape(by_hand, DriveState(), replace(released, axes=np.zeros(6)), UPRIGHT)[0].any()


def test_tool_axes_turn_with_the_tool() -> None:
    tool = rotation.exponential(np.array([0.0, 0.0, np.pi / 2]))
    given = replace(reading(x=1.0, rx=1.0), frame=DriveFrame.TOOL)
    twist, _ = shape(SETTINGS, DriveState(), given, tool)
    assert np.allclose(twist, [0.0, 0.2, 0.0, 0.0, 0.8, 0.0], atol=1e-12)


@pytest.mark.parametrize(
    "change",
    [
        {"age_s": 0.1001},
        {"age_s": -0.001},
        {"age_s": float("nan")},
        {"speed_scale": float("nan")},
        {"speed_scale": 1.01},
        {"speed_scale": -0.1},
        {"axes": np.ones(5)},
        {"axes": np.array([1.0, 0.0, 0.0, 0.0, 0.0, np.nan])},
        {"axes": np.array([1.0, 0.0, 0.0, 0.0, 0.0, np.inf])},
    ],
)
def test_a_doubtful_reading_is_zero_and_puts_every_axis_to_sleep(change: dict[str, object]) -> None:
    awake = DriveState(awake=(True, True, True, True, True, True))
    twist, after = shape(SETTINGS, awake, replace(reading(x=1.0), **change), UPRIGHT)
    assert not twist.any()
    assert after == DriveState()


@pytest.mark.parametrize("tool", [np.full(4, np.nan), np.zeros(3)])
def test_an_unusable_tool_pose_is_zero(tool: np.ndarray) -> None:
    assert not shape(SETTINGS, DriveState(), reading(x=1.0), tool)[0].any()


@pytest.mark.parametrize(
    "change",
    [
        {"speed_m_s": float("nan")},
        {"angular_speed_rad_s": 0.0},
        {"dead_band": 1.0},
        {"hysteresis": 0.2},
        {"hysteresis": -0.1},
        {"dead_band": float("nan")},
    ],
)
def test_impossible_settings_are_refused(change: dict[str, float]) -> None:
    with pytest.raises(LimitError, match=next(iter(change))):
        replace(SETTINGS, **change)  # type: ignore[arg-type]


@pytest.mark.parametrize(("age_ms", "fresh"), [(40, True), (60, False)])
def test_one_constant_says_how_old_a_persons_input_may_be(
    monkeypatch: pytest.MonkeyPatch, age_ms: int, fresh: bool
) -> None:
    """The lease's silence, the shaping of axes and the gate agree, whatever it is set to."""
    monkeypatch.setattr(lease, "SILENCE_NS", 50_000_000)
    now_ns = age_ms * 1_000_000
    silent = lease.silent(lease.LeaseState(holder="ada", heard_ns=0), now_ns)
    aged = replace(reading(x=1.0), age_s=age_ms * 1e-3)
    shaped, _ = shape(SETTINGS, DriveState(), aged, UPRIGHT)
    state = ModeState(mode=Mode.TAKEOVER)
    twist = Twist(epoch=state.epoch, received_ns=0, twist=np.zeros(6))
    judged = judge(twist, state, None, GateSettings(period_s=0.005), now_ns)
    assert (not silent, bool(shaped.any()), judged is Reject.NONE) == (fresh, fresh, fresh)


@pytest.mark.parametrize("axis", range(6))
def test_each_axis_wakes_by_itself(axis: int) -> None:
    axes = np.zeros(6)
    axes[axis] = 0.2
    _, after = shape(SETTINGS, DriveState(), replace(reading(), axes=axes), UPRIGHT)
    assert after.awake == tuple(each == axis for each in range(6))
