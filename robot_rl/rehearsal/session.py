"""A whole training session: evaluate, train with the scripted operator, evaluate again, report."""

import contextlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from robot_rl.config import load_cell, load_task
from robot_rl.errors import PlainError
from robot_rl.rehearsal.client import LiveClient
from robot_rl.rehearsal.expert import expert_for
from robot_rl.rehearsal.operator import OperatorSettings
from robot_rl.rehearsal.pilot import EpisodePlan, Pilot
from robot_rl.rehearsal.record import Record, read_record, steps_sha256
from robot_rl.rehearsal.report import Machine, Rate, RehearsalReport, Spread, as_text
from robot_rl.rehearsal.system import System, SystemSettings
from robot_rl.schema.episode import Purpose

STARTING_VERSION = 0  # the policy that the task file names, before anything was learned
_SETTLE_S = 120.0  # for the last steps to be stored and read by the learner

type Killable = Literal["learner", "server"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RehearsalSettings:
    """As on the command line. `kill` names parts to SIGKILL and start again during the training."""

    cell: str
    task: str
    episodes: int = 80
    evaluations: int = 50
    demonstrations: int = 0
    real_time: bool = False
    minutes: float | None = None
    learner: bool = True
    interventions: bool = True
    reaction_s: float = 0.3
    noise: float = 0.1
    skill: float = 1.0
    seed: int = 0
    data: Path | None = None
    kill: tuple[Killable, ...] = ()


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


def run(
    settings: RehearsalSettings, *, report_file: Path | None = None, quiet: bool = False
) -> RehearsalReport:
    """Rehearse and report. Raises PlainError when something could not start or numbers disagree."""
    with _data_folder(settings.data) as data:
        report = rehearse(settings, data, quiet=quiet)
    if report_file is not None:
        text = json.dumps(report.model_dump(mode="json"), indent=2)
        report_file.write_text(text + "\n")
    print(as_text(report))
    problems = report.problems()
    if problems:
        raise PlainError("the rehearsal lost or doubled data: " + "; ".join(problems))
    return report


def rehearse(settings: RehearsalSettings, data: Path, *, quiet: bool) -> RehearsalReport:
    """One session against a system of its own, whose records stay in `data`."""
    task, cell = load_task(settings.task), load_cell(settings.cell)
    if task.simulation is None or not cell.simulated:
        raise PlainError(
            f"{task.path}: a rehearsal needs a simulated cell and a task with a [simulation] "
            "section, because the scripted operator sees the simulator's true state"
        )
    operator = _operator(settings)
    started = time.monotonic()
    system = System(
        SystemSettings(
            cell=settings.cell,
            task=settings.task,
            data=data,
            port=0,
            lockstep=not settings.real_time,
            lockstep_clients=0 if settings.real_time else 1,
            learner=settings.learner,
            seed=settings.seed,
        )
    )
    with system:
        pilot = Pilot(
            lambda: LiveClient(system.url, cell.robot, system.tokens.operator, truth=True),
            expert_for(task.simulation.scene, task.action.scale),
            operator,
            lockstep=not settings.real_time,
            seed=settings.seed,
        )
        pilot.join()
        with _progress(quiet) as progress:
            session = _Session(settings, system, pilot, progress)
            session.run()
        record = _settle(system, pilot, task.name)
        sha256 = steps_sha256(system.url, system.tokens.operator, task.name, record)
        pilot.leave()
        pilot.close()
    return session.report(record, sha256, time.monotonic() - started, task.name)


class _Session:
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


def _settle(system: System, pilot: Pilot, task: str) -> Record:
    """Wait until everything recorded is stored and, with a learner, available to it."""
    deadline = time.monotonic() + _SETTLE_S
    while True:
        pilot.idle(0.3)
        system.check()
        record = read_record(system.url, system.tokens.operator, task)
        telemetry = pilot.seen.telemetry
        stored = telemetry is not None and telemetry.outbox.recorded_steps == record.records_stored
        training = pilot.seen.training
        available = not system.settings.learner or (
            training is not None
            and training.progress is not None
            and training.progress.env_steps == record.trainable_steps
        )
        if (stored and available) or time.monotonic() > deadline:
            return record


def _operator(settings: RehearsalSettings) -> OperatorSettings:
    try:
        return OperatorSettings(
            reaction_s=settings.reaction_s,
            noise=settings.noise,
            skill=settings.skill,
            interventions=settings.interventions,
        )
    except ValueError as error:
        raise PlainError(str(error)) from error


@contextlib.contextmanager
def _data_folder(chosen: Path | None) -> Iterator[Path]:
    if chosen is not None:
        yield chosen
        return
    folder = Path(tempfile.mkdtemp(prefix="robot-rl-rehearsal-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _progress(quiet: bool) -> Progress:
    return Progress(
        TextColumn("{task.description:<22}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(file=sys.stderr),
        disable=quiet,
    )
