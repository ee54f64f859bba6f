"""The seam of grippers: what an arm's driver needs of the hand at its end."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class GripperDescription:
    """What is fixed about a gripper."""

    max_opening_m: float
    speed_m_s: float  # of its fingers towards each other
    force_n: float | None = None  # the most it grips with; None: not stated by the maker


class Gripper(Protocol):
    """A hand that opens and closes. Openings in m, between the fingers."""

    target_m: float  # what it moves to, or squeezes towards
    moving: bool

    @property
    def opening_m(self) -> float:
        """As measured last."""
        ...

    def command(self, target_m: float) -> None:
        """Move towards an opening; what the gripper cannot do is clipped. Never blocks."""
        ...
