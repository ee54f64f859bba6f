"""The cells of a study: each is one rehearsal, with a task file of its own."""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from robot_rl.config import BadConfig, check_fit, load_cell, load_task
from robot_rl.config.document import file_sha256, read_toml
from robot_rl.config.learner import DEFAULT, known_algorithms
from robot_rl.config.section import Section
from robot_rl.errors import PlainError
from robot_rl.learner.success_frames import check_episodes
from robot_rl.rehearsal.derived_task import merged, write_task
from robot_rl.study.settings import OperatorPlan, Study, StudyArm, TrainingBudget

LOCAL = "local"
"""Folder of what belongs to this machine: derived task files and the cells' output."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyCell:
    """settings: all that decides what the rehearsal does, whose hash is `sha256`. arguments: of
    `robot-rl`. source: name of the cell whose human seconds this one gets.
    """

    task: str
    arm: str
    seed: int
    task_file: Path
    settings: Mapping[str, Any]
    sha256: str
    arguments: tuple[str, ...]
    source: str | None

    @property
    def name(self) -> str:
        return cell_name(self.task, self.arm, self.seed)


def cell_name(task: str, arm: str, seed: int) -> str:
    return f"{task}.{arm}.{seed}"


def cells_of(study: Study, folder: Path) -> tuple[StudyCell, ...]:
    """All cells, those of one seed together, so that a study that is stopped is even. Writes the
    derived task files into the folder. Raises BadConfig when one of them is not right.
    """
    derived = {
        (task, name): _Derived(study, task, name, folder)
        for name, arm in study.arms.items()
        for task in study.tasks_of(arm)
    }
    found: dict[str, StudyCell] = {}
    # Whose human seconds are taken comes first.
    names = sorted(study.arms, key=lambda name: study.arms[name].human_seconds_of is not None)
    seeds = dict.fromkeys(seed for arm in study.arms.values() for seed in study.seeds_of(arm))
    for seed in seeds:
        for task in study.tasks:
            for name in names:
                arm = study.arms[name]
                if seed in study.seeds_of(arm) and task in study.tasks_of(arm):
                    cell = _cell(study, derived[task, name], seed, found)
                    found[cell.name] = cell
    return tuple(found.values())


class _Derived:
    """The task file of an arm, written and read by the ordinary reader."""

    def __init__(self, study: Study, task: str, arm: str, folder: Path) -> None:
        self.arm = arm
        source = load_task(task).path
        self.task = source.stem
        self.content = derived_task(read_toml(source), study.arms[arm])
        self.file = folder / LOCAL / "tasks" / f"{self.task}.{arm}.toml"
        episodes = study.arms[arm].classifier_episodes
        # Until there is a classifier the person's word counts: the rehearsal changes that.
        said = {"reward": {"source": "operator"}} if episodes else {}
        write_task(self.file, merged(self.content, said), source)
        try:
            read = load_task(str(self.file))
            check_fit(load_cell(study.cell), read)
            if episodes:
                check_episodes(episodes, read)
        except (PlainError, ValueError) as error:
            raise BadConfig(f"{study.path}: arm {arm} on {self.task}: {error}") from error
        self.starting_policy = _policy_sha256(read.path.parent / read.policy.folder)


def derived_task(base: Mapping[str, Any], arm: StudyArm) -> dict[str, Any]:
    """The task file as the arm changes it. Where it chooses another algorithm, the settings of the
    file's own that this one does not have fall away.
    """
    changes = arm.task
    if arm.algorithm is not None:
        changes = merged(changes, {"learner": {"algorithm": arm.algorithm}})
    learner = base.get("learner", {})
    wanted = changes.get("learner", {})
    algorithm = wanted.get("algorithm") if isinstance(wanted, dict) else None
    if algorithm is not None and algorithm != learner.get("algorithm", DEFAULT):
        # An unknown one is refused when the task is read.
        section = known_algorithms().get(algorithm)
        known = section.model_fields if section is not None else {}
        learner = {key: value for key, value in learner.items() if key in known}
    return merged({**base, "learner": learner}, changes)


def _policy_sha256(folder: Path) -> str:
    """Of the manifest, which names the hashes of the rest; empty for a policy on the hub."""
    manifest = folder / "manifest.json"
    return file_sha256(manifest) if manifest.is_file() else ""


def _cell(study: Study, derived: _Derived, seed: int, before: Mapping[str, StudyCell]) -> StudyCell:
    arm = study.arms[derived.arm]
    source = arm.human_seconds_of
    source = None if source is None else cell_name(derived.task, source, seed)
    budget = study.budget if arm.budget is None else arm.budget
    operator = study.operator.with_changes(arm.operator)
    episodes = arm.classifier_episodes
    settings: dict[str, Any] = {
        "task": derived.content,
        "cell": read_toml(load_cell(study.cell).path),
        "starting_policy": derived.starting_policy,
        # patience_s always counts: what it is by default changed how long the person of insert_peg
        # watches, so that results from before it are of another operator.
        "operator": _said(
            operator, "label_error", "gripper_steps", "forgotten_mark", "unmarked_use"
        ),
        "budget": _said(budget, "steps"),
        "evaluation": _said(study.evaluation, "every_steps"),
        "demonstrations": arm.demonstrations,
        "human_seconds_of": None if source is None else before[source].sha256,
        "learner": arm.learner,
        "seed": seed,
        **({"robots": arm.robots} if arm.robots > 1 else {}),
        **({"classifier_episodes": episodes} if episodes else {}),
    }
    evaluation = study.evaluation
    minutes, steps = evaluation.every_robot_minutes, evaluation.every_steps
    arguments = [
        *("rehearse", "--cell", study.cell, "--task", os.fspath(derived.file)),
        *("--seed", str(seed), "--evaluations", str(evaluation.episodes)),
        *_budget(budget),
        *("--demonstrations", str(arm.demonstrations)),
        *("--reaction", str(operator.reaction_s), "--noise", str(operator.noise)),
        *("--skill", str(operator.skill)),
        *(["--label-error", str(operator.label_error)] if operator.label_error else []),
        *_habits(operator),
        *([] if operator.patience_s is None else ["--patience", str(operator.patience_s)]),
        *([] if operator.interventions else ["--no-interventions"]),
        *([] if arm.learner else ["--no-learner"]),
        *(["--robots", str(arm.robots)] if arm.robots > 1 else []),
        *(["--classifier-episodes", str(episodes)] if episodes else []),
    ]
    if minutes is not None or steps is not None:
        arguments += [] if minutes is None else ["--evaluate-every", str(minutes)]
        arguments += [] if steps is None else ["--evaluate-every-steps", str(steps)]
        arguments += ["--evaluate-episodes", str(evaluation.episodes_on_the_way)]
    return StudyCell(
        task=derived.task,
        arm=derived.arm,
        seed=seed,
        task_file=derived.file,
        settings=settings,
        sha256=hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest(),
        arguments=tuple(arguments),
        source=source,
    )


def _habits(operator: OperatorPlan) -> list[str]:
    steps, share = operator.gripper_steps, operator.forgotten_mark
    return [
        *([] if steps is None else ["--gripper-steps", str(steps)]),
        *(["--forgotten-mark", str(share)] if share else []),
        *(["--unmarked-use", operator.unmarked_use] if share else []),
    ]


def _said(section: Section, *newer: str) -> dict[str, Any]:
    """All of a section, but keys that are `newer` than some results only where they are used, so
    that those results are still of these settings.
    """
    defaults = {name: type(section).model_fields[name].default for name in newer}
    unused = {name for name, default in defaults.items() if getattr(section, name) == default}
    return section.model_dump(exclude=unused)


def _budget(budget: TrainingBudget) -> tuple[str, str]:
    if budget.episodes is not None:
        return "--episodes", str(budget.episodes)
    if budget.steps is not None:
        return "--steps", str(budget.steps)
    return "--robot-minutes", str(budget.robot_minutes)
