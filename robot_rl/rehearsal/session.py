"""A whole training session: evaluate, train with the scripted operator, evaluate again, report."""

import contextlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from robot_rl.config import Task, load_cell, load_task
from robot_rl.config.document import read_toml
from robot_rl.errors import PlainError
from robot_rl.learner.success_frames import check_episodes
from robot_rl.policy.success_manifest import classifier_folder, read_classifier
from robot_rl.rehearsal.classifier_training import (
    FOLDER,
    MakePilot,
    train_classifier,
)
from robot_rl.rehearsal.client import LiveClient
from robot_rl.rehearsal.correction_stages import StepsSeen, published_versions
from robot_rl.rehearsal.derived_task import merged, write_task
from robot_rl.rehearsal.expert import expert_for
from robot_rl.rehearsal.operator import OperatorSettings
from robot_rl.rehearsal.phases import Session
from robot_rl.rehearsal.pilot import Pilot
from robot_rl.rehearsal.record import steps_sha256
from robot_rl.rehearsal.report import (
    ClassifierReport,
    ClassifierTraining,
    RehearsalReport,
    as_text,
)
from robot_rl.rehearsal.review import errors_of_evidence, errors_of_labels, say_use
from robot_rl.rehearsal.risk_account import RiskAccount
from robot_rl.rehearsal.settings import RehearsalSettings
from robot_rl.rehearsal.settle import settle
from robot_rl.rehearsal.system import System, SystemSettings, robot_seed
from robot_rl.schema.transition import CLASSIFIER


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
    started = time.monotonic()
    settings, trained = _with_classifier(settings, data, quiet=quiet)
    task = _checked(settings, data)
    settings = replace(settings, task=os.fspath(task.path))
    make_pilot = _pilots(settings, task)
    system = System(
        SystemSettings(
            cell=settings.cell,
            task=settings.task,
            data=data,
            port=0,
            lockstep=not settings.real_time,
            lockstep_clients=0 if settings.real_time else 1,
            learner=settings.learner,
            robots=settings.robots,
            seed=settings.seed,
        )
    )
    with system:
        pilots = {
            robot: make_pilot(system, robot, number) for number, robot in enumerate(system.robots)
        }
        with _progress(quiet) as progress:
            session = Session(settings, system, pilots, progress)
            session.run()
        record = settle(system, pilots, task.name)
        classifier = None
        if task.reward.source == CLASSIFIER:
            saw = {
                episode: done for each in pilots.values() for episode, done in each.saw_done.items()
            }
            classifier = ClassifierReport(
                labels=errors_of_labels(record, saw),
                evaluations=errors_of_evidence(record, saw),
                training=trained,
            )
        # Reading everything takes long: a connection that nobody reads would be closed meanwhile.
        for pilot in pilots.values():
            pilot.leave()
            pilot.close()
        reader, seen = (system.url, system.tokens.operator, task.name), StepsSeen(task, record)
        risks = RiskAccount(record)
        sha256 = steps_sha256(*reader, record, lambda step: (seen.add(step), risks.look(step)))
        timed = settings.real_time and settings.learner
        stages = seen.stages(published_versions(*reader)) if timed else None
    discount = None if task.risk is None else task.risk.discount
    risk = None if discount is None else risks.report(step_s=task.step_s, discount=discount)
    return session.report(record, sha256, time.monotonic() - started, stages, classifier, risk)


def _with_classifier(
    settings: RehearsalSettings, data: Path, *, quiet: bool
) -> tuple[RehearsalSettings, ClassifierTraining | None]:
    """The settings with a classifier that was trained for them, where they want one. What they say
    of the person's labels counts for those that it learns from. Raises PlainError.
    """
    count = settings.classifier_episodes
    if not count:
        return settings, None
    for option, given in (
        ("--classifier", settings.classifier is not None),
        (f"--reward {settings.reward}", settings.reward not in (None, CLASSIFIER)),
    ):
        if given:
            raise PlainError(
                f"--classifier-episodes {count} trains the classifier whose word is the reward, "
                f"and {option} names another: leave one of them out"
            )
    labelled, place = replace(settings, reward="operator"), data / FOLDER
    task = _checked(labelled, place)
    check_episodes(count, task)
    with _progress(quiet) as progress:
        make_pilot = _pilots(labelled, task)
        trained = train_classifier(labelled, task, place, make_pilot, progress)
    learned = replace(settings, reward=CLASSIFIER, classifier=trained.file, label_error=0.0)
    return learned, trained.report


def _checked(settings: RehearsalSettings, data: Path) -> Task:
    """The task, with what the settings change in it. Raises PlainError: it cannot be rehearsed."""
    task = _task(settings, data)
    if task.simulation is None or not load_cell(settings.cell).simulated:
        raise PlainError(
            f"{task.path}: a rehearsal needs a simulated cell and a task with a [simulation] "
            "section, because the scripted operator sees the simulator's true state"
        )
    if settings.label_error and task.reward.source != "operator":
        raise PlainError(
            f"label error = {settings.label_error:g}: the {task.reward.source} says how an episode "
            "ended, and not the person; let them say it with --reward operator"
        )
    if settings.kill and settings.robots > 1:
        raise PlainError("--kill is for one robot: leave --robots out")
    return task


def _pilots(settings: RehearsalSettings, task: Task) -> MakePilot:
    """Raises PlainError: the person cannot be as the settings say."""
    assert task.simulation is not None
    expert = expert_for(task.simulation.scene, task.action.scale)
    operator, link_delay_s = _operator(settings, task), task.simulation.link_delay_s[1]

    def make(system: System, robot: str, number: int) -> Pilot:
        return Pilot(
            partial(LiveClient, system.url, robot, system.tokens.operator, truth=True),
            expert,
            operator,
            lockstep=not settings.real_time,
            seed=robot_seed(settings.seed, number),
            reward=task.reward.source,
            say_use=partial(say_use, system.url, system.tokens.operator),
            link_delay_s=link_delay_s,
        )

    return make


def _task(settings: RehearsalSettings, data: Path) -> Task:
    """As the task file says, or with another reward as a file of the data folder. Raises
    PlainError, also when its success classifier is not there.
    """
    task = load_task(settings.task)
    reward: dict[str, Any] = {}
    if settings.reward not in (None, task.reward.source):
        reward["source"] = settings.reward
    if settings.classifier is not None:
        chosen = settings.classifier.resolve()
        reward["classifier"] = {"folder": os.fspath(chosen.parent), "sha256": chosen.stem}
    if reward:
        file = data / "tasks" / task.path.name
        write_task(file, merged(read_toml(task.path), {"reward": reward}), task.path)
        task = load_task(os.fspath(file))
    if task.reward.classifier is not None:
        read_classifier(classifier_folder(task), task.reward.classifier.sha256)
    return task


def _operator(settings: RehearsalSettings, task: Task) -> OperatorSettings:
    steps = settings.gripper_steps
    if steps is not None and not task.action.gripper:
        raise PlainError(
            f"gripper steps = {steps}: the task {task.name} has no gripper to press; leave "
            "--gripper-steps out"
        )
    if steps is not None and steps < 2:
        raise PlainError(f"gripper steps = {steps}: 2 or more are allowed")
    # Held for n − 1 steps an order stands in n, wherever in a step it begins.
    press_s = None if steps is None else (steps - 1) * task.step_s
    try:
        return OperatorSettings(
            reaction_s=settings.reaction_s,
            patience_s=settings.patience_s,
            noise=settings.noise,
            skill=settings.skill,
            interventions=settings.interventions,
            label_error=settings.label_error,
            press_s=press_s,
            forgotten_mark=settings.forgotten_mark,
            usual_use=settings.unmarked_use,
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
