"""Limit profiles: they only tighten, and a gate that changes them makes no jump."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safety.clips import MovingClips
from safety.decay import DECAY_S
from safety.limits import CartesianLimits, LimitError
from safety.profile import LimitProfile, apply_all, words_of
from safety.proposal import Hold, Twist
from safety.vocabulary import Limit, Mode

DT = 0.005
NORMS = (
    "speed_m_s",
    "acceleration_m_s2",
    "jerk_m_s3",
    "angular_speed_rad_s",
    "angular_acceleration_rad_s2",
    "angular_jerk_rad_s3",
)
BASE = CartesianLimits(
    box_min_m=np.array([0.3, -0.2, 0.05]),
    box_max_m=np.array([0.6, 0.2, 0.4]),
    margin_m=0.02,
    speed_m_s=0.4,
    acceleration_m_s2=4.0,
    jerk_m_s3=200.0,
    angular_speed_rad_s=1.5,
    angular_acceleration_rad_s2=15.0,
    angular_jerk_rad_s3=600.0,
    clip_m=np.full((2, 3), 0.006),
    clip_rad=np.full((2, 3), 0.02),
)


def push(rig: Any, twist: list[float]) -> Twist:
    return Twist(epoch=rig.state.epoch, received_ns=rig.now_ns, twist=np.array(twist))


def no_looser(limits: CartesianLimits, than: CartesianLimits) -> bool:
    return (
        all(getattr(limits, name) <= getattr(than, name) for name in NORMS)
        and bool((limits.clip_m <= than.clip_m).all() and (limits.clip_rad <= than.clip_rad).all())
        and bool((limits.box_min_m >= than.box_min_m).all())
        and bool((limits.box_max_m <= than.box_max_m).all())
        and limits.margin_m <= than.margin_m
    )


# ---- only tighten, by construction ---------------------------------------------------------------

_triple = st.lists(st.floats(1e-4, 1.0), min_size=3, max_size=3).map(np.array)


@st.composite
def profiles(draw: Callable[..., Any]) -> LimitProfile:
    """Any values at all, also looser ones, for any of the limits."""
    given: dict[str, Any] = {}
    for name in NORMS:
        if draw(st.booleans()):
            given[name] = draw(st.floats(1e-3, 1e4))
    for name in ("clip_m", "clip_rad"):
        if draw(st.booleans()):
            given[name] = np.array([draw(_triple), draw(_triple)])
    if draw(st.booleans()):
        given["box_min_m"] = np.array([0.44, -0.01, 0.19]) - draw(_triple)
    if draw(st.booleans()):
        given["box_max_m"] = np.array([0.46, 0.01, 0.21]) + draw(_triple)
    return LimitProfile(**given)


@settings(max_examples=100, deadline=None)
@given(st.lists(profiles(), max_size=4), st.randoms())
def test_no_set_of_profiles_loosens_a_limit(chosen: list[LimitProfile], random: Any) -> None:
    limits = apply_all(BASE, chosen)
    assert no_looser(limits, BASE)
    for profile in chosen:
        assert no_looser(limits, profile.apply(BASE)), "the strictest of each counts"
        assert no_looser(profile.apply(limits), limits)
    random.shuffle(chosen)
    again = apply_all(apply_all(BASE, chosen), chosen)
    assert no_looser(again, limits)
    assert no_looser(limits, again)


def test_what_a_profile_does_not_state_stays(cartesian: CartesianLimits) -> None:
    assert LimitProfile().apply(cartesian) is cartesian
    slow = LimitProfile(speed_m_s=0.1).apply(cartesian)
    assert slow.speed_m_s == 0.1
    assert replace(slow, speed_m_s=0.4).acceleration_m_s2 == cartesian.acceleration_m_s2
    assert np.array_equal(slow.clip_m, cartesian.clip_m)


def test_profiles_that_leave_no_workspace_are_refused(cartesian: CartesianLimits) -> None:
    left = LimitProfile(box_max_m=np.array([0.6, -0.1, 0.4]))
    right = LimitProfile(box_min_m=np.array([0.3, 0.1, 0.05]))
    with pytest.raises(LimitError, match="box is empty"):
        apply_all(cartesian, [left, right])


# ---- words ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("instruction", "found"),
    [
        ("Put the GLASS away.", True),
        ("put the glass-fronted box away", True),
        ("glass", True),
        ("put the glasses away", False),
        ("fibreglass", False),
        ("glass_7", True),
        ("not glass", True),
        ("", False),
    ],
)
def test_whole_words_select_in_any_case(instruction: str, found: bool) -> None:
    assert ("glass" in words_of(instruction)) is found


def test_words_are_compared_in_one_spelling() -> None:
    assert words_of("cafe\u0301 STRASSE") == words_of("CAF\u00c9 stra\u00dfe")


# ---- the gate changes its limits -----------------------------------------------------------------


def test_a_gate_cannot_be_loosened(rig: Any) -> None:
    before = rig.gate.limits
    looser = {name: 10.0 * getattr(before, name) for name in NORMS}
    rig.gate.limit_to(rig.now_ns, replace(before, clip_m=10.0 * before.clip_m, **looser))
    assert no_looser(rig.gate.limits, before)
    rig.enter(Mode.TAKEOVER)
    rig.run(lambda: push(rig, [2.0, 2.0, 0.0, 0.0, 0.0, 0.0]), 40)
    assert max(np.linalg.norm(v[:3]) for v in rig.velocities) <= before.speed_m_s + 1e-9
    assert np.array_equal(rig.decisions[-1].command.clip_m, before.clip_m)


def test_a_speed_above_a_new_limit_is_braked_off(rig: Any) -> None:
    """Also with a low acceleration: slowing down uses what the cell allows."""
    rig.enter(Mode.TAKEOVER)
    fast = [0.2, 0.0, 0.0, 0.0, 0.0, 0.6]
    rig.run(lambda: push(rig, fast), 40)
    assert rig.gate.velocity[0] == pytest.approx(0.2)
    slow = LimitProfile(
        speed_m_s=0.1, angular_speed_rad_s=0.3, acceleration_m_s2=0.1, angular_acceleration_rad_s2=1
    )
    rig.gate.limit_to(rig.now_ns, slow.apply(rig.gate.limits))
    before, begun = rig.position_m, len(rig.velocities)
    rig.run(lambda: push(rig, fast), 60)
    passing = rig.velocities[begun - 1 :]
    assert all(b[0] <= a[0] + 1e-9 for a, b in pairwise(passing)), "it slows down at once"
    within = round(2 * (0.2 / (4.0 / 3**0.5) + 0.02) / DT)
    assert all(v[0] <= 0.1 / 3**0.5 + 1e-9 for v in passing[within:])
    assert all(v[5] <= 0.3 / 3**0.5 + 1e-9 for v in passing[within:])
    positions = [before, *(d.command.position_m for d in rig.decisions[begun:])]
    assert max(np.linalg.norm(b - a) for a, b in pairwise(positions)) <= 0.2 * DT + 1e-9


def test_a_profile_makes_no_stop_longer(make_rig: Any) -> None:
    def ticks_to_rest(profile: LimitProfile) -> int:
        rig = make_rig()
        rig.enter(Mode.TAKEOVER)
        rig.run(lambda: push(rig, [0.2, 0.0, 0.0, 0.0, 0.0, 0.0]), 40)
        rig.gate.limit_to(rig.now_ns, profile.apply(rig.gate.limits))
        rig.run(Hold, 200)
        return sum(bool(abs(v[0]) > 1e-9) for v in rig.velocities[40:])

    gentle = LimitProfile(acceleration_m_s2=0.2, jerk_m_s3=5.0)
    assert ticks_to_rest(gentle) == ticks_to_rest(LimitProfile())


def test_a_gentle_profile_begins_to_move_gently(rig: Any) -> None:
    rig.gate.limit_to(0, LimitProfile(acceleration_m_s2=0.5, jerk_m_s3=20.0).apply(rig.gate.limits))
    rig.enter(Mode.TAKEOVER)
    rig.run(lambda: push(rig, [0.1, 0.0, 0.0, 0.0, 0.0, 0.0]), 100)
    risen = np.diff([v[0] for v in rig.velocities]) / DT
    assert risen.max() == pytest.approx(0.5 / 3**0.5, rel=0.01)
    # Once it has stopped by the cell's own deceleration it is as gentle as before.
    rig.run(Hold, 40)
    begun = len(rig.velocities)
    rig.run(lambda: push(rig, [0.1, 0.0, 0.0, 0.0, 0.0, 0.0]), 100)
    risen = np.diff([v[0] for v in rig.velocities[begun:]]) / DT
    assert risen.max() <= 0.5 / 3**0.5 * 1.01


def _pressed(rig: Any, clip_m: float) -> list[float]:
    """Errors (m) of a reference that presses while its clip falls, the last ones as it stays."""
    rig.enter(Mode.TAKEOVER)
    rig.blocked = True
    rig.run(lambda: push(rig, [0.1, 0.0, 0.0, 0.0, 0.0, 0.0]), 60)
    tight = LimitProfile(clip_m=np.full((2, 3), clip_m))
    rig.gate.limit_to(rig.now_ns, tight.apply(rig.gate.limits))
    rig.run(lambda: push(rig, [0.1, 0.0, 0.0, 0.0, 0.0, 0.0]), 60)
    return [float(d.command.position_m[0] - rig.position_m[0]) for d in rig.decisions[59:]]


def test_a_clip_that_falls_under_load_makes_no_step(rig: Any) -> None:
    errors = _pressed(rig, 0.001)
    assert errors[0] == pytest.approx(0.006)
    fastest = 1.875 * 0.005 / DECAY_S * DT  # the peak of a minimum-jerk decay
    assert max(abs(b - a) for a, b in pairwise(errors)) <= fastest * 1.01
    settled = round(DECAY_S / DT) + 2
    assert max(errors[settled:]) <= 0.001 + 1e-12
    last = rig.decisions[-1].command
    assert np.array_equal(last.clip_m, np.full((2, 3), 0.001)), "the arm is told as well"
    assert all(
        (np.abs(d.command.position_m - rig.position_m) <= d.command.clip_m[1] + 1e-12).all()
        for d in rig.decisions[60:]
    )
    assert Limit.POSITION_CLIP in rig.decisions[-1].verdict.limits


def test_without_the_decay_it_would(rig: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Positive control."""

    def at_once(clips: Any, now_ns: int) -> None:
        clips.clip_m, clips.clip_rad = clips._wanted

    monkeypatch.setattr(MovingClips, "move", at_once)
    errors = _pressed(rig, 0.001)
    assert max(abs(b - a) for a, b in pairwise(errors)) >= 0.0049


def test_a_clip_that_grows_again_makes_no_step_either(rig: Any) -> None:
    _pressed(rig, 0.001)
    rig.gate.limit_to(rig.now_ns, BASE)
    begun = len(rig.decisions) - 1
    rig.run(lambda: push(rig, [0.1, 0.0, 0.0, 0.0, 0.0, 0.0]), 200)
    errors = [float(d.command.position_m[0] - rig.position_m[0]) for d in rig.decisions[begun:]]
    assert max(abs(b - a) for a, b in pairwise(errors)) <= 0.1 * DT + 1e-9
    assert errors[-1] == pytest.approx(0.006)


def test_an_arm_outside_a_new_box_brakes_and_only_comes_back_in(rig: Any) -> None:
    rig.enter(Mode.TAKEOVER)
    rig.run(lambda: push(rig, [0.2, 0.0, 0.0, 0.0, 0.0, 0.0]), 40)
    near = LimitProfile(box_max_m=np.array([0.4, 0.2, 0.4]))
    rig.gate.limit_to(rig.now_ns, near.apply(rig.gate.limits))
    outside = float(rig.position_m[0])
    rig.run(lambda: push(rig, [0.2, 0.0, 0.0, 0.0, 0.0, 0.0]), 40)
    assert rig.gate.velocity[0] == pytest.approx(0.0, abs=1e-9)
    assert rig.position_m[0] <= outside + 0.02, "no further than braking takes"
    assert Limit.EXCURSION in rig.decisions[-1].verdict.limits
    rig.run(lambda: push(rig, [-0.2, 0.0, 0.0, 0.0, 0.0, 0.0]), 200)
    inside = float(rig.position_m[0])
    assert inside < 0.4
    rig.run(lambda: push(rig, [0.2, 0.0, 0.0, 0.0, 0.0, 0.0]), 400)
    assert rig.position_m[0] <= 0.4 + 1e-9


@pytest.mark.parametrize("seed", range(4))
def test_changes_at_any_time_break_no_limit(make_rig: Any, seed: int) -> None:
    """Profiles that come and go while a person pushes about: the first limits hold throughout, and
    those of a profile once it had the time to take hold.
    """
    rng, rig = np.random.default_rng(seed), make_rig()
    print("seed", seed)
    widest = rig.gate.limits
    rig.enter(Mode.TAKEOVER)
    for _ in range(25):
        box = LimitProfile(box_min_m=rng.uniform([0.2, -0.3, 0.0], [0.4, -0.05, 0.15]))
        tight = LimitProfile(
            speed_m_s=rng.uniform(0.02, 0.6),
            acceleration_m_s2=rng.uniform(0.2, 6.0),
            jerk_m_s3=rng.uniform(5.0, 300.0),
            clip_m=rng.uniform(0.0005, 0.01, (2, 3)),
        )
        chosen = [p for p in (box, tight) if rng.random() < 0.6]
        rig.gate.limit_to(rig.now_ns, apply_all(widest, chosen))
        twist = rng.uniform(-1.0, 1.0, 6).tolist()
        rig.blocked = bool(rng.random() < 0.4)
        begun = len(rig.decisions)
        rig.run(Hold if rng.random() < 0.2 else lambda twist=twist: push(rig, twist), 60)
        for number in range(begun, len(rig.decisions)):
            command, speed = rig.decisions[number].command, rig.velocities[number][:3]
            bounds = rig.gate.limits if number >= begun + 40 else widest
            assert np.linalg.norm(speed) <= bounds.speed_m_s * (1 + 1e-6)
            assert (command.clip_m <= bounds.clip_m + 1e-12).all()
            assert (command.position_m >= widest.box_min_m - 1e-9).all()
            assert (command.position_m <= widest.box_max_m + 1e-9).all()
