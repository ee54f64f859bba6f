"""What a rehearsal is asked to do."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from robot_rl.schema.intervention import InterventionUse
from robot_rl.schema.transition import RewardSource

type Killable = Literal["learner", "server"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RehearsalSettings:
    """As on the command line. `kill` names parts to SIGKILL and start again during the training.

    Minutes and seconds are of the robot's clock, in lock-step virtual. `robot_minutes` or `steps`
    take the place of `episodes`, `demonstration_s` of driving that of `demonstrations`. With
    `evaluate_every_minutes`, or `evaluate_every_steps`, of demonstrations and training,
    `evaluate_episodes` frozen ones follow. An episode that was begun is finished. Of several
    `robots` each has lessons of its own, as many as one alone would have; evaluations are shared
    out among them. `reward` None: as the task file says. `gripper_steps`: in how many steps an
    order of the person's to the gripper stands; None: in as many as it takes.
    `classifier_episodes`: that the person labels first, for a success classifier whose word is then
    the reward; `classifier_updates`: batches it is trained on, None: as many as `reward train` has.
    """

    cell: str
    task: str
    episodes: int = 80
    evaluations: int = 50
    evaluation_before: bool = True
    evaluate_every_minutes: float | None = None
    evaluate_every_steps: int | None = None
    evaluate_episodes: int = 10
    demonstrations: int = 0
    demonstration_s: float | None = None
    real_time: bool = False
    robot_minutes: float | None = None
    steps: int | None = None
    learner: bool = True
    interventions: bool = True
    reaction_s: float = 0.3
    patience_s: float | None = None
    noise: float = 0.1
    skill: float = 1.0
    robots: int = 1
    reward: RewardSource | None = None
    classifier: Path | None = None
    classifier_episodes: int = 0
    classifier_updates: int | None = None
    label_error: float = 0.0
    gripper_steps: int | None = None
    forgotten_mark: float = 0.0
    unmarked_use: InterventionUse = InterventionUse.CORRECTION
    seed: int = 0
    data: Path | None = None
    kill: tuple[Killable, ...] = ()
