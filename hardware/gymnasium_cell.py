"""Any gymnasium environment as the arm of a cell: its state, its images, its success.

Loads neither gymnasium nor the environment: whoever reads a cell file comes by here.
"""

import math
from typing import Annotated

from pydantic import Field

from hardware.arm import Arm, ArmDescription, ArmDriver, ArmLaunch, SimulationDescription
from hardware.camera import CameraDriver, CameraSettings
from hardware.gripper import GripperDescription
from hardware.gymnasium_env.settings import GymnasiumSettings

# What an environment does not say of its joints; nothing here drives them.
_RANGE_RAD, _SPEED_RAD_S, _TORQUE_NM = 2 * math.pi, 10.0, 100.0
_GRIPPER_M_S = 1.0


class GymnasiumCamera(CameraSettings):
    """Images of the arm's environment; `arm.images` says where they are."""

    width: Annotated[int, Field(ge=64, le=1280)] = 128
    height: Annotated[int, Field(ge=64, le=1280)] = 128


def describe(settings: GymnasiumSettings) -> ArmDescription:
    joints, state = settings.state.joints, settings.state
    gripper = GripperDescription(max_opening_m=state.max_opening_m, speed_m_s=_GRIPPER_M_S)
    return ArmDescription(
        joint_names=tuple(f"joint{number}" for number in range(1, joints + 1)),
        position_min_rad=(-_RANGE_RAD,) * joints,
        position_max_rad=(_RANGE_RAD,) * joints,
        velocity_rad_s=(_SPEED_RAD_S,) * joints,
        torque_nm=(_TORQUE_NM,) * joints,
        watchdog="host",
        gripper=None if settings.action.gripper is None else gripper,
        period_ns=settings.period_ns,
        sensors=tuple(settings.sensors),
        simulation=SimulationDescription(
            step_ns=settings.step_ns,
            scenes=(settings.scene,),
            cameras=tuple(settings.images),
            draws_itself=True,
        ),
    )


def open_arm(settings: GymnasiumSettings, launch: ArmLaunch) -> Arm:
    """Raises ArmLost."""
    from hardware.gymnasium_env.arm import GymnasiumArm
    from hardware.gymnasium_env.scene import GymnasiumScene

    arm = GymnasiumArm(settings, launch)
    if launch.scene is not None:
        arm.scene = GymnasiumScene(arm, launch, launch.scene)
    return arm


ARM = ArmDriver(settings=GymnasiumSettings, describe=describe, open=open_arm)
CAMERA = CameraDriver(settings=GymnasiumCamera, open=None)
