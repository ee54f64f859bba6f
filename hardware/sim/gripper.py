"""The Robotiq 2F-85 of the simulated cell: opening ↔ driver joint, and its finite speed."""

import math

import numpy as np
from numpy.typing import NDArray

type Vector = NDArray[np.float64]

MAX_OPENING_M = 0.085
SPEED_M_S = 0.10  # Robotiq states 0.02 to 0.15 m/s
_MOVING_M_S = 0.004
_PAD_M = 0.004  # from a pad's middle to its face
_CTRL_PER_RAD = 255.0 / 0.8  # from the actuator's gain and bias in gym-hil's model

# Opening over the driver joint's angle, measured on the model (a test compares them).
_DRIVER_RAD = np.array([0.0026, 0.1029, 0.2032, 0.3035, 0.4038, 0.5041, 0.6044, 0.7047, 0.7972])
_OPENING_M = np.array([0.08509, 0.07568, 0.06544, 0.05467, 0.04345, 0.03188, 0.02006, 0.00810, 0.0])

JOINTS = tuple(
    f"{side}_{part}_joint"
    for side in ("right", "left")
    for part in ("driver", "coupler", "spring_link", "follower")
)


def driver_angle(opening_m: float) -> float:
    """Driver joint angle, rad, for an opening."""
    return float(np.interp(opening_m, _OPENING_M[::-1], _DRIVER_RAD[::-1]))


def opening(left_m: Vector, right_m: Vector) -> float:
    """Opening between the pads, m, from the middles of the two (3,)."""
    return math.dist(left_m, right_m) - 2 * _PAD_M


def joint_angles(opening_m: float) -> Vector:
    """Angles of `JOINTS` (8,) at an opening, without load: the pads stay parallel."""
    angle = driver_angle(opening_m)
    return np.tile([angle, 0.002, 1.004 * angle, -0.978 * angle], 2)


class SimulatedGripper:
    """Moves its set-point towards the target no faster than `SPEED_M_S`."""

    def __init__(self, opening_m: float) -> None:
        self.target_m = opening_m
        self._set_point_m = opening_m
        self._opening_m = opening_m
        self.moving = False

    @property
    def opening_m(self) -> float:
        return self._opening_m

    def place(self, opening_m: float) -> None:
        """Be at `opening_m` at once and stay there."""
        self.target_m = self._set_point_m = self._opening_m = opening_m

    def squeeze(self, opening_m: float) -> None:
        """Be closed on an object `opening_m` wide, with full force."""
        self.place(0.0)
        self._opening_m = opening_m

    def command(self, target_m: float) -> None:
        """Move towards `target_m`, clipped to what the gripper can do."""
        self.target_m = min(max(target_m, 0.0), MAX_OPENING_M)

    def hold(self) -> None:
        """Move no further. What has closed on an object keeps the force that it has."""
        if self.moving:
            self._set_point_m = self._opening_m
        self.target_m = self._set_point_m

    def step(self, measured_m: float, dt_s: float) -> float:
        """The actuator's control value for this tick, from the measured opening."""
        self.moving = abs(measured_m - self._opening_m) > _MOVING_M_S * dt_s
        self._opening_m = measured_m
        stride = SPEED_M_S * dt_s
        self._set_point_m += min(max(self.target_m - self._set_point_m, -stride), stride)
        if self._set_point_m <= 0.0:
            return 255.0  # beyond the last closed angle, so that a held object is squeezed fully
        return driver_angle(self._set_point_m) * _CTRL_PER_RAD
