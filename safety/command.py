"""Commands that drivers accept. Only the gate can build one.

The seal is an init-only argument, so `dataclasses.replace` cannot forge a changed copy.
"""

from dataclasses import KW_ONLY, InitVar, dataclass

import numpy as np
from numpy.typing import NDArray

from safety._seal import SEAL

FloatArray = NDArray[np.float64]


class ForgedCommandError(RuntimeError):
    """A command was built outside the gate."""


@dataclass(frozen=True, slots=True, eq=False)
class _Sealed:
    _: KW_ONLY
    seal: InitVar[object]
    sequence: int
    t_robot_ns: int
    """Robot time of the tick that made the command."""
    epoch: int
    """Epoch of the authority it was made under."""
    valid_until_ns: int
    """Robot time after which the driver must brake."""

    def __post_init__(self, seal: object) -> None:
        if seal is not SEAL:
            raise ForgedCommandError(
                f"{type(self).__name__} can be built only by the safety gate; "
                "send a proposal through Gate.tick instead."
            )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CartesianTarget(_Sealed):
    """Reference for the impedance law; arrays are read-only."""

    position_m: FloatArray
    """(3,) tcp_in_base."""
    quaternion: FloatArray
    """(4,) w x y z, tcp_in_base."""
    clip_m: FloatArray
    """(2, 3) clips in force, row 0 towards minus, row 1 towards plus."""
    clip_rad: FloatArray
    """(2, 3)."""
    gripper: float
    """Opening wanted: 0 closed, 1 open."""
    gripper_hold: bool
    """The gripper moves no further and keeps the grip it has, whatever `gripper` says: nothing may
    move, or nobody has ordered anything of it since nothing might."""
    hold: bool
    """The arm is to stand still: its law brakes what motion is left."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class JointTarget(_Sealed):
    """Reference for a position-controlled arm."""

    position_rad: FloatArray
    """(7,)."""
    gripper: float
    gripper_hold: bool


SafeCommand = CartesianTarget | JointTarget
