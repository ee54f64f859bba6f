"""The seam between control and an arm: what control reads, and the one call that moves it."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from safety.command import SafeCommand

type Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class ArmState:
    """One measurement of the arm. SI units, radians; poses and twists are `tcp_in_base`."""

    t_ns: int
    tick: int
    q_rad: Vector  # (joints,)
    dq_rad_s: Vector  # (joints,)
    torque_nm: Vector  # (joints,) commanded by the impedance law
    position_m: Vector  # (3,)
    quaternion_wxyz: Vector  # (4,)
    twist: Vector  # (6,) linear m/s, angular rad/s
    wrench: Vector  # (6,) external force N and torque Nm at the TCP
    gripper_m: float  # opening between the fingers
    gripper_target_m: float  # what it moves to, or squeezes towards
    gripper_moving: bool
    limits: int  # bit flags of the limits that acted in the fast loop (safety.limits)
    braking: bool  # the arm's own watchdog or a fault holds it
    fault: str  # vendor fault or protective stop, empty when there is none


class Arm(Protocol):
    """A driver. It accepts only a `SafeCommand`, which only the safety gate constructs."""

    joints: int

    def state(self) -> ArmState:
        """The newest measurement. Raises ArmLost when the arm stopped answering."""
        ...

    def send(self, command: SafeCommand) -> None:
        """Hand a command to the arm's own control loop; never blocks."""
        ...

    def clear_fault(self) -> None:
        """Ask the arm to leave braking, after a person cleared it; never starts motion."""
        ...

    def close(self) -> None:
        """Stop sending. The arm holds or brakes by its own watchdog."""
        ...


class ArmLost(RuntimeError):
    """The arm's measurements stopped arriving."""
