"""A task: what the robot should do, how it may act, and how it learns."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from robot_rl.config.action import ActionSpace
from robot_rl.config.exploration import Exploration
from robot_rl.config.inference import InferenceSection
from robot_rl.config.learner import Learner, known_algorithms, learner_section
from robot_rl.config.policy_mapping import PolicyMapping
from robot_rl.config.policy_server import ServerAddress, ServerTimeout
from robot_rl.config.reward import Reward
from robot_rl.config.rewind import RewindSection
from robot_rl.config.risk import RiskSection
from robot_rl.config.section import (
    ArmName,
    Fraction,
    NotNegative,
    Positive,
    PositiveTriple,
    Section,
    Triple,
)
from robot_rl.schema.message import Name, Text
from robot_rl.schema.transition import GRIPPER_AT_START
from safety.vocabulary import ONLY_ARM


class TaskLimits(Section):
    """Tightens the cell's limits; whatever is not given stays as the cell says."""

    workspace_min_m: Triple | None = None
    workspace_max_m: Triple | None = None
    speed_m_s: Positive | None = None
    clip_negative_m: PositiveTriple | None = None
    clip_positive_m: PositiveTriple | None = None
    clip_rad: PositiveTriple | None = None


class ArmStart(Section):
    """Where an arm's TCP stands when an episode starts; the hand points straight down."""

    home_position_m: Triple
    home_yaw_rad: float = 0.0
    gripper: Literal["open", "closed", "keep"] = "open"


class TaskArm(ArmStart):
    """`[arms.NAME]` of a task with several arms; of a task with one: `[limits]` and `[reset]`."""

    limits: TaskLimits = TaskLimits()


class ResetRoutine(Section):
    instructions: str
    confirm: bool = True  # a person confirms that the scene is ready
    # Of a task with one arm:
    home_position_m: Triple | None = None
    home_yaw_rad: float = 0.0
    gripper: Literal["open", "closed", "keep"] = "open"


_OF_ONE_ARM = tuple(ArmStart.model_fields)
"""Keys of `[reset]` that a task with several arms gives for each."""


class InterventionRules(Section):
    post_intervention: Literal["resume", "end_episode"] = "resume"
    speed_scale: Fraction = 1.0
    # Autonomy pauses when nobody has held the lease and been heard for this long. Not given: in
    # simulation it goes on to the end of its episode, on hardware it pauses after 10 s.
    unattended_s: Annotated[float, Field(ge=2)] | None = None


type Moved = Annotated[float, Field(ge=-0.2, le=0.2)]
type LightLeft = Annotated[float, Field(ge=0.05, le=3)]
type LinkDelay = Annotated[float, Field(ge=0)]
LONGEST_LINK_DELAY_S = 0.25
"""The robot takes nothing that is older than 0.3 s (docs/safety.md, lease, age and silence), and
what a console has seen of it is up to 20 ms old already, beside the real way."""


class Simulation(Section):
    """Which scene of the arm's simulation plays this task when the cell is simulated, and how it
    differs from the one in which the starting policy was shown the task. Nobody tells the policy.

    cameras_moved_m: how far each stands to the right, upwards and back of where it stood, as its
    own picture shows it. light: what is left of the red, green and blue of every lamp.
    link_delay_s: after how long, at least and at most, what a console says reaches the robot.
    """

    scene: str
    cameras_moved_m: Annotated[tuple[Moved, ...], Field(min_length=3, max_length=3)] = (0, 0, 0)
    light: Annotated[tuple[LightLeft, ...], Field(min_length=3, max_length=3)] = (1, 1, 1)
    link_delay_s: Annotated[tuple[LinkDelay, ...], Field(min_length=2, max_length=2)] = (0, 0)

    @model_validator(mode="after")
    def _delay_is_a_range(self) -> Self:
        least, most = self.link_delay_s
        if least > most:
            raise ValueError(
                f"simulation.link_delay_s is [{least:g}, {most:g}]: the first is the least and the "
                "second the most; write the smaller one first"
            )
        if most > LONGEST_LINK_DELAY_S:
            raise ValueError(
                f"simulation.link_delay_s is [{least:g}, {most:g}]; at most "
                f"{LONGEST_LINK_DELAY_S:g} s is allowed: the robot takes nothing older than 0.3 s, "
                "and what a console answers to is up to 0.02 s old already; write a smaller second "
                "number"
            )
        return self

    @property
    def changes_view(self) -> bool:
        return any(self.cameras_moved_m) or any(share != 1 for share in self.light)


# What a head has no use for; `state` is also what `robot-rl clone` gives one to see.
_OF_LEROBOT = {*PolicyMapping.model_fields, "device", "dtype"} - {"state"}


class StartingPolicy(PolicyMapping):
    """What the robot runs before the learner has published anything: a policy in `folder`, or the
    one that a policy server runs. With both, the server is asked; the folder is what
    `robot-rl policy-server` serves and a learner starts from.
    """

    folder: str = ""  # relative to the task file
    server: ServerAddress | None = None
    server_timeout_s: ServerTimeout = 1.0
    kind: Literal["head", "lerobot"] = "head"
    # Of a LeRobot policy: where it is computed, and in which numbers.
    device: Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:[0-9]{1,2})?)$")] = "auto"
    dtype: Literal["as_saved", "float32", "bfloat16"] = "as_saved"

    @model_validator(mode="after")
    def _keys_belong_to_its_kind(self) -> Self:
        fields = type(self).model_fields
        foreign = [
            n
            for n in sorted(_OF_LEROBOT)
            if getattr(self, n) != fields[n].get_default(call_default_factory=True)
        ]
        if self.kind == "head" and foreign:
            raise ValueError(
                f'policy.{foreign[0]} belongs to a policy of LeRobot: set kind = "lerobot", or '
                "take it out"
            )
        return self

    @model_validator(mode="after")
    def _is_somewhere(self) -> Self:
        if not self.folder and self.server is None:
            raise ValueError(
                "policy.folder is missing: add the folder of the policy, or policy.server with "
                "the address of a policy server"
            )
        return self


class Task(Section):
    """`tasks/*.toml`."""

    model_config = ConfigDict(serialize_by_alias=True)

    path: Path
    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    instruction: Text
    step_s: Annotated[float, Field(ge=0.02, le=1.0)] = 0.1
    action_delay_s: NotNegative = 0.05
    max_steps: Annotated[int, Field(ge=5, le=10_000)]
    action: ActionSpace
    limits: TaskLimits = TaskLimits()
    limit_profiles: tuple[str, ...] = ()  # of the cell, in force whatever the instruction says
    several: Annotated[dict[ArmName, TaskArm], Field(alias="arms")] = Field(default_factory=dict)
    reward: Reward = Reward()
    reset: ResetRoutine
    interventions: InterventionRules = InterventionRules()
    simulation: Simulation | None = None
    failure_classes: Annotated[tuple[Name, ...], Field(max_length=9)]
    cameras: tuple[str, ...]
    policy: StartingPolicy
    inference: InferenceSection = InferenceSection()
    exploration: Exploration = Exploration()
    risk: RiskSection | None = None
    rewind: RewindSection = RewindSection()
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
        if self.reward.classifier is not None and not self.cameras:
            raise ValueError("[reward.classifier] judges pictures, and cameras names none")
        constrained = self.risk is not None and self.risk.constraint is not None
        if constrained and not self.learner.actor_critic:
            able = [name for name, kind in known_algorithms().items() if kind.actor_critic]
            raise ValueError(
                "[risk.constraint] weighs risk against an actor's values, and "
                f"{self.learner.algorithm} has none: leave it out, or choose one of: "
                f"{', '.join(sorted(able))}"
            )
        if self.risk is not None and not self.learner.reads_features:
            raise ValueError(
                f"[risk] trains a critic on a backbone's features, and {self.learner.algorithm} "
                "trains the whole policy and has none: leave [risk] out, or choose another "
                "algorithm (learner.algorithm)"
            )
        risk = self.risk
        if self.rewind.on_alarm == "rewind" and not (risk and (risk.acts or risk.force_n)):
            raise ValueError(
                'rewind.on_alarm is "rewind", and nothing gives an alarm: add [risk] with force_n '
                'or with a critic that acts, or set rewind.on_alarm to "hold"'
            )
        return self

    @model_validator(mode="after")
    def _an_answer_can_be_followed(self) -> Self:
        age_s, first_s = self.observation_age_s, self.action_delay_s + self.step_s
        if age_s < first_s:
            raise ValueError(
                f"inference.observation_age_s is {age_s:g} s, and the first action of an answer "
                f"ends {first_s:g} s after its observation: give at least {first_s:g} s"
            )
        if self.inference.answer_s < age_s:
            raise ValueError(
                f"inference.answer_s is {self.inference.answer_s:g} s, and an answer may be "
                f"{age_s:g} s old: give at least {age_s:g} s"
            )
        return self

    @model_validator(mode="after")
    def _arms_are_given_once(self) -> Self:
        fields = ResetRoutine.model_fields
        own = [key for key in _OF_ONE_ARM if getattr(self.reset, key) != fields[key].default]
        given = [f"reset.{key}" for key in own]
        given += ["limits"] if self.limits != TaskLimits() else []
        if self.several and given:
            raise ValueError(
                f"{given[0]} belongs to a task with one arm, and the file has [arms.NAME] too: "
                "put it into the section of each arm"
            )
        lacking = [name for name in self.action.arms if name not in self.several]
        if lacking:
            raise ValueError(
                f"action.arms names {lacking[0]!r}, and the file has no [arms.{lacking[0]}] with "
                "its home_position_m: add it, or correct action.arms"
            )
        if not self.several and self.reset.home_position_m is None:
            raise ValueError(
                "reset.home_position_m is missing; add it, or [arms.NAME] with it for each of "
                "several arms"
            )
        return self

    @property
    def arms(self) -> Mapping[str, TaskArm]:
        """Every arm of the cell by its name; a single one is called `ONLY_ARM`."""
        if self.several:
            return self.several
        start = self.reset.model_dump(include=set(_OF_ONE_ARM))
        return {ONLY_ARM: TaskArm.model_construct(**start, limits=self.limits)}

    @property
    def acting_arms(self) -> tuple[str, ...]:
        """Those that an action moves, in the order of its columns."""
        return self.action.arms or (ONLY_ARM,)

    @property
    def grippers_at_start(self) -> tuple[float, ...]:
        """The order that stands in each gripper's column when an episode starts; 0: unknown."""
        if not self.action.gripper_columns:
            return ()
        return tuple(GRIPPER_AT_START[self.arms[name].gripper] for name in self.acting_arms)

    @property
    def scene(self) -> str:
        """Of a simulated cell; named as the task where the file gives none."""
        return self.name if self.simulation is None else self.simulation.scene

    @property
    def observation_age_s(self) -> float:
        """What control follows was observed so long ago at most; a chunk has several steps."""
        given = self.inference.observation_age_s
        return max(1.0, 10 * self.step_s) if given is None else given

    @property
    def step_ns(self) -> int:
        return round(self.step_s * 1e9)

    @property
    def action_delay_ns(self) -> int:
        return round(self.action_delay_s * 1e9)
