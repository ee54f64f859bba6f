"""Robots side by side: nobody goes on alone, who is ready rests, and a failure ends all."""

import math
import threading
import time
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from robot_rl.rehearsal.crew import Crew, CrewStopped, Lesson, Taught, Trainee
from robot_rl.rehearsal.pilot import EpisodePlan
from robot_rl.schema.episode import Purpose


class Pilot:
    """Its clock goes on by 10 s with every rest and every episode."""

    def __init__(self, version: int = 1) -> None:
        self.robot_s, self.rests, self.version = 0.0, 0, version
        self.newest, self.steps = version, 30

    @property
    def seen(self) -> Any:
        return SimpleNamespace(telemetry=SimpleNamespace(policy_version=self.version))

    def rest(self, pause_s: float, skip_ns: int = 0) -> None:
        time.sleep(min(pause_s, 0.01))
        self.rests, self.robot_s = self.rests + 1, self.robot_s + 10.0
        if skip_ns and self.rests > 5:
            self.version = self.newest


def trainee(name: str, pilot: Pilot | None = None) -> Trainee:
    own: Any = pilot or Pilot()
    return Trainee(name, own, np.random.SeedSequence(1))


def rests(robot: Trainee) -> int:
    own: Any = robot.pilot
    return own.rests


def test_who_is_ready_rests_until_all_are() -> None:
    checks = [0]

    def check() -> None:
        checks[0] += 1
        assert threading.current_thread() is threading.main_thread(), "it starts processes again"

    one, two = trainee("one"), trainee("two")
    crew = Crew([one, two], check)

    def task(robot: Trainee) -> None:
        while robot is two and rests(one) < 20:
            time.sleep(0.01)

    crew.work(task)
    assert rests(one) >= 20
    assert rests(two) <= 1
    crew.work(lambda robot: None)  # it can be done again


def test_a_failure_ends_the_work_of_all_and_is_what_is_told() -> None:
    one, two = trainee("one"), trainee("two")
    crew = Crew([one, two], lambda: None)
    stopped: list[str] = []

    def task(robot: Trainee) -> None:
        if robot is two:
            raise ValueError("a defect")
        try:
            while True:
                time.sleep(0.01)
                crew.look()
        except CrewStopped:
            stopped.append(robot.name)
            raise

    with pytest.raises(ValueError, match="a defect"):
        crew.work(task)
    assert stopped == ["one"]


def test_a_lesson_that_was_begun_is_finished_and_the_next_one_waits() -> None:
    pilot = Pilot()
    robot = trainee("one", pilot)
    seeds = robot.draw(Purpose.TRAINING, 3)
    plans = [EpisodePlan(purpose=Purpose.TRAINING, seed=seed) for seed in seeds]
    robot.give(Lesson(plan=plan) for plan in plans)
    done: list[int] = []

    def run(lesson: Lesson) -> None:
        done.append(lesson.plan.seed)
        pilot.robot_s += 10.0

    robot.teach(Taught(robot_s=15.0, steps=math.inf), run)
    assert (done, robot.taught) == (seeds[:2], Taught(robot_s=20.0, steps=60))
    assert robot.ahead is not None
    robot.teach(Taught(robot_s=math.inf, steps=60), run)
    assert done == seeds[:2]
    robot.teach(Taught(robot_s=math.inf, steps=math.inf), run)
    assert (done, robot.ahead) == (seeds, None)


def test_before_an_evaluation_all_have_the_newest_version() -> None:
    behind = Pilot(version=1)
    behind.newest = 2
    robots = [trainee("one", Pilot(version=2)), trainee("two", behind)]
    Crew(robots, lambda: None).agree()
    assert [robot.pilot.version for robot in robots] == [2, 2]
