"""A study file: which rehearsals are to be run and compared."""

from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from robot_rl.config.document import BadConfig, load_document
from robot_rl.config.section import Fraction, Positive, Section
from robot_rl.schema.intervention import InterventionUse
from robot_rl.schema.transition import CLASSIFIER

type Label = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
"""Of a study or an arm: part of the names of files."""
type Seeds = Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)]
type Tasks = Annotated[tuple[str, ...], Field(min_length=1)]
"""Names of files in tasks/, or paths of files."""


class EvaluationPlan(Section):
    """`[evaluation]`: frozen episodes before and after, and on the way where `every_…` is given."""

    episodes: Annotated[int, Field(ge=0)] = 50  # 0: only those on the way
    every_robot_minutes: Annotated[float, Field(ge=0.1)] | None = None
    every_steps: Annotated[int, Field(ge=1)] | None = None  # of the policy or a person
    episodes_on_the_way: Annotated[int, Field(ge=1)] = 10

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if self.every_robot_minutes is not None and self.every_steps is not None:
            raise ValueError("every_robot_minutes and every_steps exclude one another")
        return self


class TrainingBudget(Section):
    """`[budget]`: one of them. Robot minutes are of the robot's clock, resets included."""

    robot_minutes: Annotated[float, Field(ge=0.1)] | None = None
    episodes: Annotated[int, Field(ge=0)] | None = None
    steps: Annotated[int, Field(ge=1)] | None = None  # an episode that was begun is finished

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if sum(value is not None for value in (self.robot_minutes, self.episodes, self.steps)) != 1:
            raise ValueError("a budget gives either robot_minutes, episodes or steps")
        return self


class OperatorPlan(Section):
    """`[operator]`: the scripted person (robot_rl.rehearsal.operator)."""

    reaction_s: Annotated[float, Field(ge=0, le=10)] = 0.3
    # Without progress before they take over. None: as the scene's expert says.
    patience_s: Annotated[float, Field(ge=0.1, le=60)] | None = None
    noise: Fraction = 0.1
    skill: Fraction = 1.0
    interventions: bool = True  # false: nobody helps
    # With task.reward.source = "operator", or of the classifier_episodes.
    label_error: Fraction = 0.0
    # Steps in which an order to the gripper stands. None: as many as it takes.
    gripper_steps: Annotated[int, Field(ge=2)] | None = None
    forgotten_mark: Fraction = 0.0  # share of takeovers whose correction is not marked with key C
    unmarked_use: InterventionUse = InterventionUse.CORRECTION  # what the console then says

    def with_changes(self, changes: "OperatorPlan") -> "OperatorPlan":
        """With what `changes` was given, and as it is otherwise."""
        given = {name: getattr(changes, name) for name in changes.model_fields_set}
        return self.model_copy(update=given)


class StudyArm(Section):
    """`[arms.NAME]`: one way to train. What it does not give is as the study says.

    task: what differs from the task file, section by section (`[arms.NAME.task.learner]`).
    human_seconds_of: an arm; demonstrations until so long was driven as in its cell of the same
    task and seed. classifier_episodes: that the person labels before all else, beside the budget,
    for the success classifier of each cell; with task.reward.source = "classifier".
    """

    algorithm: str | None = None
    task: dict[str, Any] = Field(default_factory=dict)
    operator: OperatorPlan = OperatorPlan()
    budget: TrainingBudget | None = None
    demonstrations: Annotated[int, Field(ge=0)] = 0
    human_seconds_of: Label | None = None
    classifier_episodes: Annotated[int, Field(ge=0)] = 0
    learner: bool = True  # false: a control run
    robots: Annotated[int, Field(ge=1, le=8)] = 1  # that feed one learner, each with the budget
    tasks: Tasks | None = None
    seeds: Seeds | None = None

    @model_validator(mode="after")
    def _says_things_once(self) -> Self:
        learner = self.task.get("learner")
        if self.algorithm is not None and isinstance(learner, dict) and "algorithm" in learner:
            raise ValueError("algorithm is given twice: take it out of task.learner")
        if self.demonstrations and self.human_seconds_of is not None:
            raise ValueError("demonstrations and human_seconds_of exclude one another")
        self._check_classifier()
        return self

    def _check_classifier(self) -> None:
        reward = self.task.get("reward")
        said: dict[str, Any] = reward if isinstance(reward, dict) else {}
        if not self.classifier_episodes:
            return
        if said.get("source") != CLASSIFIER:
            raise ValueError(
                f"classifier_episodes = {self.classifier_episodes} trains a success classifier "
                'whose word is the reward: give task.reward.source = "classifier" with it'
            )
        if "classifier" in said:
            raise ValueError(
                "classifier_episodes and task.reward.classifier exclude one another: each cell "
                "trains its own"
            )


class Study(Section):
    """The whole file."""

    path: Path
    name: Label
    cell: str = "simulation"
    tasks: Tasks
    seeds: Seeds
    evaluation: EvaluationPlan = EvaluationPlan()
    budget: TrainingBudget
    operator: OperatorPlan = OperatorPlan()
    target: Fraction = 0.9  # of frozen success: robot-minutes and human seconds to it are reported
    timeout_minutes: Positive = 60.0  # of a cell
    arms: Annotated[dict[Label, StudyArm], Field(min_length=1)]

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        for name, arm in self.arms.items():
            for task in self.tasks_of(arm):
                if task not in self.tasks:
                    raise ValueError(
                        f"arms.{name}.tasks names {task!r}, and the study's tasks are "
                        f"{', '.join(self.tasks)}"
                    )
            self._check_source(name, arm)
        for what, values in (("tasks", self.tasks), ("seeds", self.seeds)):
            if len(set(values)) != len(values):
                raise ValueError(f"{what} names one twice")
        stems = [Path(task).stem for task in self.tasks]
        if len(set(stems)) != len(stems):
            raise ValueError("two of the tasks have one name, and their results would have too")
        return self

    def _check_source(self, name: str, arm: StudyArm) -> None:
        """That a cell whose human seconds are taken exists, and takes none itself."""
        source = arm.human_seconds_of
        if source is None:
            return
        if source == name or source not in self.arms:
            others = ", ".join(other for other in self.arms if other != name) or "(none)"
            raise ValueError(
                f"arms.{name}.human_seconds_of = {source!r} is no other arm; there are: {others}"
            )
        taken = self.arms[source]
        if taken.human_seconds_of is not None:
            raise ValueError(f"arms.{name} takes the human seconds of {source}, which takes others")
        tasks = set(self.tasks_of(arm)) - set(self.tasks_of(taken))
        seeds = set(self.seeds_of(arm)) - set(self.seeds_of(taken))
        if tasks or seeds:
            raise ValueError(
                f"arms.{name} takes the human seconds of {source}, which does not run with "
                f"{min(tasks) if tasks else f'seed {min(seeds)}'}"
            )

    def tasks_of(self, arm: StudyArm) -> tuple[str, ...]:
        return self.tasks if arm.tasks is None else arm.tasks

    def seeds_of(self, arm: StudyArm) -> tuple[int, ...]:
        return self.seeds if arm.seeds is None else arm.seeds


def load_study(path: Path) -> Study:
    """Raises BadConfig."""
    if not path.is_file():
        raise BadConfig(f"{path}: there is no such file; give the path of a study's TOML file")
    return load_document(path, Study)
