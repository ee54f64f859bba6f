"""What the actor sees at T_k: each arm, one JPEG per camera, in simulation its success."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Self

from hardware import arm_topics, simulation_topics
from hardware.arm import ArmState
from hardware.camera import open_frames
from hardware.clock import Clock
from hardware.memory import Record
from robot_rl.schema.message import utc_now
from robot_rl.schema.step import ArmObservation, FrameStamp, prefix

LOCKSTEP_PATIENCE_S = 10.0  # wall time for a camera to draw a frame that virtual time waits for
EARLY_NS = 15_000_000
"""A frame captured this shortly before T_k still shows T_k; waiting longer would cost more."""

LOST_NS = 1_000_000_000
"""A camera is late until then and lost afterwards; a busy PC makes one late by some 0.4 s."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFrame:
    number: int
    capture_ns: int
    jpeg: bytes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SensorReading:
    """One observation, before anything is decided on it."""

    grid_ns: int  # T_k
    arms: Mapping[str, ArmState]
    t_utc: datetime
    frames: Mapping[str, StepFrame]
    stale: tuple[str, ...]
    success: bool | None  # by the simulator, where it judges
    failed: bool = False  # by the simulator, where it judges: success cannot come any more
    truncated: bool = False  # by the simulator: a time limit of its own
    sensors: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    probability: float | None = None  # of success, by the classifier

    def unseen(self, grid_ns: int) -> Self:
        """A later T_k at which nobody looked: the last measurement of the arms, and no images."""
        return replace(
            self,
            grid_ns=grid_ns,
            t_utc=self.t_utc + timedelta(microseconds=(grid_ns - self.grid_ns) // 1000),
            frames={},
            stale=tuple(dict.fromkeys((*self.frames, *self.stale))),
            success=None,
            failed=False,
            truncated=False,
            probability=None,
        )

    @property
    def observations(self) -> dict[str, ArmObservation]:
        """Of each arm, as it is recorded."""
        return {
            name: _observation(arm, self.sensors.get(name, ())) for name, arm in self.arms.items()
        }

    @property
    def not_finite(self) -> str:
        """Which measurements of which arm are NaN or infinite; empty: none."""
        bad = ((name, ", ".join(arm.not_finite)) for name, arm in self.arms.items())
        return "; ".join(prefix(name) + values for name, values in bad if values)

    @property
    def stamps(self) -> dict[str, FrameStamp]:
        return {
            name: FrameStamp(number=frame.number, capture_ns=frame.capture_ns)
            for name, frame in self.frames.items()
        }

    @property
    def jpegs(self) -> dict[str, bytes]:
        return {name: frame.jpeg for name, frame in self.frames.items()}


def _observation(arm: ArmState, sensors: tuple[str, ...]) -> ArmObservation:
    return ArmObservation(
        tcp_position_m=tuple(arm.position_m.tolist()),
        tcp_quaternion_wxyz=tuple(arm.quaternion_wxyz.tolist()),
        tcp_twist=tuple(arm.twist.tolist()),
        wrench=tuple(arm.wrench.tolist()),
        gripper_m=arm.gripper_m,
        q_rad=tuple(arm.q_rad.tolist()),
        dq_rad_s=tuple(arm.dq_rad_s.tolist()),
        sensors=dict(zip(sensors, arm.sensors.tolist(), strict=True)),
    )


class Sensors:
    """Readers of the topics that make an observation."""

    def __init__(
        self,
        folder: Path,
        clock: Clock,
        *,
        joints: Mapping[str, int],
        sensors: Mapping[str, tuple[str, ...]],
        cameras: tuple[str, ...],
        stale_s: float,
        wait_s: float,
        simulated: bool,
        judged: bool,
    ) -> None:
        """`judged`: whether the simulator's word on success and failure counts; where it does not,
        nobody hears it.
        """
        self._clock, self._judged = clock, judged
        self._sensors = sensors
        self._arms = {
            name: arm_topics.open_state(
                arm_topics.arm_folder(folder, name), count, len(sensors[name])
            )
            for name, count in joints.items()
        }
        self._cameras = {name: open_frames(folder, name) for name in cameras}
        self._stale_ns = round(stale_s * 1e9)
        self._wait_ns = round(wait_s * 1e9)
        self._truth = simulation_topics.open_truth(folder) if simulated else None

    def look(self, grid_ns: int) -> SensorReading:
        """What is known at T_k itself. `picture` adds the images, which take a little longer."""
        truth = self.truth()
        return SensorReading(
            grid_ns=grid_ns,
            arms=self.arms(),
            t_utc=utc_now(),
            frames={},
            stale=tuple(self._cameras),
            success=bool(truth["success"]) if truth is not None and self._judged else None,
            failed=truth is not None and self._judged and bool(truth["failed"]),
            truncated=truth is not None and bool(truth["truncated"]),
            sensors=self._sensors,
        )

    def picture(self, reading: SensorReading) -> SensorReading:
        """The reading with its images. Lock-step waits for its frames; real time only a little."""
        grid_ns = reading.grid_ns
        frames: dict[str, StepFrame] = {}
        stale: list[str] = []
        for name in self._cameras:
            frame = self._frame(name, grid_ns)
            if frame is not None:
                frames[name] = frame
            # One captured long after T_k shows another moment just as one from long before does.
            if frame is None or abs(grid_ns - frame.capture_ns) > self._stale_ns:
                stale.append(name)
        return replace(reading, frames=frames, stale=tuple(stale))

    def arms(self) -> dict[str, ArmState]:
        return {name: arm_topics.arm_state(slot.read()) for name, slot in self._arms.items()}

    def truth(self) -> Record | None:
        """The simulator's true state, if there is a simulator."""
        return None if self._truth is None else self._truth.read()

    def lost(self) -> tuple[str, ...]:
        """Cameras that deliver nothing; in lock-step they draw on demand.

        One late frame keeps no episode from starting: a policy is not asked without a fresh one.
        """
        if self._clock.virtual:
            return ()
        newest = {name: frames.newest() for name, frames in self._cameras.items()}
        oldest_ns = self._clock.now_ns() - max(LOST_NS, self._stale_ns)
        return tuple(
            name for name, frame in newest.items() if frame is None or frame[1] < oldest_ns
        )

    def _frame(self, name: str, grid_ns: int) -> StepFrame | None:
        camera = self._cameras[name]
        if self._clock.virtual:
            found = camera.wait_captured(grid_ns, LOCKSTEP_PATIENCE_S)
        else:
            # A camera that has been silent for too long is not waited for: the policy holds sooner.
            found = camera.newest()
            if found is None or grid_ns - found[1] <= self._stale_ns:
                left_ns = grid_ns + self._wait_ns - self._clock.now_ns()
                found = camera.wait_captured(grid_ns - EARLY_NS, max(left_ns, 0) * 1e-9)
        if found is None:
            found = camera.newest()
        if found is None:
            return None
        number, capture_ns, jpeg = found
        return StepFrame(number=number, capture_ns=capture_ns, jpeg=jpeg)
