"""Settings of the simulated cell: plain and frozen, to reach a spawned process whole."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from hardware.sim.panda import default_limits
from safety.limits import ArmLimits

TASK_NAMES = ("insert_peg", "lift_cube")  # keys of tasks.TASKS, known without loading MuJoCo

type Quality = Literal["fast", "pretty"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraSettings:
    """One simulated camera; `name` is a camera of the scene."""

    name: Literal["front", "wrist"]
    width: int = 128
    height: int = 128
    jpeg_quality: int = 90


@dataclass(frozen=True, slots=True, kw_only=True)
class SimSettings:
    """What sim_arm and the camera process need to know."""

    folder: Path  # the daemon's shared-memory folder
    task: str
    limits: ArmLimits = field(default_factory=default_limits)
    seed: int = 0  # of the first episode; later ones come with the reset requests
    virtual: bool = False  # lock-step on the virtual clock
    control_rate_hz: float = 200.0
    physics_dt_s: float = 0.002
    watchdog_periods: int = 20  # control periods without a new command before the arm brakes
    latch_s: float = 0.25  # a physics loop late by more than this has been frozen: brake and say so
    frame_dt_s: float = 0.1  # the step grid: snapshots are taken at k·frame_dt_s
    cameras: tuple[CameraSettings, ...] = (
        CameraSettings(name="front"),
        CameraSettings(name="wrist"),
    )
    quality: Quality = "fast"

    def __post_init__(self) -> None:
        if self.task not in TASK_NAMES:
            raise ValueError(f"simulated task {self.task!r}: known are {', '.join(TASK_NAMES)}")
        if not 0.0005 <= self.physics_dt_s <= 0.004:
            raise ValueError(f"physics_dt_s = {self.physics_dt_s}: allowed are 0.0005 to 0.004 s")
        if self.frame_dt_ns % self.physics_dt_ns:
            raise ValueError(
                f"frame_dt_s = {self.frame_dt_s} must be a multiple of "
                f"physics_dt_s = {self.physics_dt_s}"
            )
        # The reference stands in the step in which a command is taken, and walks in those after.
        fastest_hz = 0.5 / self.physics_dt_s
        if not 20.0 <= self.control_rate_hz <= fastest_hz + 1e-9:
            raise ValueError(
                f"control_rate_hz = {self.control_rate_hz}: allowed are 20 to {fastest_hz:.0f} Hz"
            )

    @property
    def physics_dt_ns(self) -> int:
        return round(self.physics_dt_s * 1e9)

    @property
    def frame_dt_ns(self) -> int:
        return round(self.frame_dt_s * 1e9)

    @property
    def control_period_ns(self) -> int:
        return round(1e9 / self.control_rate_hz)

    @property
    def watchdog_ns(self) -> int:
        return round(self.watchdog_periods / self.control_rate_hz * 1e9)
