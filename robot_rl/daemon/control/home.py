"""The reset routine's drive to a start pose: straight up, then over, then the gripper. Pure."""

import math
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from hardware.arm import ArmState
from safety import rotation
from safety.proposal import Home
from safety.standstill import at_rest

type Vector = NDArray[np.float64]

NEAR_M, NEAR_RAD = 0.005, 0.03  # of the reference to a way point: go on to the next
REACHED_M, REACHED_RAD = 0.015, 0.08  # of the arm to the start pose: it has arrived
GRIPPER_SETTLE_NS = 300_000_000  # a gripper may need this long to report that it moves
TIMEOUT_NS = 15_000_000_000


class Leg(StrEnum):
    UP = "up"
    OVER = "over"
    GRIPPER = "gripper"
    REACHED = "reached"
    MISSED = "missed"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HomePose:
    """Where to go, `tcp_in_base`, and what the gripper does there (−1 close, 0 keep, +1 open)."""

    position_m: Vector
    quaternion: Vector
    gripper: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HomeDrive:
    """State of the drive; `leg` says how far it came."""

    goal: HomePose
    leg: Leg
    above_m: Vector  # the way point straight up
    quaternion: Vector  # kept while going up, or turned back to
    turned_far: bool  # the shortest turn to the goal would not be the way back
    since_ns: int  # of this leg
    deadline_ns: int
    epoch: int

    def proposal(self) -> Home:
        """What the gate is asked for now."""
        up = self.leg is Leg.UP
        keeps = up or self.turned_far
        return Home(
            epoch=self.epoch,
            valid_until_ns=self.deadline_ns,
            position_m=self.above_m if up else self.goal.position_m,
            quaternion=self.quaternion if keeps else self.goal.quaternion,
            gripper=self.goal.gripper if self.leg is Leg.GRIPPER else 0.0,
        )


def begin(
    goal: HomePose, position_m: Vector, quaternion: Vector, *, epoch: int, now_ns: int
) -> HomeDrive:
    """Start from the present reference."""
    above = np.array([position_m[0], position_m[1], max(position_m[2], goal.position_m[2])])
    return HomeDrive(
        goal=goal,
        leg=Leg.UP,
        above_m=above,
        quaternion=np.array(quaternion),
        turned_far=False,
        since_ns=now_ns,
        deadline_ns=now_ns + TIMEOUT_NS,
        epoch=epoch,
    )


def turning_back(drive: HomeDrive, back: Vector | None) -> HomeDrive:
    """back: the orientation to turn to first, see TurnTrail; None when there is none any more."""
    if back is None:
        return replace(drive, turned_far=False) if drive.turned_far else drive
    return replace(drive, quaternion=back, turned_far=True)


def advance(
    drive: HomeDrive, arm: ArmState, reference_m: Vector, reference: Vector, now_ns: int
) -> HomeDrive:
    """The next leg when this one is done."""
    if now_ns >= drive.deadline_ns - 1:
        return replace(drive, leg=Leg.MISSED)
    match drive.leg:
        case Leg.UP if _near(reference_m, drive.above_m):
            return replace(drive, leg=Leg.OVER, since_ns=now_ns)
        case Leg.OVER if (
            _near(reference_m, drive.goal.position_m)
            and _turned(reference, drive.goal.quaternion) < NEAR_RAD
            and distance_m(drive.goal, arm) < REACHED_M
            and _turned(arm.quaternion_wxyz, drive.goal.quaternion) < REACHED_RAD
            and at_rest(float(np.linalg.norm(arm.twist[:3])))
        ):
            return replace(drive, leg=Leg.GRIPPER, since_ns=now_ns)
        case Leg.GRIPPER if (
            now_ns - drive.since_ns >= GRIPPER_SETTLE_NS and not arm.gripper_moving
        ) or drive.goal.gripper == 0.0:
            return replace(drive, leg=Leg.REACHED, since_ns=now_ns)
        case _:
            return drive


def distance_m(goal: HomePose, arm: ArmState) -> float:
    """Of the measured TCP to the start pose."""
    return math.dist(arm.position_m.tolist(), goal.position_m.tolist())


def _near(reference_m: Vector, target_m: Vector) -> bool:
    return float(np.linalg.norm(reference_m - target_m)) < NEAR_M


def _turned(a: Vector, b: Vector) -> float:
    return float(np.linalg.norm(rotation.minus(a, b)))
