"""What may be proposed to the gate. Anyone may build these; nothing moves by them alone."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PolicyTarget:
    """One action of the policy: a change of the reference over its window."""

    sequence: int
    epoch: int
    observed_ns: int
    """Robot time of the observation it was inferred from."""
    valid_from_ns: int
    valid_until_ns: int
    delta: FloatArray
    """(6,) metres and rotation vector in base axes, already scaled by the task."""
    gripper: float
    """-1 close, 0 stay, +1 open."""
    risk: float | None = None
    risk_threshold: float | None = None
    """From which risk on its own critic would hold it back; the cell's can only be stricter."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Twist:
    """A person's velocity, already shaped by `drive`."""

    epoch: int
    received_ns: int
    """Robot time at which the newest admitted input arrived."""
    twist: FloatArray
    """(6,) m/s and rad/s in base axes."""
    gripper: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Home:
    """A pose of the reset routine."""

    epoch: int
    valid_until_ns: int
    position_m: FloatArray
    quaternion: FloatArray
    gripper: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Retrace:
    """A pose of the arm's own last motion, which it retraces."""

    gripper: ClassVar[float] = 0.0
    """Never an order: an arm that backs out of trouble drops nothing, and grips nothing."""

    epoch: int
    valid_until_ns: int
    position_m: FloatArray
    quaternion: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Stand still: decelerate, then hold at the measured pose."""


Proposal = PolicyTarget | Twist | Home | Retrace | Hold
