"""The simulated cell's drivers: gym-hil's Panda in MuJoCo, and the cameras of its scene.

Loads no MuJoCo: whoever reads a cell file comes by here.
"""

from typing import Annotated

from pydantic import Field

from hardware.arm import Arm, ArmDescription, ArmDriver, ArmLaunch, SimulationDescription
from hardware.camera import CameraDriver, CameraSettings
from hardware.driver import DriverSettings
from hardware.gripper import GripperDescription
from hardware.sim.panda import ACCELERATION_RAD_S2, default_limits
from hardware.sim.panda_shape import SHAPE
from hardware.sim.settings import TASK_NAMES

CAMERAS = ("front", "wrist")  # of every scene


class SimulatedArmSettings(DriverSettings):
    """gym-hil's Panda, torque-controlled by the impedance law in its own process."""

    physics_dt_s: Annotated[float, Field(ge=0.0005, le=0.002)] = 0.002


class SimulatedCamera(CameraSettings):
    """A camera of the simulated scene."""

    width: Annotated[int, Field(ge=64, le=1280)] = 128
    height: Annotated[int, Field(ge=64, le=1280)] = 128


def describe(settings: SimulatedArmSettings) -> ArmDescription:
    joints = default_limits().joints
    step_ns = round(settings.physics_dt_s * 1e9)
    return ArmDescription(
        joint_names=tuple(f"joint{number}" for number in range(1, len(joints.torque_nm) + 1)),
        position_min_rad=tuple(joints.position_min_rad.tolist()),
        position_max_rad=tuple(joints.position_max_rad.tolist()),
        velocity_rad_s=tuple(joints.velocity_rad_s.tolist()),
        torque_nm=tuple(joints.torque_nm.tolist()),
        acceleration_rad_s2=ACCELERATION_RAD_S2,
        shape=SHAPE,
        watchdog="host",
        gripper=GripperDescription(max_opening_m=0.085, speed_m_s=0.10),
        period_ns=step_ns,
        simulation=SimulationDescription(
            step_ns=step_ns,
            scenes=TASK_NAMES,
            cameras=CAMERAS,
            renderer="hardware.sim.camera_process:main",
            changes_view=True,
        ),
    )


def open_arm(settings: SimulatedArmSettings, launch: ArmLaunch) -> Arm:
    """The arm in its scene. Raises ValueError for what no simulation can play."""
    from hardware.sim.fast_loop import FastLoop
    from hardware.sim.physics import Physics
    from hardware.sim.published_scene import PublishedScene

    scene = launch.scene
    if scene is None or scene.name not in TASK_NAMES:
        raise ValueError(f"a simulated scene is one of {', '.join(TASK_NAMES)}, not {scene}")
    physics = Physics(
        scene.name, launch.limits, seed=scene.seed, physics_dt_s=settings.physics_dt_s
    )
    loop = FastLoop(physics, launch.control_period_ns)
    loop.scene = PublishedScene(loop, launch.folder)
    return loop


ARM = ArmDriver(settings=SimulatedArmSettings, describe=describe, open=open_arm)
CAMERA = CameraDriver(settings=SimulatedCamera, open=None)
