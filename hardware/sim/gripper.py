"""The Robotiq 2F-85 of the simulated cell: opening ↔ driver joint, and its finite speed."""

import math

import numpy as np
from numpy.typing import NDArray

from safety.compiled import kernel

type Vector = NDArray[np.float64]

MAX_OPENING_M = 0.085
SPEED_M_S = 0.10  # Robotiq states 0.02 to 0.15 m/s
_MOVING_M_S = 0.004
_PAD_M = 0.004  # from a pad's middle to its face
_CTRL_PER_RAD = 255.0 / 0.8  # from the actuator's gain and bias in gym-hil's model

# Opening over the driver joint's angle, measured on the model (a test compares them).
_DRIVER_RAD = np.array([0.7972, 0.7047, 0.6044, 0.5041, 0.4038, 0.3035, 0.2032, 0.1029, 0.0026])
_OPENING_M = np.array([0.0, 0.00810, 0.02006, 0.03188, 0.04345, 0.05467, 0.06544, 0.07568, 0.08509])

# Entries of a gripper's state (4,).
_OPENING, _SET_POINT, _TARGET, _MOVING = 0, 1, 2, 3

JOINTS = tuple(
    f"{side}_{part}_joint"
    for side in ("right", "left")
    for part in ("driver", "coupler", "spring_link", "follower")
)


@kernel
def driver_angle(opening_m: float) -> float:
    """Driver joint angle, rad, for an opening."""
    return float(np.interp(opening_m, _OPENING_M, _DRIVER_RAD))


@kernel
def opening(left_m: Vector, right_m: Vector) -> float:
    """Opening between the pads, m, from the middles of the two (3,)."""
    x, y, z = left_m[0] - right_m[0], left_m[1] - right_m[1], left_m[2] - right_m[2]
    return math.sqrt(x * x + y * y + z * z) - 2 * _PAD_M


@kernel
def step(state: Vector, left_m: Vector, right_m: Vector, dt_s: float) -> float:
    """The actuator's control value for this tick, from the middles of the pads; `state` (4,) of a
    `SimulatedGripper` moves on.
    """
    measured_m = opening(left_m, right_m)
    moves = abs(measured_m - state[_OPENING]) > _MOVING_M_S * dt_s
    state[_MOVING] = 1.0 if moves else 0.0
    state[_OPENING] = measured_m
    stride = SPEED_M_S * dt_s
    state[_SET_POINT] += min(max(state[_TARGET] - state[_SET_POINT], -stride), stride)
    if state[_SET_POINT] <= 0.0:
        return 255.0  # beyond the last closed angle, so that a held object is squeezed fully
    return driver_angle(state[_SET_POINT]) * _CTRL_PER_RAD


def joint_angles(opening_m: float) -> Vector:
    """Angles of `JOINTS` (8,) at an opening, without load: the pads stay parallel."""
    angle = driver_angle(opening_m)
    return np.tile([angle, 0.002, 1.004 * angle, -0.978 * angle], 2)


class SimulatedGripper:
    """Moves its set-point towards the target no faster than `SPEED_M_S`: `step` on its `state`."""

    def __init__(self, opening_m: float) -> None:
        self.state = np.zeros(4)
        self.place(opening_m)

    @property
    def opening_m(self) -> float:
        return float(self.state[_OPENING])

    @property
    def target_m(self) -> float:
        return float(self.state[_TARGET])

    @property
    def moving(self) -> bool:
        return bool(self.state[_MOVING])

    def place(self, opening_m: float) -> None:
        """Be at `opening_m` at once and stay there."""
        self.state[_TARGET] = self.state[_SET_POINT] = self.state[_OPENING] = opening_m

    def squeeze(self, opening_m: float) -> None:
        """Be closed on an object `opening_m` wide, with full force."""
        self.place(0.0)
        self.state[_OPENING] = opening_m

    def command(self, target_m: float) -> None:
        """Move towards `target_m`, clipped to what the gripper can do."""
        self.state[_TARGET] = min(max(target_m, 0.0), MAX_OPENING_M)

    def hold(self) -> None:
        """Move no further. What has closed on an object keeps the force that it has."""
        if self.moving:
            self.state[_SET_POINT] = self.state[_OPENING]
        self.state[_TARGET] = self.state[_SET_POINT]
