"""A segment as the replay takes it in."""

from dataclasses import dataclass
from uuid import UUID

from robot_rl.learner.columns import Trajectory


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """Features in place of images; per record the intervention that it belongs to."""

    trajectory: Trajectory
    first_index: int
    interventions: tuple[UUID | None, ...]
    problems: tuple[str, ...] = ()  # why records of it cannot be trained on, in words
