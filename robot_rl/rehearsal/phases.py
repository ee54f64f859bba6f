"""The phases of a rehearsal: evaluate, train with the scripted operator, evaluate again, report."""

import math
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from rich.progress import Progress

from robot_rl.config import load_task
from robot_rl.errors import PlainError
from robot_rl.rehearsal.crew import Crew, Lesson, Taught, Trainee
from robot_rl.rehearsal.pilot import EpisodePlan, Pilot
from robot_rl.rehearsal.record import Record
from robot_rl.rehearsal.report import (
    ClassifierReport,
    CorrectionStages,
    Machine,
    Rate,
    RehearsalReport,
    RobotShare,
    Spread,
    labelled_s,
)
from robot_rl.rehearsal.risk_account import RiskReport
from robot_rl.rehearsal.settings import Killable, RehearsalSettings
from robot_rl.rehearsal.settle import learned_by
from robot_rl.rehearsal.system import System
from robot_rl.rehearsal.timeline import (
    EpisodeEntry,
    FrozenEvaluation,
    after,
    before,
    entries,
    frozen_evaluations,
)
from robot_rl.schema.episode import Purpose
from robot_rl.schema.live.telemetry import Telemetry

STARTING_VERSION = 0  # the policy that the task file names, before anything was learned


@dataclass(slots=True)
class _Watch:
    """What is sampled once a second while episodes run."""

    real_time_factor: list[float] = field(default_factory=list[float])
    frame_age_ms: dict[str, list[float]] = field(default_factory=dict[str, list[float]])

    def look(self, pilot: Pilot) -> None:
        telemetry = pilot.seen.telemetry
        if telemetry is None:
            return
        self.real_time_factor.append(telemetry.loop.real_time_factor)
        for camera, age in telemetry.frame_age_ms.items():
            self.frame_age_ms.setdefault(camera, []).append(age)


class Session:
    """The phases of a rehearsal, in order. Of several robots each has its own lessons; frozen
    evaluations are shared out among them, and nobody is taught meanwhile.
    """

    def __init__(
        self,
        settings: RehearsalSettings,
        system: System,
        pilots: Mapping[str, Pilot],
        progress: Progress,
    ) -> None:
        """`pilots`: by the names of their robots."""
        self._settings, self._system = settings, system
        self._progress = progress
        trainees = [
            Trainee(name, pilot, _seeds(settings.seed, number))
            for number, (name, pilot) in enumerate(pilots.items())
        ]
        self._crew = Crew(trainees, system.check)
        self._watch = _Watch()
        self._killed: dict[str, int] = {}
        self._task = load_task(settings.task)
        self._step_s = self._task.step_s
        self._training_wall_s = 0.0
        self._every = Taught(
            robot_s=60 * (settings.evaluate_every_minutes or math.inf),
            steps=settings.evaluate_every_steps or math.inf,
        )
        self._evaluate_at = self._every  # the next evaluation on the way
        # The evaluation stream is the same before, after, and in control runs.
        most = max(settings.evaluations, settings.evaluate_episodes)
        self._evaluation_seeds = trainees[0].draw(Purpose.EVALUATION, most)

    def run(self) -> None:
        settings = self._settings
        self._crew.work(lambda robot: robot.pilot.join())
        if settings.evaluation_before:
            self._evaluate("evaluation before", settings.evaluations, STARTING_VERSION)
        self._demonstrate()
        shown_s = self._taught.robot_s
        self._training_wall_s = self._train()
        if self._taught.robot_s > shown_s or (settings.learner and shown_s):
            self._evaluate("evaluation after", settings.evaluations, None)

    @property
    def _taught(self) -> Taught:
        """Of the robot that was taught most."""
        each = [trainee.taught for trainee in self._crew.trainees]
        return Taught(
            robot_s=max(taught.robot_s for taught in each),
            steps=max(taught.steps for taught in each),
        )

    def _demonstrate(self) -> None:
        wanted_s, count = self._settings.demonstration_s, self._settings.demonstrations
        if wanted_s is None:
            self._teach("demonstrations", count, lambda robot: _shown(robot, count))
        else:
            name = f"demonstrations, {wanted_s:.0f} s"
            self._teach(name, None, lambda robot: self._shown_for(robot, wanted_s))

    def _shown_for(self, robot: Trainee, wanted_s: float) -> Iterator[Lesson]:
        driven_s = 0.0
        while driven_s < wanted_s:
            yield from _shown(robot, 1)
            if not robot.pilot.human_steps:
                raise PlainError(
                    "nobody drove in a demonstration, so that --demonstration-seconds would never "
                    "be reached: look at the operator's settings and the robot's log"
                )
            driven_s += robot.pilot.human_steps * self._step_s

    def _train(self) -> float:
        """Returns the wall time that it took, without the evaluations in it."""
        settings = self._settings
        minutes, steps = settings.robot_minutes, settings.steps
        if minutes is None and steps is None:
            return self._teach("training", settings.episodes, self._episodes)
        budget = Taught(robot_s=60 * (minutes or math.inf), steps=steps or math.inf)
        ends = {robot.name: robot.taught.after(budget) for robot in self._crew.trainees}

        def lessons(robot: Trainee) -> Iterator[Lesson]:
            while not robot.taught.reaches(ends[robot.name]):
                yield _lesson(robot, Purpose.TRAINING)

        limit = f"{steps} steps" if minutes is None else f"{minutes:g} min"
        return self._teach(f"training, {limit}", None, lessons)

    def _episodes(self, robot: Trainee) -> Iterator[Lesson]:
        settings = self._settings
        seeds = robot.draw(Purpose.TRAINING, settings.episodes)
        kills: dict[int, Killable] = {
            len(seeds) * (index + 1) // (len(settings.kill) + 1): name
            for index, name in enumerate(settings.kill)
        }
        for index, seed in enumerate(seeds):
            plan = EpisodePlan(purpose=Purpose.TRAINING, seed=seed)
            yield Lesson(plan=plan, victim=kills.get(index))

    def _teach(
        self, name: str, count: int | None, lessons: Callable[[Trainee], Iterable[Lesson]]
    ) -> float:
        """Every robot's lessons, `count` of each if that is known. An evaluation that is due comes
        before the next lesson: at the end the evaluation after everything is the one.
        """
        trainees, wall_s = self._crew.trainees, 0.0
        for robot in trainees:
            robot.give(lessons(robot))
        if all(robot.ahead is None for robot in trainees):
            return wall_s
        bar = self._progress.add_task(name, total=None if count is None else count * len(trainees))

        def teach(robot: Trainee) -> None:
            def run(lesson: Lesson) -> None:
                robot.pilot.run(lesson.plan, between=self._between(robot.pilot, lesson.victim))
                self._progress.advance(bar)

            robot.teach(self._evaluate_at, run)

        while True:
            began = time.monotonic()
            self._crew.work(teach)
            wall_s += time.monotonic() - began
            if all(robot.ahead is None for robot in trainees):
                return wall_s
            taught = self._taught
            self._evaluate_at = taught.next_multiple(self._every)
            name = f"evaluation, {taught.robot_s / 60:.1f} min"
            self._evaluate(name, self._settings.evaluate_episodes, None)

    def _evaluate(self, name: str, count: int, version: int | None) -> None:
        """Frozen episodes of one version; None: the one that the robot has when they begin."""
        seeds, trainees = self._evaluation_seeds[:count], self._crew.trainees
        if not seeds:
            return
        if version is None and not self._crew.alone:
            self._crew.agree()
        bar = self._progress.add_task(name, total=len(seeds))
        shares = {robot.name: seeds[index :: len(trainees)] for index, robot in enumerate(trainees)}

        def measure(robot: Trainee) -> None:
            frozen = version
            for seed in shares[robot.name]:
                plan = EpisodePlan(purpose=Purpose.EVALUATION, seed=seed, policy_version=frozen)
                robot.pilot.run(plan, between=self._between(robot.pilot, None))
                self._progress.advance(bar)
                frozen = robot.pilot.version

        self._crew.work(measure)

    def _between(self, pilot: Pilot, victim: Killable | None) -> Callable[[], None]:
        """Once a second: look around, see that every part lives, and kill `victim` once."""
        waiting = [victim] if victim else []

        def look() -> None:
            self._watch.look(pilot)
            telemetry = pilot.seen.telemetry
            if waiting and telemetry is not None and telemetry.episode.step > 5:
                name = waiting.pop()
                self._system.kill(name)
                time.sleep(1.0)
                self._system.start_part(name)
                self._killed[name] = self._killed.get(name, 0) + 1
            self._crew.look()

        return look

    def report(
        self,
        record: Record,
        sha256: str,
        wall_s: float,
        stages: CorrectionStages | None,
        classifier: ClassifierReport | None,
        risk: RiskReport | None,
    ) -> RehearsalReport:
        settings = self._settings
        pilots = {robot.name: robot.pilot for robot in self._crew.trainees}
        heard = {name: pilot.seen.telemetry for name, pilot in pilots.items()}
        said = {name: telemetry for name, telemetry in heard.items() if telemetry is not None}
        if len(said) < len(pilots):
            raise PlainError("a robot never reported")
        training = record.of(Purpose.TRAINING)
        shown = record.of(Purpose.DEMONSTRATION)
        timeline = entries(record.episodes, self._step_s)
        frozen = frozen_evaluations(timeline)
        progress = learned_by(pilots.values())
        tenths = np.array_split(np.arange(len(training)), 10) if len(training) >= 10 else []
        trained = [item for pilot in pilots.values() for item in pilot.seen.trained]
        return RehearsalReport(
            task=self._task.name,
            reward=self._task.reward.source,
            seed=settings.seed,
            machine=Machine(cores=os.cpu_count() or 1),
            lockstep=not settings.real_time,
            learner=settings.learner,
            interventions_allowed=settings.interventions,
            episodes=len(record.episodes),
            training_episodes=len(training),
            robots=tuple(
                _share(name, record, timeline, telemetry) for name, telemetry in said.items()
            ),
            steps_recorded=sum(each.outbox.recorded_steps for each in said.values()),
            steps_stored=record.records_stored,
            steps_trainable=record.trainable_steps,
            steps_available=progress.env_steps if progress else 0,
            steps_sha256=sha256,
            interventions=record.interventions,
            human_seconds=sum(entry.human_s for entry in timeline) + labelled_s(classifier),
            versions_acted=record.versions_acted,
            demonstrated=Rate.of(sum(episode.success for episode in shown), len(shown)),
            success_before=_success(before(frozen)),
            success_after=_success(after(frozen)),
            autonomous_in_training=Rate.of(
                sum(episode.autonomous for episode in training), len(training)
            ),
            assisted_in_training=Rate.of(
                sum(episode.success and not episode.autonomous for episode in training),
                len(training),
            ),
            success_by_tenth=tuple(
                float(np.mean([training[index].autonomous for index in tenth])) for tenth in tenths
            ),
            human_share_by_tenth=tuple(
                sum(training[index].human_steps for index in tenth)
                / max(1, sum(training[index].actions for index in tenth))
                for tenth in tenths
            ),
            correction_to_policy_s=Spread.of([item.latency_s for item in trained]),
            correction_stages=stages,
            real_time_factor=Spread.of(self._watch.real_time_factor),
            missed_ticks=sum(each.loop.missed_ticks for each in said.values()),
            frame_age_ms={
                camera: Spread.of(ages) for camera, ages in self._watch.frame_age_ms.items()
            },
            label_errors=sum(pilot.tally.label_errors for pilot in pilots.values()),
            marks_forgotten=sum(pilot.tally.marks_forgotten for pilot in pilots.values()),
            classifier=classifier,
            risk=risk,
            refused=dict(sum((Counter(each.tally.refused) for each in pilots.values()), Counter())),
            parts_killed=self._killed,
            wall_s=wall_s,
            training_wall_s=self._training_wall_s,
            timeline=timeline,
        )


def _seeds(root: int, number: int) -> np.random.SeedSequence:
    """Of one of several robots: one root seed, and the first robot has what it would have alone."""
    return np.random.SeedSequence(root if number == 0 else [root, number])


def _lesson(robot: Trainee, purpose: Purpose) -> Lesson:
    return Lesson(plan=EpisodePlan(purpose=purpose, seed=robot.draw(purpose, 1)[0]))


def _shown(robot: Trainee, count: int) -> Iterator[Lesson]:
    for seed in robot.draw(Purpose.DEMONSTRATION, count):
        yield Lesson(plan=EpisodePlan(purpose=Purpose.DEMONSTRATION, seed=seed))


def _share(
    name: str, record: Record, timeline: Iterable[EpisodeEntry], telemetry: Telemetry
) -> RobotShare:
    own = [episode for episode in record.episodes if episode.robot == name]
    mine = [entry for entry in timeline if entry.robot == name]
    return RobotShare(
        robot=name,
        episodes=len(own),
        steps_recorded=telemetry.outbox.recorded_steps,
        steps_stored=sum(episode.stored_steps for episode in own),
        interventions=sum(episode.interventions for episode in own),
        human_s=sum(entry.human_s for entry in mine),
        robot_s=sum(entry.robot_s for entry in mine if not entry.frozen),
    )


def _success(found: FrozenEvaluation | None) -> Rate:
    episodes = () if found is None else found.episodes
    return Rate.of(sum(episode.success for episode in episodes), len(episodes))
