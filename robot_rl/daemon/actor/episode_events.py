"""What happens to the episode machine, and what it asks for: values only."""

from dataclasses import dataclass
from uuid import UUID

from robot_rl.schema.episode import Outcome, Purpose


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One episode to run. `policy_version` is set when the weights must not change in it."""

    episode_id: UUID
    purpose: Purpose
    seed: int
    policy_version: int | None

    @property
    def takeover_only(self) -> bool:
        return self.purpose is Purpose.DEMONSTRATION


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """Why the episode ends. `outcome` None waits for a person's label."""

    outcome: Outcome | None
    cause: str
    labeller: str = ""
    terminated: bool
    failure_class: str | None = None
    note: str = ""


# ---- events -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class StartRequested:
    """`refusal`: what keeps the robot from starting now, one sentence, or None."""

    plan: Plan
    refusal: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """Observation `index` of the running episode; `success` by the simulator, None without one.
    `failed`: by the simulator, success cannot come any more; `truncated`: by a time limit of its.
    """

    index: int
    success: bool | None
    failed: bool = False
    truncated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Classified:
    """What the success classifier says of the images of observation `index`."""

    index: int
    done: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StepDone:
    """An action of the running episode was carried out."""

    human: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class InterventionStarted:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class InterventionFinished:
    released: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """`refusal`: what keeps the arm from driving home because of it, one sentence, or None."""

    outcome: Outcome
    by: str
    failure_class: str | None
    note: str
    refusal: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RobotHalted:
    """A stop or a fault latched."""

    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySilent:
    """The policy has not answered for so long that it is given up."""

    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonEnds:
    """The robot PC's software is being ended: whatever runs is closed as it is."""

    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """The last observation of an episode that is ending is recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResetRequested:
    seed: int | None
    refusal: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReachedHome:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class MissedHome:
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResetConfirmed:
    by: str
    refusal: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenePlaced:
    """Simulation: the objects lie where `seed` puts them."""

    seed: int


type Event = (
    StartRequested
    | Observed
    | Classified
    | StepDone
    | InterventionStarted
    | InterventionFinished
    | Labelled
    | RobotHalted
    | PolicySilent
    | DaemonEnds
    | Recorded
    | ResetRequested
    | ReachedHome
    | MissedHome
    | ResetConfirmed
    | ScenePlaced
)

# ---- effects ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Begin:
    plan: Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class StopMotion:
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Conclude:
    """Tell the outcome for good. `classifier_success`: what the classifier says; None without."""

    plan: Plan
    ending: Ending
    steps: int
    human_steps: int
    classifier_success: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DriveHome:
    """`to_start`: to the start pose of the seed that was placed, not to the task's own."""

    to_start: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceObjects:
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneReady:
    """A reset is over: `seed` lies where it should, `by` confirmed it."""

    seed: int
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResetFailed:
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRefused:
    reason: str


type Effect = (
    Begin
    | StopMotion
    | Conclude
    | DriveHome
    | PlaceObjects
    | SceneReady
    | ResetFailed
    | RequestRefused
)
