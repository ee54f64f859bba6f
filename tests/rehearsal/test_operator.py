"""The scripted operator's mind: patience, reaction, the two phases, silence when told to."""

from dataclasses import replace

import numpy as np
import pytest

from robot_rl.rehearsal.expert import Advice, View
from robot_rl.rehearsal.lift_cube import LiftCubeExpert
from robot_rl.rehearsal.operator import Mind, OperatorSettings, Wish, decide
from safety.vocabulary import Mode

STEP_S = 0.05
SETTINGS = OperatorSettings(reaction_s=0.3, patience_s=1.0, correction_s=0.5, noise=0.0)
EXPERT = LiftCubeExpert(step_m=np.full(3, 0.025))
DOWN = np.array([0.0, 1.0, 0.0, 0.0])
type Decided = tuple[Wish, int]
"""The wish, and the order to the gripper."""


def view(t_s: float, tcp: tuple[float, float, float], gripper_m: float = 0.085) -> View:
    return View(
        t_s=t_s,
        tcp_position_m=np.array(tcp),
        tcp_quaternion=DOWN,
        gripper_m=gripper_m,
        objects={"cube": (np.array([0.45, 0.05, 0.02]), np.array([1.0, 0, 0, 0]))},
        success=False,
        progress=0.0,
    )


def first_takeover(
    settings: OperatorSettings,
    speed_m_s: float,
    rng: np.random.Generator,
    expert: LiftCubeExpert = EXPERT,
) -> float:
    """When a person takes over from an arm that approaches the cube at `speed_m_s`; inf: never."""
    mind = Mind()
    for tick in range(60):
        t_s = tick * STEP_S
        tcp = (0.45, 0.05, 0.30 - speed_m_s * t_s)
        mind, decision = decide(mind, view(t_s, tcp), Mode.AUTONOMOUS, expert, settings, rng)
        if decision.wish is Wish.TAKE_OVER:
            return t_s
    return float("inf")


def test_takes_over_after_patience_and_reaction(rng: np.random.Generator) -> None:
    assert first_takeover(SETTINGS, 0.0, rng) == pytest.approx(1.3, abs=STEP_S + 1e-9)
    slower = replace(SETTINGS, reaction_s=1.0)
    assert first_takeover(slower, 0.0, rng) == pytest.approx(2.0, abs=STEP_S + 1e-9)


def test_watches_as_long_as_the_task_needs(rng: np.random.Generator) -> None:
    own = replace(SETTINGS, patience_s=None)
    patient = replace(EXPERT, patience_s=2.0)
    assert first_takeover(own, 0.0, rng, patient) == pytest.approx(2.3, abs=STEP_S + 1e-9)
    assert first_takeover(SETTINGS, 0.0, rng, patient) == pytest.approx(1.3, abs=STEP_S + 1e-9)


def test_leaves_a_robot_alone_that_makes_progress(rng: np.random.Generator) -> None:
    assert first_takeover(SETTINGS, 0.08, rng) == float("inf")


def test_stays_silent_without_interventions(rng: np.random.Generator) -> None:
    assert first_takeover(replace(SETTINGS, interventions=False), 0.0, rng) == float("inf")


def test_recovers_then_corrects_then_lets_go(rng: np.random.Generator) -> None:
    mind, wishes = Mind(), []
    heights = [0.02, 0.02, 0.06, *[0.09] * 14]  # beside the cube and low, then above it
    for tick, height in enumerate(heights):
        seen = view(tick * STEP_S, (0.40, 0.05, height))
        mind, decision = decide(mind, seen, Mode.TAKEOVER, EXPERT, SETTINGS, rng)
        assert decision.advice is not None
        wishes.append(decision.wish)
    assert wishes[0] is Wish.NOTHING
    marked = wishes.index(Wish.MARK_CORRECTION)
    released = wishes.index(Wish.LET_GO)
    assert marked == 2
    assert (released - marked) * STEP_S == pytest.approx(SETTINGS.correction_s, abs=STEP_S + 1e-9)


def test_a_demonstrator_never_lets_go(rng: np.random.Generator) -> None:
    mind = Mind(demonstrating=True)
    mind, decision = decide(mind, view(0, (0.45, 0, 0.2)), Mode.IDLE, EXPERT, SETTINGS, rng)
    assert decision.wish is Wish.TAKE_OVER
    for tick in range(100):
        seen = view(tick * STEP_S, (0.45, 0.05, 0.09))
        mind, decision = decide(mind, seen, Mode.TAKEOVER, EXPERT, SETTINGS, rng)
        assert decision.wish is not Wish.LET_GO


def test_skill_and_noise_change_what_the_hand_does(rng: np.random.Generator) -> None:
    seen = view(0.0, (0.35, -0.05, 0.2))
    exact = EXPERT.advise(seen)
    clumsy = replace(SETTINGS, skill=0.0)
    _, decision = decide(Mind(), seen, Mode.TAKEOVER, EXPERT, clumsy, rng)
    assert decision.advice is not None
    assert not np.allclose(decision.advice.axes, exact.axes)
    assert np.all(decision.advice.axes[3:] == 0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("skill", 1.5),
        ("noise", -0.1),
        ("patience_s", 0.0),
        ("press_s", 0.0),
        ("forgotten_mark", 1.1),
    ],
)
def test_refuses_impossible_people(name: str, value: float) -> None:
    with pytest.raises(ValueError, match="allowed are"):
        replace(SETTINGS, **{name: value})


def test_the_expert_goes_up_before_it_goes_across() -> None:
    advice: Advice = EXPERT.advise(view(0.0, (0.35, -0.05, 0.02)))
    assert advice.axes[2] > 0.5
    assert np.all(np.abs(advice.axes[:2]) < 0.25)


def driven(settings: OperatorSettings, rng: np.random.Generator, ticks: int = 40) -> list[Decided]:
    """What a person does in a takeover that begins around the cube, with the gripper open."""
    mind, decided = Mind(), list[Decided]()
    for tick in range(ticks):
        seen = view(tick * STEP_S, (0.45, 0.05, 0.02))
        mind, decision = decide(mind, seen, Mode.TAKEOVER, EXPERT, settings, rng)
        assert decision.advice is not None
        decided.append((decision.wish, decision.advice.gripper))
    return decided


def test_a_key_held_for_a_while_is_let_go_before_the_gripper_has_closed(
    rng: np.random.Generator,
) -> None:
    """The view shows it open all the time: without `press_s` the order stands as long."""
    brief = [gripper for _, gripper in driven(replace(SETTINGS, press_s=0.1), rng)]
    assert brief == [-1, -1] + [0] * 38
    assert [gripper for _, gripper in driven(SETTINGS, rng)] == [-1] * 40


def test_the_key_is_pressed_anew_for_another_order_and_in_another_takeover(
    rng: np.random.Generator,
) -> None:
    settings, mind = replace(SETTINGS, press_s=0.1), Mind()
    around, aside = (0.45, 0.05, 0.02), (0.40, 0.05, 0.02)
    course = [
        *[(Mode.TAKEOVER, around, 0.085)] * 4,  # close
        *[(Mode.TAKEOVER, aside, 0.06)] * 4,  # it has slipped: open
        *[(Mode.TAKEOVER, around, 0.085)] * 3,
        (Mode.AUTONOMOUS, around, 0.085),
        *[(Mode.TAKEOVER, around, 0.085)] * 3,
    ]
    orders: list[int | None] = []
    for tick, (mode, tcp, gripper_m) in enumerate(course):
        seen = view(tick * STEP_S, tcp, gripper_m)
        mind, decision = decide(mind, seen, mode, EXPERT, settings, rng)
        orders.append(None if decision.advice is None else decision.advice.gripper)
    assert orders == [-1, -1, 0, 0, 1, 1, 0, 0, -1, -1, 0, None, -1, -1, 0]


def test_nobody_who_presses_for_a_while_does_so_before_they_drive(rng: np.random.Generator) -> None:
    """Control takes what was said last when a takeover begins."""
    seen = view(0.0, (0.45, 0.05, 0.02))
    for settings, gripper in ((SETTINGS, -1), (replace(SETTINGS, press_s=0.1), 0)):
        showing = Mind(demonstrating=True)
        _, decision = decide(showing, seen, Mode.IDLE, EXPERT, settings, rng)
        assert decision.wish is Wish.TAKE_OVER
        assert decision.advice is not None
        assert decision.advice.gripper == gripper


def test_who_forgets_the_mark_corrects_and_lets_go_all_the_same(rng: np.random.Generator) -> None:
    marked = [wish for wish, _ in driven(SETTINGS, rng)]
    forgotten = [wish for wish, _ in driven(replace(SETTINGS, forgotten_mark=1.0), rng)]
    assert marked[0] is Wish.MARK_CORRECTION
    assert forgotten[0] is Wish.FORGET_MARK
    assert Wish.MARK_CORRECTION not in forgotten
    assert forgotten[1:] == marked[1:]
    assert Wish.LET_GO in forgotten


def test_the_mark_is_forgotten_in_the_share_of_takeovers_and_never_in_a_demonstration(
    rng: np.random.Generator,
) -> None:
    settings = replace(SETTINGS, forgotten_mark=0.5)
    first = [driven(settings, rng, ticks=1)[0][0] for _ in range(400)]
    share = first.count(Wish.FORGET_MARK) / len(first)
    assert 0.4 < share < 0.6, f"{share} in the run of {rng}"
    seen, always = view(0.0, (0.45, 0.05, 0.02)), replace(SETTINGS, forgotten_mark=1.0)
    showing = Mind(demonstrating=True)
    _, decision = decide(showing, seen, Mode.TAKEOVER, EXPERT, always, rng)
    assert decision.wish is Wish.MARK_CORRECTION
