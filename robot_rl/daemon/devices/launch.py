"""What the processes of arms and cameras are started with, from cell and task."""

from typing import cast

from hardware.arm import ArmDriver, ArmLaunch, SceneLaunch
from hardware.arm_process import HostedArm
from hardware.camera import CameraDriver
from robot_rl.config import drivers
from robot_rl.config.task import Simulation
from robot_rl.daemon.devices.camera_process import RealCamera
from robot_rl.daemon.limits import arm_limits
from robot_rl.daemon.settings import DaemonSettings


def arm_launch(name: str, settings: DaemonSettings) -> ArmLaunch:
    """Of one of the cell's arms."""
    cell, control = settings.cell, settings.cell.control
    return ArmLaunch(
        folder=settings.memory,
        name=name,
        limits=arm_limits(cell, settings.task, name),
        control_period_ns=settings.control_period_ns,
        watchdog_ns=round(control.watchdog_s * 1e9),
        latch_ns=round(control.freeze_latch_s * 1e9),
        scene=_scene(settings) if cell.simulated else None,
    )


def _scene(settings: DaemonSettings) -> SceneLaunch:
    cell, task = settings.cell, settings.task
    differs = task.simulation or Simulation(scene=task.scene)
    drawn = ((name, cell.cameras[name]) for name in cell.cameras if cell.drawn(name))
    return SceneLaunch(
        name=task.scene,
        seed=settings.seed,
        virtual=settings.lockstep,
        step_ns=task.step_ns,
        cameras=tuple((name, camera.width, camera.height) for name, camera in drawn),
        cameras_moved_m=differs.cameras_moved_m,
        light=differs.light,
    )


def drawn_scene(settings: DaemonSettings) -> ArmLaunch:
    """What a simulation's renderer is started with: its arm is the cell's only one."""
    return arm_launch(next(iter(settings.cell.arms)), settings)


def hosted_arm(name: str, settings: DaemonSettings) -> HostedArm:
    chosen = settings.cell.arms[name].arm
    driver = cast(ArmDriver, drivers.find(drivers.ARMS, chosen.driver))
    return HostedArm(driver=driver, settings=chosen, launch=arm_launch(name, settings))


def real_camera(name: str, settings: DaemonSettings) -> RealCamera:
    chosen = settings.cell.cameras[name]
    driver = cast(CameraDriver, drivers.find(drivers.CAMERAS, chosen.driver))
    return RealCamera(
        name=name,
        driver=driver,
        settings=chosen,
        memory=settings.memory,
        log_file=settings.log_file,
    )
