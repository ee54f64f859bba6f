"""The phases of a rehearsal: evaluate, train with the scripted operator, evaluate again, report."""

import os
import time
from collections.abc import Callable, Mapping
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
        self._training_wall_s = 0.0
        # One root seed; the evaluation stream is the same before, after, and in control runs.
        streams = np.random.SeedSequence(settings.seed).spawn(3)
        self._seeds = dict(
            zip(Purpose, (np.random.default_rng(stream) for stream in streams), strict=True)
        )
        self._evaluation_seeds = self._draw(Purpose.EVALUATION, settings.evaluations)

    def _draw(self, purpose: Purpose, count: int) -> list[int]:
        return [int(seed) for seed in self._seeds[purpose].integers(0, 2**31, count)]

    def run(self) -> None:
        settings = self._settings
        demonstrations = self._draw(Purpose.DEMONSTRATION, settings.demonstrations)
        self._phase("demonstrations", Purpose.DEMONSTRATION, demonstrations, None)
        self._phase(
            "evaluation before", Purpose.EVALUATION, self._evaluation_seeds, STARTING_VERSION
        )
        if not self._train():
            return
        telemetry = self._pilot.seen.telemetry
        version = telemetry.policy_version if telemetry else None
        self._phase("evaluation after", Purpose.EVALUATION, self._evaluation_seeds, version)

    def _train(self) -> bool:
        """Whether there was any training, so that it makes sense to evaluate again."""
        settings = self._settings
        started = time.monotonic()
        if settings.minutes is None:
            seeds = self._draw(Purpose.TRAINING, settings.episodes)
            kills: dict[int, Killable] = {
                len(seeds) * (index + 1) // (len(settings.kill) + 1): name
                for index, name in enumerate(settings.kill)
            }
            self._phase("training", Purpose.TRAINING, seeds, None, kills)
        else:
            end = started + 60 * settings.minutes
            bar = self._progress.add_task(f"training, {settings.minutes:g} min", total=None)
            while time.monotonic() < end:
                (seed,) = self._draw(Purpose.TRAINING, 1)
                plan = EpisodePlan(purpose=Purpose.TRAINING, seed=seed)
                self._pilot.run(plan, between=self._between(None))
                self._progress.advance(bar)
        self._training_wall_s = time.monotonic() - started
        return settings.minutes is not None or settings.episodes > 0

    def _phase(
        self,
        name: str,
        purpose: Purpose,
        seeds: list[int],
        version: int | None,
        kills: Mapping[int, Killable] | None = None,
    ) -> None:
        if not seeds:
            return
        bar = self._progress.add_task(name, total=len(seeds))
        for index, seed in enumerate(seeds):
            victim = (kills or {}).get(index)
            plan = EpisodePlan(purpose=purpose, seed=seed, policy_version=version)
            self._pilot.run(plan, between=self._between(victim))
            self._progress.advance(bar)

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

    def report(self, record: Record, sha256: str, wall_s: float, task: str) -> RehearsalReport:
        settings, pilot = self._settings, self._pilot
        telemetry = pilot.seen.telemetry
        if telemetry is None:
            raise PlainError("the robot never reported")
        training = record.of(Purpose.TRAINING)
        frozen = record.of(Purpose.EVALUATION)
        shown = record.of(Purpose.DEMONSTRATION)
        count = len(self._evaluation_seeds)
        before, after = frozen[:count], frozen[count:]
        progress = pilot.seen.training.progress if pilot.seen.training else None
        tenths = np.array_split(np.arange(len(training)), 10) if len(training) >= 10 else []
        trained = pilot.seen.trained
        return RehearsalReport(
            task=task,
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
            human_seconds=sum(episode.human_steps for episode in record.episodes)
            * load_task(settings.task).step_s,
            versions_acted=record.versions_acted,
            demonstrated=Rate.of(sum(episode.success for episode in shown), len(shown)),
            success_before=Rate.of(sum(episode.success for episode in before), len(before)),
            success_after=Rate.of(sum(episode.success for episode in after), len(after)),
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
            refused=pilot.tally.refused,
            parts_killed=self._killed,
            wall_s=wall_s,
            training_wall_s=self._training_wall_s,
        )
