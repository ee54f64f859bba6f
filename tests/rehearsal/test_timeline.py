"""The order of episodes, the two clocks beside them, and what is found in them again."""

from types import SimpleNamespace
from typing import Any

import pytest
from rich.progress import Progress

from robot_rl.errors import PlainError
from robot_rl.rehearsal.phases import Session
from robot_rl.rehearsal.pilot import EpisodePlan
from robot_rl.rehearsal.record import EpisodeLine
from robot_rl.rehearsal.settings import RehearsalSettings
from robot_rl.rehearsal.timeline import after, before, entries, frozen_evaluations
from robot_rl.schema.episode import Outcome, Purpose
from robot_rl.schema.message import new_id, utc_now

EPISODE_S = 10.0  # of the robot's clock, with the reset
SHOWN, TRAINED, FROZEN = Purpose.DEMONSTRATION, Purpose.TRAINING, Purpose.EVALUATION


class Pilot:
    """An episode takes 10 s and 70 steps; the person drives 4 s of a demonstration."""

    def __init__(self, *, drives: bool = True) -> None:
        self.plans: list[EpisodePlan] = []
        self.robot_s = 1000.0
        self.human_steps, self.steps = 0, 70
        self.version = 0
        self._drives = drives

    def join(self) -> None:
        pass

    def run(self, plan: EpisodePlan, between: Any) -> None:
        self.plans.append(plan)
        self.robot_s += EPISODE_S
        self.human_steps = 40 if self._drives and plan.purpose is SHOWN else 0
        if plan.purpose is TRAINED:
            self.version += 1  # a new one is followed
        elif plan.policy_version is not None:
            self.version = plan.policy_version

    @property
    def purposes(self) -> str:
        return "".join(plan.purpose.value[0] for plan in self.plans)


def ran(pilot: Pilot, **settings: Any) -> Pilot:
    wanted = RehearsalSettings(cell="simulation", task="lift_cube", **settings)
    system: Any = SimpleNamespace(check=lambda: None)
    Session(wanted, system, {"panda": pilot}, Progress(disable=True)).run()  # pyright: ignore[reportArgumentType]
    return pilot


def test_the_phases_and_their_seeds() -> None:
    pilot = ran(Pilot(), evaluations=2, demonstrations=1, episodes=3)
    assert pilot.purposes == "eedttte" + "e"
    seeds = [plan.seed for plan in pilot.plans if plan.purpose is FROZEN]
    assert seeds[:2] == seeds[2:]
    # An evaluation on the way asks for more of the same stream and changes none of it.
    again = ran(Pilot(), evaluations=2, evaluate_episodes=7, demonstrations=1, episodes=3)
    assert [plan.seed for plan in again.plans] == [plan.seed for plan in pilot.plans]


def test_an_evaluation_acts_with_one_version() -> None:
    versions = [
        plan.policy_version
        for plan in ran(Pilot(), evaluations=3, episodes=2).plans
        if plan.purpose is FROZEN
    ]
    assert versions == [0, 0, 0, None, 2, 2], "the first one's is pinned for those after it"


def test_evaluations_on_the_way_are_due_by_robot_time_and_take_none_of_it() -> None:
    pilot = ran(
        Pilot(),
        evaluations=1,
        episodes=7,
        evaluate_every_minutes=0.5,  # 30 s: three episodes
        evaluate_episodes=2,
    )
    assert pilot.purposes == "e" + "ttt" + "ee" + "ttt" + "ee" + "t" + "e"


def test_none_is_made_right_before_the_last_one() -> None:
    pilot = ran(Pilot(), evaluations=1, episodes=6, evaluate_every_minutes=0.5, evaluate_episodes=2)
    assert pilot.purposes == "e" + "ttt" + "ee" + "ttt" + "e"


def test_training_until_so_much_robot_time_has_passed() -> None:
    pilot = ran(
        Pilot(),
        evaluations=1,
        demonstrations=2,
        robot_minutes=0.7,  # 42 s: the fifth episode crosses it; demonstrations do not count
        evaluate_every_minutes=0.4,
        evaluate_episodes=3,
    )
    assert pilot.purposes == "e" + "dd" + "t" + "eee" + "tt" + "eee" + "tt" + "e"


def test_steps_in_place_of_robot_time() -> None:
    pilot = ran(
        Pilot(),
        evaluations=1,
        demonstrations=1,
        steps=350,  # the fifth episode reaches them; demonstrations do not count
        evaluate_every_steps=140,  # every second one: at 140, 280 and 420, where training ends
        evaluate_episodes=2,
    )
    assert pilot.purposes == "e" + "d" + "t" + "ee" + "tt" + "ee" + "tt" + "e"


def test_an_evaluation_that_was_overdue_is_made_once() -> None:
    pilot = ran(Pilot(), evaluations=1, episodes=4, evaluate_every_steps=30, evaluate_episodes=2)
    assert pilot.purposes == "e" + "teeteetee" + "t" + "e"


def test_demonstrations_until_so_long_was_driven() -> None:
    pilot = ran(Pilot(), evaluations=1, episodes=0, demonstration_s=9.0)
    assert pilot.purposes == "e" + "ddd" + "e", "3 × 4 s; and what was learned is measured"
    assert ran(Pilot(), evaluations=1, episodes=0, demonstrations=3, learner=False).purposes == (
        "e" + "ddd"
    )
    with pytest.raises(PlainError, match="nobody drove"):
        ran(Pilot(drives=False), episodes=0, demonstration_s=9.0)


def line(
    purpose: Purpose,
    start_s: float,
    end_s: float | None,
    *,
    success: bool = True,
    human_steps: int = 0,
    steps: int = 20,
    robot: str = "panda",
) -> EpisodeLine:
    return EpisodeLine(
        episode_id=new_id(),
        robot=robot,
        started_t_utc=utc_now(),
        purpose=purpose,
        seed=5,
        started_t_robot_ns=round(start_s * 1e9),
        ended_t_robot_ns=None if end_s is None else round(end_s * 1e9),
        outcome=Outcome.SUCCESS if success else Outcome.FAILURE,
        labeller=None,
        stored_steps=steps + 1,
        steps=steps,
        trainable_steps=steps,
        human_steps=human_steps,
        interventions=0,
        policy_versions=(1,),
    )


def test_the_clocks_of_a_record() -> None:
    timeline = entries(
        [
            line(FROZEN, 3.0, 5.0, steps=20),
            line(FROZEN, 8.0, 12.0, steps=40),
            line(SHOWN, 15.0, 18.0, human_steps=30),  # 6 s with the reset before it
            line(FROZEN, 21.0, 25.0, success=False),
            line(TRAINED, 28.0, 33.0, human_steps=5),  # 8 s
            line(TRAINED, 36.0, None, steps=10),  # cut off: 3 s and 10 steps
            line(FROZEN, 40.0, 44.0, steps=10),
        ],
        step_s=0.1,
    )
    assert [entry.robot_s for entry in timeline] == pytest.approx([2, 7, 6, 7, 8, 4, 7])
    assert timeline[2].human_s == pytest.approx(3.0)
    assert timeline[3].cycle_s is None
    first, way, last = frozen_evaluations(timeline)
    assert (first.robot_s, first.human_s, first.last) == (0, 0, False)
    assert (way.robot_s, way.human_s) == pytest.approx((6.0, 3.0))
    assert (last.robot_s, last.human_s, last.last) == (pytest.approx(18.0), 3.5, True)
    assert [(each.steps, each.human_steps) for each in (first, way, last)] == [
        (0, 0),
        (20, 30),
        (50, 35),
    ]
    assert first.cycle_s == pytest.approx(3.0), "the median of 2 and 4 s"
    assert way.cycle_s is None
    assert (first.success.successes, way.success.successes) == (2, 0)
    assert before((first, way, last)) is first
    assert after((first, way, last)) is last


def test_several_robots_have_a_clock_each_and_spend_at_once() -> None:
    timeline = entries(
        [
            line(FROZEN, 3.0, 5.0),
            line(FROZEN, 103.0, 106.0, robot="other"),
            line(TRAINED, 8.0, 15.0),  # 10 s
            line(TRAINED, 110.0, 112.0, robot="other"),  # 6 s
            line(TRAINED, 17.0, 20.0),  # 5 s
            line(FROZEN, 22.0, 24.0),
            line(TRAINED, 115.0, 119.0, robot="other", human_steps=20),  # 7 s
            line(FROZEN, 122.0, 124.0, robot="other"),
        ],
        step_s=0.1,
    )
    assert [entry.robot_s for entry in timeline] == pytest.approx([2, 3, 10, 6, 5, 4, 7, 5])
    first, way, last = frozen_evaluations(timeline)
    assert (len(first.episodes), first.robot_s, first.elapsed_s) == (2, 0, 0)
    assert (way.robot_s, way.elapsed_s) == pytest.approx((21.0, 15.0))
    assert (last.robot_s, last.elapsed_s, last.human_s) == pytest.approx((28.0, 22.0, 2.0))


def test_a_start_that_was_only_measured_has_no_after() -> None:
    only = frozen_evaluations(entries([line(FROZEN, 3.0, 5.0)], step_s=0.1))
    assert before(only) is only[0]
    assert after(only) is None
    taught = frozen_evaluations(
        entries([line(FROZEN, 3.0, 5.0), line(TRAINED, 6.0, 8.0)], step_s=0.1)
    )
    assert after(taught) is None


def test_what_was_driven_for_a_classifier_is_spent_once_something_is_taught_by_it() -> None:
    timeline = entries(
        [
            line(FROZEN, 3.0, 5.0),
            line(TRAINED, 6.0, 8.0, human_steps=5),
            line(FROZEN, 9.0, 11.0),
            line(TRAINED, 12.0, 14.0),
            line(FROZEN, 15.0, 17.0),
        ],
        step_s=0.1,
    )
    found = frozen_evaluations(timeline, labelled_s=30.0)
    assert [each.human_s for each in found] == pytest.approx([0.0, 30.5, 30.5])
    assert [each.robot_s for each in found] == pytest.approx([0.0, 3.0, 6.0])
