"""The phases of a rehearsal: evaluate, train with the scripted operator, evaluate again, report."""

import math
import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from rich.progress import Progress

from robot_rl.config import load_task
from robot_rl.errors import PlainError
from robot_rl.rehearsal.pilot import EpisodePlan, Pilot
from robot_rl.rehearsal.record import Record
from robot_rl.rehearsal.report import Machine, Rate, RehearsalReport, Spread
from robot_rl.rehearsal.settings import Killable, RehearsalSettings
from robot_rl.rehearsal.system import System
from robot_rl.rehearsal.timeline import (
    FrozenEvaluation,
    after,
    before,
    entries,
    frozen_evaluations,
)
from robot_rl.schema.episode import Purpose

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
    """The phases of a rehearsal, in order."""

    def __init__(
        self, settings: RehearsalSettings, system: System, pilot: Pilot, progress: Progress
    ) -> None:
        self._settings, self._system, self._pilot = settings, system, pilot
        self._progress = progress
        self._watch = _Watch()
        self._killed: dict[str, int] = {}
        self._task = load_task(settings.task)
        self._step_s = self._task.step_s
        self._training_wall_s = 0.0
        # Robot time of demonstrations and training, and of the next evaluation on the way.
        self._taught_s = 0.0
        self._every_s = 60 * (settings.evaluate_every_minutes or math.inf)
        self._evaluate_at_s = self._every_s
        # One root seed; the evaluation stream is the same before, after, and in control runs.
        streams = np.random.SeedSequence(settings.seed).spawn(3)
        self._seeds = dict(
            zip(Purpose, (np.random.default_rng(stream) for stream in streams), strict=True)
        )
        most = max(settings.evaluations, settings.evaluate_episodes)
        self._evaluation_seeds = self._draw(Purpose.EVALUATION, most)

    def _draw(self, purpose: Purpose, count: int) -> list[int]:
        return [int(seed) for seed in self._seeds[purpose].integers(0, 2**31, count)]

    def run(self) -> None:
        settings = self._settings
        self._evaluate("evaluation before", settings.evaluations, STARTING_VERSION)
        self._demonstrate()
        shown_s = self._taught_s
        self._train()
        if self._taught_s > shown_s or (settings.learner and shown_s):
            self._evaluate("evaluation after", settings.evaluations, None)

    def _demonstrate(self) -> None:
        settings, purpose = self._settings, Purpose.DEMONSTRATION
        wanted_s = settings.demonstration_s
        if wanted_s is None:
            seeds = self._draw(purpose, settings.demonstrations)
            for seed in self._shown("demonstrations", seeds):
                self._teach(purpose, seed)
            return
        driven_s = 0.0
        for seed in self._shown(f"demonstrations, {wanted_s:.0f} s", self._endless(purpose)):
            if driven_s >= wanted_s:
                return
            self._teach(purpose, seed)
            if not self._pilot.human_steps:
                raise PlainError(
                    "nobody drove in a demonstration, so that --demonstration-seconds would never "
                    "be reached: look at the operator's settings and the robot's log"
                )
            driven_s += self._pilot.human_steps * self._step_s

    def _train(self) -> None:
        settings, purpose = self._settings, Purpose.TRAINING
        began = time.monotonic()
        if settings.robot_minutes is None:
            seeds = self._draw(purpose, settings.episodes)
            kills: dict[int, Killable] = {
                len(seeds) * (index + 1) // (len(settings.kill) + 1): name
                for index, name in enumerate(settings.kill)
            }
            for index, seed in enumerate(self._shown("training", seeds)):
                self._teach(purpose, seed, kills.get(index))
        else:
            end_s = self._taught_s + 60 * settings.robot_minutes
            name = f"training, {settings.robot_minutes:g} min"
            for seed in self._shown(name, self._endless(purpose)):
                if self._taught_s >= end_s:
                    break
                self._teach(purpose, seed)
        self._training_wall_s += time.monotonic() - began

    def _endless(self, purpose: Purpose) -> Iterator[int]:
        while True:
            yield self._draw(purpose, 1)[0]

    def _shown(self, name: str, seeds: Iterable[int]) -> Iterator[int]:
        """The seeds, with a bar that counts them."""
        total = len(seeds) if isinstance(seeds, list) else None
        if total == 0:
            return
        bar = self._progress.add_task(name, total=total)
        for seed in seeds:
            yield seed
            self._progress.advance(bar)

    def _teach(self, purpose: Purpose, seed: int, victim: Killable | None = None) -> None:
        """An episode that enters training. An evaluation that is due comes before it: at the end
        the evaluation after everything is the one.
        """
        if self._taught_s >= self._evaluate_at_s:
            self._evaluate_at_s = (self._taught_s // self._every_s + 1) * self._every_s
            began = time.monotonic()
            name = f"evaluation, {self._taught_s / 60:.1f} min"
            self._evaluate(name, self._settings.evaluate_episodes, None)
            if purpose is Purpose.TRAINING:
                self._training_wall_s -= time.monotonic() - began
        began_s = self._pilot.robot_s
        plan = EpisodePlan(purpose=purpose, seed=seed)
        self._pilot.run(plan, between=self._between(victim))
        self._taught_s += self._pilot.robot_s - began_s

    def _evaluate(self, name: str, count: int, version: int | None) -> None:
        """Frozen episodes of one version; None: the one that the robot has when they begin."""
        for seed in self._shown(name, self._evaluation_seeds[:count]):
            plan = EpisodePlan(purpose=Purpose.EVALUATION, seed=seed, policy_version=version)
            self._pilot.run(plan, between=self._between(None))
            version = self._pilot.version

    def _between(self, victim: Killable | None) -> Callable[[], None]:
        """Once a second: look around, see that every part lives, and kill `victim` once."""
        waiting = [victim] if victim else []

        def look() -> None:
            self._watch.look(self._pilot)
            telemetry = self._pilot.seen.telemetry
            if waiting and telemetry is not None and telemetry.episode.step > 5:
                name = waiting.pop()
                self._system.kill(name)
                time.sleep(1.0)
                self._system.start_part(name)
                self._killed[name] = self._killed.get(name, 0) + 1
            self._system.check()

        return look

    def report(self, record: Record, sha256: str, wall_s: float) -> RehearsalReport:
        settings, pilot = self._settings, self._pilot
        telemetry = pilot.seen.telemetry
        if telemetry is None:
            raise PlainError("the robot never reported")
        training = record.of(Purpose.TRAINING)
        shown = record.of(Purpose.DEMONSTRATION)
        timeline = entries(record.episodes, self._step_s)
        frozen = frozen_evaluations(timeline)
        progress = pilot.seen.training.progress if pilot.seen.training else None
        tenths = np.array_split(np.arange(len(training)), 10) if len(training) >= 10 else []
        trained = pilot.seen.trained
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
            steps_recorded=telemetry.outbox.recorded_steps,
            steps_stored=record.records_stored,
            steps_trainable=record.trainable_steps,
            steps_available=progress.env_steps if progress else 0,
            steps_sha256=sha256,
            interventions=record.interventions,
            human_seconds=sum(entry.human_s for entry in timeline),
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
            real_time_factor=Spread.of(self._watch.real_time_factor),
            missed_ticks=telemetry.loop.missed_ticks,
            frame_age_ms={
                camera: Spread.of(ages) for camera, ages in self._watch.frame_age_ms.items()
            },
            label_errors=pilot.tally.label_errors,
            refused=pilot.tally.refused,
            parts_killed=self._killed,
            wall_s=wall_s,
            training_wall_s=self._training_wall_s,
            timeline=timeline,
        )


def _success(found: FrozenEvaluation | None) -> Rate:
    episodes = () if found is None else found.episodes
    return Rate.of(sum(episode.success for episode in episodes), len(episodes))
