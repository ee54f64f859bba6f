"""A success classifier for one rehearsal: episodes that the scripted person labels, and what is
learned from them.

A robot with the starting policy and no learner records them, on a system and in a folder of its
own, with the person's word alone: nothing of them enters the training that follows. By turns the
person drives a whole episode, helps the policy, and only looks on, so that successes and failures
are seen, of people and of the policy. `robot-rl reward train` then makes the classifier.
"""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import ValidationError
from rich.progress import Progress

from robot_rl.config import Task
from robot_rl.errors import PlainError
from robot_rl.policy.success_manifest import DIGITS, SuccessManifest
from robot_rl.rehearsal.children import end_with_parent
from robot_rl.rehearsal.crew import Crew, Lesson, Taught, Trainee
from robot_rl.rehearsal.pilot import EpisodePlan, Pilot
from robot_rl.rehearsal.record import Record
from robot_rl.rehearsal.report import ClassifierTraining
from robot_rl.rehearsal.settings import RehearsalSettings
from robot_rl.rehearsal.settle import settle
from robot_rl.rehearsal.system import System, SystemSettings
from robot_rl.rehearsal.timeline import entries
from robot_rl.schema.episode import Purpose
from robot_rl.server.settings import DATABASE_URL_VARIABLE

FOLDER = "classifier"
"""Of the data folder: the episodes, with a database of their own."""
_TRAINED = "trained"
_SEEDS = 0x0C  # beside the root seed: scenes that neither training nor evaluations have
_BY_TURNS = (
    (Purpose.DEMONSTRATION, True),
    (Purpose.TRAINING, True),
    (Purpose.TRAINING, False),
)

type MakePilot = Callable[[System, str, int], Pilot]
"""The scripted person at a robot of a system: its name, and its number among several."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainedClassifier:
    """file: JSON file of the version, as `rehearse --classifier` takes it."""

    file: Path
    report: ClassifierTraining


def train_classifier(
    settings: RehearsalSettings,
    task: Task,
    data: Path,
    make_pilot: MakePilot,
    progress: Progress,
) -> TrainedClassifier:
    """Record, label and train. `task`: with the operator's word as the reward. Raises PlainError,
    also when the episodes do not suffice.
    """
    if os.environ.get(DATABASE_URL_VARIABLE):
        raise PlainError(
            "the classifier's episodes are kept apart from those that are trained on, and "
            f"{DATABASE_URL_VARIABLE} names one database for both: unset it"
        )
    began = time.monotonic()
    record, label_errors = _recorded(settings, task, data, make_pilot, progress)
    successes = _checked(record)
    bar = progress.add_task("the classifier learns", total=None)
    manifest = _trained(settings, task, data)
    progress.update(bar, total=1, completed=1)
    timeline = entries(record.episodes, task.step_s)
    return TrainedClassifier(
        file=data / _TRAINED / f"{manifest.file.sha256[:DIGITS]}.json",
        report=ClassifierTraining(
            episodes=len(record.episodes),
            successes=successes,
            label_errors=label_errors,
            robot_s=round(sum(entry.robot_s for entry in timeline), 6),
            human_s=round(sum(entry.human_s for entry in timeline), 6),
            wall_s=time.monotonic() - began,
            sha256=manifest.file.sha256,
            held_out=manifest.held_out,
        ),
    )


def _recorded(
    settings: RehearsalSettings,
    task: Task,
    data: Path,
    make_pilot: MakePilot,
    progress: Progress,
) -> tuple[Record, int]:
    """The episodes, and how many were labelled wrongly."""
    count = settings.classifier_episodes
    system = System(
        SystemSettings(
            cell=settings.cell,
            task=os.fspath(task.path),
            data=data,
            port=0,
            lockstep=not settings.real_time,
            lockstep_clients=0 if settings.real_time else 1,
            learner=False,
            seed=settings.seed,
        )
    )
    bar = progress.add_task("the classifier's episodes", total=count)
    with system:
        (name,) = system.robots
        pilot = make_pilot(system, name, 0)
        robot = Trainee(name, pilot, np.random.SeedSequence([settings.seed, _SEEDS]))
        crew = Crew([robot], system.check)
        pilot.join()
        robot.give(_lessons(robot, count))

        def run(lesson: Lesson) -> None:
            pilot.run(lesson.plan, between=crew.look)
            progress.advance(bar)

        robot.teach(Taught(robot_s=float("inf"), steps=float("inf")), run)
        record = settle(system, {name: pilot}, task.name)
        pilot.leave()
        pilot.close()
    return record, pilot.tally.label_errors


def _lessons(robot: Trainee, count: int) -> Iterator[Lesson]:
    for number in range(count):
        purpose, helped = _BY_TURNS[number % len(_BY_TURNS)]
        (seed,) = robot.draw(purpose, 1)
        yield Lesson(plan=EpisodePlan(purpose=purpose, seed=seed, helped=helped))


def _checked(record: Record) -> int:
    """How many were labelled success. Raises PlainError: all or none of them were."""
    episodes = record.episodes
    successes = sum(episode.success for episode in episodes)
    if 0 < successes < len(episodes):
        return successes
    label = "success" if successes else "failure"
    raise PlainError(
        f"all {len(episodes)} episodes for the success classifier were labelled {label}, and it "
        "has to see both to tell them apart: give more with --classifier-episodes, or look at "
        "what the operator and the starting policy do"
    )


def _trained(settings: RehearsalSettings, task: Task, data: Path) -> SuccessManifest:
    """As a person in a lab would train it. Raises PlainError with what the command says."""
    log, updates = data / "logs" / "reward.log", settings.classifier_updates
    command = [
        *(sys.executable, "-m", "robot_rl.cli", "reward", "train"),
        *("--task", os.fspath(task.path), "--data", os.fspath(data)),
        *("--most", str(settings.classifier_episodes), "--out", os.fspath(data / _TRAINED)),
        *("--seed", str(settings.seed), "--json"),
        *([] if updates is None else ["--updates", str(updates)]),
    ]
    with log.open("wb") as said:
        ended = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=said,
            start_new_session=True,
            preexec_fn=end_with_parent,
            check=False,
        )
    if ended.returncode:
        lines = log.read_text(errors="replace").strip().splitlines()
        last = lines[-1].rpartition("\r")[2].removeprefix("robot-rl: ") if lines else "no reason"
        raise PlainError(f"the success classifier was not trained: {last} (log: {log})")
    try:
        return SuccessManifest.model_validate_json(ended.stdout)
    except ValidationError as error:
        raise PlainError(f"`robot-rl reward train` said what is no manifest: {error}") from error
