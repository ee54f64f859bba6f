"""What a policy sees and answers, and two seams: a policy acts, a backbone only looks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import nn

    from robot_rl.policy.shield import RiskJudgement


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One moment as the robot recorded it: decoded stored JPEGs and the named state vector."""

    images: Mapping[str, NDArray[np.uint8]]  # camera → (height, width, 3) RGB
    state: NDArray[np.float64]  # (len(state_names),), SI units
    state_names: tuple[str, ...]  # robot_rl.schema.step.state_names
    instruction: str
    t_ns: int  # robot clock
    # The images as they are stored, for a policy that decodes them elsewhere
    jpegs: Mapping[str, bytes] = field(default_factory=dict[str, bytes])


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """Actions for the next steps, first one first; most policies answer with one."""

    # (steps, action) in the columns of the task's action: −1 … 1, a gripper's −1, 0 or +1
    actions: NDArray[np.float64]
    version: int | None  # the policy version that decided; None before one was numbered
    judged: "RiskJudgement | None" = None  # by its risk critic, where it has one
    memory: object = None  # what its policy wants back to go on from it (`RunningChunk.memory`)
    follows: int | None = None  # it goes on from what runs, after so many frozen actions

    def with_actions(self, actions: NDArray[np.float64]) -> Self:
        return replace(self, actions=actions)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RunningChunk:
    """What the robot does while a policy thinks: the rest of the chunk before."""

    shift: int  # steps between the observations of that chunk and of this question
    frozen: int  # actions that will have run, or begun, when the answer is there
    actions: NDArray[np.float64]  # (steps, action) from this question's own step on
    memory: object  # of that chunk; None where another version decided it


class Policy(Protocol):
    """Observation → chunk of actions."""

    version: int | None

    def act(
        self, observation: Observation, rng: np.random.Generator, *, deterministic: bool = False
    ) -> Chunk:
        """Decide. `deterministic` (frozen evaluation): the same observation, the same answer."""
        ...

    def reset(self) -> None:
        """Forget what was carried over from earlier steps; called when an episode starts."""
        ...


@runtime_checkable
class ContinuingPolicy(Policy, Protocol):
    """One that can begin a chunk where the one before it is when the answer is there."""

    def can_go_on(self, running: RunningChunk) -> bool: ...

    def go_on(
        self,
        observation: Observation,
        rng: np.random.Generator,
        running: RunningChunk,
        *,
        deterministic: bool = False,
    ) -> Chunk:
        """Decide as `act` does. The answer begins with the frozen actions, as near as it can."""
        ...


class Backbone(Protocol):
    """The frozen part of a policy: the same features on the robot and in the learner."""

    kind: str
    sha256: str
    size: int  # number of features
    cameras: tuple[str, ...]  # the images it needs

    def features(self, observation: Observation) -> NDArray[np.float32]:
        """(size,) features of one observation. Raises BadObservation."""
        ...

    def features_of(self, observations: Sequence[Observation]) -> NDArray[np.float32]:
        """(observations, size): of several at once, which is faster and may differ in the last
        bits. Raises BadObservation when one of them cannot be used.
        """
        ...


class AdaptableBackbone(Backbone, Protocol):
    """One whose weights an adapter can be added to."""

    @property
    def module(self) -> "nn.Module": ...


class BadObservation(ValueError):
    """An observation lacks something that the policy needs: the message names it."""


class NoAnswer(RuntimeError):
    """The policy cannot be asked, or did not answer in time: the message says why."""
