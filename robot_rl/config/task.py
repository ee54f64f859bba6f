"""A task: what the robot should do, how it may act, and how it learns."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from robot_rl.config.action import ActionSpace
from robot_rl.config.learner import Learner, learner_section
from robot_rl.config.section import (
    Fraction,
    NotNegative,
    Positive,
    PositiveTriple,
    Section,
    Triple,
)


class TaskLimits(Section):
    """Tightens the cell's limits; whatever is not given stays as the cell says."""

    workspace_min_m: Triple | None = None
    workspace_max_m: Triple | None = None
    speed_m_s: Positive | None = None
    clip_negative_m: PositiveTriple | None = None
    clip_positive_m: PositiveTriple | None = None
    clip_rad: PositiveTriple | None = None


class Reward(Section):
    """Derived by the learner from the recorded evidence and the latest labels."""

    success: float = 1.0
    step: float = 0.0
    gripper_change: Annotated[float, Field(le=0)] = -0.02
    source: Literal["simulator", "operator"] = "simulator"


class ResetRoutine(Section):
    home_position_m: Triple
    home_yaw_rad: float = 0.0
    gripper: Literal["open", "closed", "keep"] = "open"
    instructions: str
    confirm: bool = True  # a person confirms that the scene is ready


class InterventionRules(Section):
    post_intervention: Literal["resume", "end_episode"] = "resume"
    speed_scale: Fraction = 1.0
    # Autonomy pauses when nobody has held the lease and been heard for this long. Not given: in
    # simulation it goes on to the end of its episode, on hardware it pauses after 10 s.
    unattended_s: Annotated[float, Field(ge=2)] | None = None


class Simulation(Section):
    """Which scene of the arm's simulation plays this task when the cell is simulated."""

    scene: str


class StartingPolicy(Section):
    """What the robot runs before the learner has published anything."""

    folder: str  # relative to the task file
    kind: Literal["head", "lerobot"] = "head"


class Task(Section):
    """`tasks/*.toml`."""

    path: Path
    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    instruction: str
    step_s: Annotated[float, Field(ge=0.02, le=1.0)] = 0.1
    action_delay_s: NotNegative = 0.05
    max_steps: Annotated[int, Field(ge=5, le=10_000)]
    action: ActionSpace
    limits: TaskLimits = TaskLimits()
    reward: Reward = Reward()
    reset: ResetRoutine
    interventions: InterventionRules = InterventionRules()
    simulation: Simulation | None = None
    failure_classes: Annotated[tuple[str, ...], Field(max_length=9)]
    cameras: tuple[str, ...]
    policy: StartingPolicy
    learner: Learner = Field(default_factory=lambda: learner_section({}))

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.action_delay_s >= self.step_s:
            raise ValueError(
                f"action_delay_s is {self.action_delay_s} s and step_s is {self.step_s} s: "
                "an action must start before the next observation"
            )
        if len(set(self.failure_classes)) != len(self.failure_classes):
            raise ValueError("failure_classes names one class twice")
        return self

    @property
    def scene(self) -> str:
        """Of a simulated cell; named as the task where the file gives none."""
        return self.name if self.simulation is None else self.simulation.scene

    @property
    def step_ns(self) -> int:
        return round(self.step_s * 1e9)

    @property
    def action_delay_ns(self) -> int:
        return round(self.action_delay_s * 1e9)
