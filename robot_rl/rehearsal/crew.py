"""The robots of a rehearsal, each with its own operator and lessons, at work side by side.

One robot is driven from the calling thread. Of several each has a thread; the calling one looks
after the system meanwhile, because a child process ends with the thread that started it.
"""

import math
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

import numpy as np

from robot_rl.errors import PlainError
from robot_rl.rehearsal.pilot import EpisodePlan, Pilot
from robot_rl.rehearsal.settings import Killable
from robot_rl.schema.episode import Purpose

_CHECK_S = 1.0  # between two looks at the system
_IDLE_S = 0.5  # wall time for which a robot that has nothing to do stands still
_AGREE_S = 30.0  # wall time for the robots to have the same version
_SOON_S, _SKIP_NS = 0.05, 400_000_000  # the same, while all wait for a meeting
_MEETINGS_S = 2.5  # of the robot's clock: a meeting with the learner lies in it


class CrewStopped(PlainError):
    """Another robot of the rehearsal failed, or the rehearsal is being ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """An episode that enters training. `victim`: a part that is killed in its course."""

    plan: EpisodePlan
    victim: Killable | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Taught:
    """What demonstrations and training spent, resets included; or how much they may spend."""

    robot_s: float = 0.0
    steps: float = 0  # actions; infinite where only robot time counts

    def reaches(self, goal: "Taught") -> bool:
        return self.robot_s >= goal.robot_s or self.steps >= goal.steps

    def after(self, more: "Taught") -> "Taught":
        return Taught(robot_s=self.robot_s + more.robot_s, steps=self.steps + more.steps)

    def next_multiple(self, every: "Taught") -> "Taught":
        """The first multiple of each that is still ahead; never of what is infinite."""
        return Taught(
            robot_s=_next_multiple(self.robot_s, every.robot_s),
            steps=_next_multiple(self.steps, every.steps),
        )


def _next_multiple(spent: float, every: float) -> float:
    return math.inf if math.isinf(every) else (spent // every + 1) * every


class Trainee:
    """One robot: its operator, its seeds, and how far it is in its lessons."""

    def __init__(self, name: str, pilot: Pilot, seeds: np.random.SeedSequence) -> None:
        self.name, self.pilot = name, pilot
        streams = zip(Purpose, map(np.random.default_rng, seeds.spawn(3)), strict=True)
        self._seeds = dict(streams)
        self.taught = Taught()
        self._lessons: Iterator[Lesson] = iter(())
        self.ahead: Lesson | None = None  # the next one

    def draw(self, purpose: Purpose, count: int) -> list[int]:
        return [int(seed) for seed in self._seeds[purpose].integers(0, 2**31, count)]

    def give(self, lessons: Iterable[Lesson]) -> None:
        self._lessons = iter(lessons)
        self.ahead = next(self._lessons, None)

    def teach(self, goal: Taught, run: Callable[[Lesson], None]) -> None:
        """Lesson after lesson until so much has been taught; one that was begun is finished."""
        while self.ahead is not None and not self.taught.reaches(goal):
            began_s = self.pilot.robot_s
            run(self.ahead)
            self.taught = Taught(
                robot_s=self.taught.robot_s + self.pilot.robot_s - began_s,
                steps=self.taught.steps + self.pilot.steps,
            )
            self.ahead = next(self._lessons, None)


class Crew:
    """`check` looks after the system; it is called in the thread that made the crew."""

    def __init__(self, trainees: Sequence[Trainee], check: Callable[[], None]) -> None:
        self.trainees, self._check = tuple(trainees), check
        self._stop = threading.Event()
        self._lock, self._busy = threading.Lock(), 0

    @property
    def alone(self) -> bool:
        return len(self.trainees) == 1

    def look(self) -> None:
        """To be called about once a second while a robot works. Raises CrewStopped."""
        if self.alone:
            self._check()
        elif self._stop.is_set():
            raise CrewStopped("the rehearsal's other robot has stopped")

    def work(self, task: Callable[[Trainee], None]) -> None:
        """Every robot does its task; returns when all have. Raises what went wrong first."""
        if self.alone:
            task(self.trainees[0])
            return
        self._busy = len(self.trainees)
        with ThreadPoolExecutor(len(self.trainees)) as pool:
            tasks = [pool.submit(self._one, trainee, task) for trainee in self.trainees]
            try:
                while not _ended(tasks):
                    self._check()
            finally:
                self._stop.set()  # nobody works any more, or nobody should
        self._stop.clear()
        errors = [error for each in tasks if (error := each.exception()) is not None]
        # Why the others stopped is not what went wrong.
        errors.sort(key=lambda error: isinstance(error, CrewStopped))
        if errors:
            raise errors[0]

    def _one(self, trainee: Trainee, task: Callable[[Trainee], None]) -> None:
        try:
            task(trainee)
        finally:
            with self._lock:
                self._busy -= 1
        while self._busy and not self._stop.is_set():
            trainee.pilot.rest(_IDLE_S)

    def agree(self) -> None:
        """Let the robots go on, without an episode, until they have the same version, which holds
        what all of them recorded; or for a while.
        """
        began = [trainee.pilot.robot_s for trainee in self.trainees]
        deadline = time.monotonic() + _AGREE_S
        while time.monotonic() < deadline:
            for trainee in self.trainees:
                trainee.pilot.rest(_SOON_S, _SKIP_NS)
            self._check()
            pilots = [trainee.pilot for trainee in self.trainees]
            shown = [pilot.seen.telemetry for pilot in pilots]
            met = all(
                pilot.robot_s - since > _MEETINGS_S
                for pilot, since in zip(pilots, began, strict=True)
            )
            versions = {None if each is None else each.policy_version for each in shown}
            if met and len(versions) == 1:
                return


def _ended(tasks: Sequence[Future[None]]) -> bool:
    """Whether all have ended, or one badly; waits a little for it."""
    done, waiting = wait(tasks, _CHECK_S, FIRST_EXCEPTION)
    return not waiting or any(each.exception() is not None for each in done)
