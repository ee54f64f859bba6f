"""The process table of the robot PC: everything that runs, in the order in which it is started."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from importlib import import_module
from typing import Any

from robot_rl.config.cell import SimulatedCamera
from robot_rl.daemon.settings import DaemonSettings

_ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}  # a BLAS that spins would take the core away from control


class WhenItDies(Enum):
    """What the supervisor does about it."""

    END = "the daemon ends"  # there is no robot without it
    LATCH = "the robot is stopped and latched, then it is started again"
    RESTART = "it is started again, later each time"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessEntry:
    """One row of the table. `target` is `module:function`, imported in the child only."""

    name: str
    target: str
    argument: Callable[[DaemonSettings], Any]
    when_it_dies: WhenItDies
    needed: Callable[[DaemonSettings], bool] = lambda _: True
    after_arm: bool = False  # started once the arm answers
    party: bool = False  # virtual time waits for it in lock-step
    priority: int | None = None  # SCHED_FIFO that it asks for itself
    hopeless_exit: int | None = None  # an exit code that no restart would mend
    environment: dict[str, str] = field(default_factory=dict[str, str])


def _itself(settings: DaemonSettings) -> DaemonSettings:
    return settings


def _simulation(settings: DaemonSettings) -> Any:
    """SimSettings, made in the child: the supervisor loads no numbers library."""
    from hardware.sim.settings import CameraSettings, SimSettings
    from robot_rl.daemon.limits import arm_limits

    cell, task = settings.cell, settings.task
    scene = task.name if task.simulation is None else task.simulation.scene
    return SimSettings(
        folder=settings.memory,
        task=scene,
        limits=arm_limits(cell, task),
        seed=settings.seed,
        virtual=settings.lockstep,
        control_rate_hz=cell.control.rate_hz,
        physics_dt_s=cell.arm.physics_dt_s,
        watchdog_periods=cell.control.watchdog_missed_commands,
        latch_s=cell.control.freeze_latch_s,
        frame_dt_s=task.step_s,
        cameras=tuple(
            CameraSettings(name=name, width=camera.width, height=camera.height)
            for name, camera in _simulated_cameras(settings).items()
        ),
    )


def _simulated_cameras(settings: DaemonSettings) -> dict[Any, SimulatedCamera]:
    """Their names are cameras of the scene: the cell was checked for that."""
    cameras = settings.cell.cameras.items()
    return {name: camera for name, camera in cameras if isinstance(camera, SimulatedCamera)}


def _real_cameras(settings: DaemonSettings) -> tuple["ProcessEntry", ...]:
    """A row for each: one that hangs holds up no other."""
    return tuple(
        ProcessEntry(
            name=f"camera_{name}",
            target="robot_rl.daemon.devices.camera_process:main",
            argument=partial(_real_camera, name),
            when_it_dies=WhenItDies.RESTART,
            environment=_ONE_THREAD,
        )
        for name, camera in settings.cell.cameras.items()
        if not isinstance(camera, SimulatedCamera)
    )


def _real_camera(name: str, settings: DaemonSettings) -> Any:
    from robot_rl.daemon.devices.camera_process import RealCamera

    camera = settings.cell.cameras[name]
    assert not isinstance(camera, SimulatedCamera)
    return RealCamera(name=name, camera=camera, memory=settings.memory, log_file=settings.log_file)


TABLE: tuple[ProcessEntry, ...] = (
    ProcessEntry(
        name="sim_arm",
        target="hardware.sim.arm_process:main",
        argument=_simulation,
        needed=lambda settings: settings.cell.simulated,
        when_it_dies=WhenItDies.END,
        priority=70,
        environment=_ONE_THREAD,
    ),
    ProcessEntry(
        name="camera",
        target="hardware.sim.camera_process:main",
        argument=_simulation,
        needed=lambda settings: bool(_simulated_cameras(settings)),
        when_it_dies=WhenItDies.RESTART,
        party=True,
        hopeless_exit=3,  # hardware.sim.camera_process.NO_GL
        environment={**_ONE_THREAD, "MUJOCO_GL": "egl"},
    ),
    ProcessEntry(
        name="control",
        target="robot_rl.daemon.control.process:main",
        argument=_itself,
        when_it_dies=WhenItDies.LATCH,
        after_arm=True,
        party=True,
        priority=80,
        environment=_ONE_THREAD,
    ),
    ProcessEntry(
        name="actor",
        target="robot_rl.daemon.actor.process:main",
        argument=_itself,
        after_arm=True,
        when_it_dies=WhenItDies.RESTART,
        party=True,
        hopeless_exit=4,  # robot_rl.daemon.actor.process.NO_POLICY
        environment=_ONE_THREAD,
    ),
    ProcessEntry(
        name="link",
        target="robot_rl.daemon.link.process:main",
        argument=_itself,
        when_it_dies=WhenItDies.RESTART,
        party=True,
        environment=_ONE_THREAD,
    ),
    ProcessEntry(
        name="teleop",
        target="robot_rl.daemon.devices.teleop_process:main",
        argument=_itself,
        needed=lambda settings: bool(settings.cell.teleop),
        when_it_dies=WhenItDies.RESTART,
        environment=_ONE_THREAD,
    ),
)


def needed(settings: DaemonSettings) -> tuple[ProcessEntry, ...]:
    """The rows that this cell needs, in order: those of the table, and one per real camera."""
    table = (entry for entry in TABLE if entry.needed(settings))
    return (*table, *_real_cameras(settings))


def resolve(target: str) -> Callable[[Any], None]:
    """`module:function` → the function."""
    module, function = target.split(":")
    return getattr(import_module(module), function)
