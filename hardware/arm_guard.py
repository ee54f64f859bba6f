"""The arm's own door and its watchdog: what the gate promised holds in the arm's process too.

Whoever can write to shared memory can write a command. So everything is judged again where it
arrives: a number, fresh, of the newest epoch, inside the workspace, and near the arm itself. What
is refused moves nothing and feeds no watchdog.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hardware.arm import Arm, ArmState
from hardware.memory import Record
from safety import rotation
from safety.limits import CartesianLimits

type Vector = NDArray[np.float64]

UNIT = 1e-3
"""How far a commanded quaternion may be from unit length."""
AHEAD_NS = 50_000_000
"""A command made this much after the tick's own time is none of this robot's clock."""
TRAVEL_S = 0.03
"""The arm may have moved on for this long since control measured it: so much may a reference be
further from it than the clip."""
_ROUNDING_M = 1e-6


@dataclass(slots=True)
class CommandGuard:
    """One arm's door. Time and measurement are passed in."""

    limits: CartesianLimits
    watchdog_ns: int
    accepted: int = 0
    refused: int = 0
    refusal: str = ""  # why, the last time
    sequence: int = -1  # of the newest command accepted
    trips: int = 0  # of the watchdog
    _epoch: int = -1
    _newest_ns: int = 0
    _valid_until_ns: int = 0
    _reference_m: Vector | None = None  # of the newest command accepted

    def admit(self, command: Record, now_ns: int, position_m: Vector, quaternion: Vector) -> bool:
        """Whether the arm, measured at this pose, may follow a record of arm_topics.COMMAND."""
        why = self._refusal(command, now_ns, position_m, quaternion)
        if why:
            self.refused += 1
            self.refusal = why
            return False
        self.accepted += 1
        self._epoch, self.sequence = int(command["epoch"]), int(command["sequence"])
        self._newest_ns, self._valid_until_ns = now_ns, int(command["valid_until_ns"])
        self._reference_m = np.array(command["position"])
        return True

    def silence(self, now_ns: int) -> str:
        """Why the arm must brake because commands stopped; nothing before the first of them."""
        if not self.accepted or self.fresh(now_ns):
            return ""
        self.trips += 1
        silence_ms = (now_ns - self._newest_ns) / 1e6
        refused = f" ({self.refusal})" if self.refusal else ""
        return (
            f"no new command for {silence_ms:.0f} ms{refused}: the arm stopped itself; "
            "see that control runs, then clear"
        )

    def fresh(self, now_ns: int) -> bool:
        """Whether a valid command is in force."""
        silence_ns = now_ns - self._newest_ns
        return silence_ns <= self.watchdog_ns and now_ns <= self._valid_until_ns

    def forget(self) -> None:
        """The arm was put elsewhere: where its reference was says nothing any more."""
        self._reference_m = None

    def _refusal(self, command: Record, now_ns: int, position_m: Vector, quaternion: Vector) -> str:
        epoch, sequence = int(command["epoch"]), int(command["sequence"])
        age_ns = now_ns - int(command["t_ns"])
        if (epoch, sequence) <= (self._epoch, self.sequence):
            return "a command of an old epoch, or one that was there before"
        if age_ns > self.watchdog_ns or int(command["valid_until_ns"]) <= now_ns:
            return f"a command {age_ns / 1e6:.0f} ms old"
        if age_ns < -AHEAD_NS:
            return f"a command from {-age_ns / 1e6:.0f} ms ahead"
        return _malformed(command) or self._misplaced(command, position_m, quaternion)

    def _misplaced(self, command: Record, position_m: Vector, quaternion: Vector) -> str:
        reference_m, limits = np.asarray(command["position"]), self.limits
        low, high = limits.box_min_m, limits.box_max_m
        # Outside, the reference may only come back in, or wait where the arm itself is.
        for other in (self._reference_m, position_m):
            if other is not None and np.isfinite(other).all():
                low, high = np.minimum(low, other), np.maximum(high, other)
        slack_m = _ROUNDING_M if self._reference_m is not None else limits.margin_m
        if (reference_m < low - slack_m).any() or (reference_m > high + slack_m).any():
            return "a reference outside the workspace"
        away_m = reference_m - position_m
        room_m = limits.clip_m + limits.speed_m_s * TRAVEL_S
        if not ((away_m >= -room_m[0]) & (away_m <= room_m[1])).all():
            return f"a reference {float(np.linalg.norm(away_m)) * 1e3:.0f} mm from the arm"
        turn = rotation.minus(np.array(command["quaternion"]), quaternion)
        room = limits.clip_rad + limits.angular_speed_rad_s * TRAVEL_S
        if not ((turn >= -room[0]) & (turn <= room[1])).all():
            return f"a reference turned by {np.degrees(np.linalg.norm(turn)):.0f}° from the arm"
        return ""


def _malformed(command: Record) -> str:
    """Comparisons are written so that NaN fails them."""
    quaternion = np.asarray(command["quaternion"])
    if not np.isfinite(command["position"]).all():
        return "a position that is no number"
    if not abs(float(quaternion @ quaternion) - 1.0) < UNIT:
        return "a quaternion that is none"
    if not ((command["clip_m"] >= 0.0).all() and (command["clip_rad"] >= 0.0).all()):
        return "a clip that is none"
    if not 0.0 <= float(command["gripper"]) <= 1.0:
        return "a gripper's opening outside 0 … 1"
    return ""


class GuardedArm:
    """An arm behind its door, under its watchdog."""

    def __init__(self, arm: Arm, guard: CommandGuard) -> None:
        self.arm, self.guard = arm, guard
        self._not_cleared = ""  # why the last clear was refused, while the arm brakes

    def command(self, command: Record, now_ns: int) -> bool:
        """Follow it, if the door lets it in."""
        measured = self.arm.measure(now_ns)
        if not self.guard.admit(command, now_ns, measured.position_m, measured.quaternion_wxyz):
            return False
        self.arm.follow(command, now_ns)
        return True

    def tick(self, now_ns: int) -> None:
        """One period of the arm's own loop; without fresh commands it brakes first."""
        if not self.arm.braking and (why := self.guard.silence(now_ns)):
            self.arm.brake(why)
        self.arm.tick(now_ns)

    def clear(self, now_ns: int) -> bool:
        """Leave braking, after a person cleared it. It never starts motion."""
        why = ""
        if self.arm.braking:
            fresh = self.guard.fresh(now_ns)
            why = self.arm.clear() if fresh else "no fresh commands arrive; see that control runs"
        self._not_cleared = f"cannot clear: {why}" if why else ""
        return not why

    def measure(self, now_ns: int) -> ArmState:
        """The newest measurement, with the word on a clear that was refused."""
        measured = self.arm.measure(now_ns)
        if self._not_cleared and measured.braking:
            return replace(measured, fault=self._not_cleared)
        return measured
