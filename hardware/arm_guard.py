"""The arm's own door and its watchdog: what the gate promised holds in the arm's process too.

Whoever can write to shared memory can write a command. So everything is judged again where it
arrives: a number, fresh, of the newest epoch, inside the workspace, and near the arm itself. What
is refused moves nothing and feeds no watchdog.
"""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from hardware.arm import Arm, ArmState
from hardware.memory import Record
from safety import rotation
from safety.compiled import kernel
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

# What `_found` finds.
_NOTHING, _POSITION, _QUATERNION, _CLIP, _GRIPPER, _OUTSIDE, _AWAY, _TURNED = range(8)
_SAID = {
    _POSITION: "a position that is no number",
    _QUATERNION: "a quaternion that is none",
    _CLIP: "a clip that is none",
    _GRIPPER: "a gripper's opening outside 0 … 1",
    _OUTSIDE: "a reference outside the workspace",
}


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
    _low_m: Vector = field(init=False)
    _high_m: Vector = field(init=False)
    _room: Vector = field(init=False)  # (2, 6) how far a reference may be from the arm

    def __post_init__(self) -> None:
        limits = self.limits
        self._low_m, self._high_m = np.array(limits.box_min_m), np.array(limits.box_max_m)
        room_m = limits.clip_m + limits.speed_m_s * TRAVEL_S
        room_rad = limits.clip_rad + limits.angular_speed_rad_s * TRAVEL_S
        self._room = np.concatenate([room_m, room_rad], axis=1)
        away, facing = np.full(3, np.nan), np.array([1.0, 0.0, 0.0, 0.0])
        self._look(away, facing, self._room, 0.0, away, facing)  # compiles it, before any tick

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
        reference_m, facing = np.array(command["position"]), np.array(command["quaternion"])
        clips = np.concatenate([command["clip_m"], command["clip_rad"]], axis=1)
        measured_m, measured = np.array(position_m), np.array(quaternion)
        gripper = float(command["gripper"])
        found = self._look(reference_m, facing, clips, gripper, measured_m, measured)
        if found == _NOTHING:
            return ""
        if found == _AWAY:
            away_mm = float(np.linalg.norm(reference_m - measured_m)) * 1e3
            return f"a reference {away_mm:.0f} mm from the arm"
        if found == _TURNED:
            turn = float(np.linalg.norm(rotation.minus(facing, measured)))
            return f"a reference turned by {np.degrees(turn):.0f}° from the arm"
        return _SAID[found]

    def _look(
        self,
        reference_m: Vector,
        facing: Vector,
        clips: Vector,
        gripper: float,
        measured_m: Vector,
        measured: Vector,
    ) -> int:
        before_m, slack_m = self._reference_m, _ROUNDING_M
        if before_m is None:
            before_m, slack_m = measured_m, self.limits.margin_m
        return _found(
            reference_m,
            facing,
            clips,
            gripper,
            before_m,
            slack_m,
            measured_m,
            measured,
            self._low_m,
            self._high_m,
            self._room,
        )


@kernel
def _found(
    reference_m: Vector,
    facing: Vector,
    clips: Vector,
    gripper: float,
    before_m: Vector,
    slack_m: float,
    measured_m: Vector,
    measured: Vector,
    low_m: Vector,
    high_m: Vector,
    room: Vector,
) -> int:
    """What is wrong with a command's reference, beside the reference before it and the measured
    pose. Comparisons are written so that NaN fails them.
    """
    if not np.isfinite(reference_m).all():
        return _POSITION
    length = 0.0
    for value in facing:
        length += value * value
    if not abs(length - 1.0) < UNIT:
        return _QUATERNION
    if not (clips >= 0.0).all():
        return _CLIP
    if not 0.0 <= gripper <= 1.0:
        return _GRIPPER
    # Outside, the reference may only come back in, or wait where the arm itself is.
    low, high = low_m.copy(), high_m.copy()
    for other in (before_m, measured_m):
        if np.isfinite(other).all():
            low, high = np.minimum(low, other), np.maximum(high, other)
    for i in range(3):
        if reference_m[i] < low[i] - slack_m or reference_m[i] > high[i] + slack_m:
            return _OUTSIDE
    for i in range(3):
        away_m = reference_m[i] - measured_m[i]
        if not -room[0, i] <= away_m <= room[1, i]:
            return _AWAY
    turn = rotation.minus(facing, measured)
    for i in range(3):
        if not -room[0, 3 + i] <= turn[i] <= room[1, 3 + i]:
            return _TURNED
    return _NOTHING


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
