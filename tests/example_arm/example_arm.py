"""A six-joint arm with servos, as another laboratory would add it. Its controller box is MuJoCo.

Cartesian references become joint targets by damped least squares; the servos follow those. Contact
force is bounded by the servos' stiffness times how far the reference may lead (the clip).
"""

import mujoco
import numpy as np

from hardware.arm import Arm, ArmDescription, ArmDriver, ArmLaunch, ArmState, Scene
from hardware.driver import DriverSettings
from hardware.gripper import GripperDescription
from hardware.memory import Record
from safety import rotation
from safety.shape import ArmShape, Capsule, JointAxis

JOINTS = 6
PERIOD_S = 0.002
SPEED_RAD_S, RANGE_RAD, TORQUE_NM, ACCELERATION_RAD_S2 = 3.0, 6.2, 80.0, 40.0
OPENING_M, GRIPPER_M_S = 0.08, 0.1
START_RAD = (0.0, 0.35, 1.45, 1.34, 0.0, np.pi)  # elbow up, tool down
CLEAR_M = 0.02
DAMPING = 1e-3  # of the inverse kinematics
GAIN_PER_S = 50.0  # rate at which a pose error is taken out

LINKS = (("z", 0.15), ("y", 0.30), ("y", 0.30), ("y", 0.04), ("x", 0.03), ("z", 0.06))
RADIUS_M = 0.03


def shape() -> ArmShape:
    """For the gate, which keeps the links apart: at zero the arm stands straight up, so that a
    joint's axis passes through the point of the vertical where its link begins. The short links of
    the wrist are one capsule, on the last of them.
    """
    ends = [sum(length for _, length in LINKS[:number]) for number in range(JOINTS + 1)]
    directions = {"x": (1.0, 0.0, 0.0), "y": (0.0, 1.0, 0.0), "z": (0.0, 0.0, 1.0)}
    between = {"post": (1, 0.06, ends[1]), "upper": (2, ends[1], ends[2])}
    between |= {"fore": (3, ends[2], ends[3]), "wrist": (JOINTS, ends[3] + 0.02, ends[-1])}
    return ArmShape(
        axes=tuple(
            JointAxis(direction=directions[axis], point_m=(0.0, 0.0, at))
            for (axis, _), at in zip(LINKS, ends, strict=False)
        ),
        capsules=tuple(
            Capsule(
                name=name, link=link, from_m=(0.0, 0.0, low), to_m=(0.0, 0.0, high),
                radius_m=RADIUS_M, touches=name == "wrist",
            )
            for name, (link, low, high) in between.items()
        ),
        ignored=(("fore", "wrist"),),
    )  # fmt: skip


class ExampleArmSettings(DriverSettings):
    """Stiffness of the servos, Nm/rad."""

    servo_nm_rad: float = 400.0


def model_xml(servo_nm_rad: float, around: str = "") -> str:
    """Six links end to end, each turning about its axis; gravity is balanced, as in most servos.
    `around`: sections of a simulated scene.
    """
    axes, body, closing, at = {"x": "1 0 0", "y": "0 1 0", "z": "0 0 1"}, "", "", 0.0
    for number, (axis, length) in enumerate(LINKS, 1):
        body += (
            f'<body pos="0 0 {at}" gravcomp="1">'
            f'<joint name="j{number}" axis="{axes[axis]}" damping="20" armature="0.2"/>'
            f'<geom type="capsule" fromto="0 0 0 0 0 {length}" size="{RADIUS_M}" mass="1"'
            ' contype="0" conaffinity="0"/>'
        )
        closing, at = closing + "</body>", length
    servos = "".join(
        f'<position joint="j{number}" kp="{servo_nm_rad}" forcerange="-{TORQUE_NM} {TORQUE_NM}"/>'
        for number in range(1, JOINTS + 1)
    )
    return (
        f'<mujoco><option timestep="{PERIOD_S}" integrator="implicitfast"/><worldbody>{body}'
        f'<site name="tcp" pos="0 0 {at}"/>{closing}</worldbody>'
        f"<actuator>{servos}</actuator>{around}</mujoco>"
    )


class ExampleArm:
    """Implements `hardware.arm.Arm`."""

    scene: Scene | None = None  # a real robot has none

    def __init__(self, settings: ExampleArmSettings, launch: ArmLaunch, around: str = "") -> None:
        self._clip = launch.limits.cartesian.clip_m
        self._model = mujoco.MjModel.from_xml_string(model_xml(settings.servo_nm_rad, around))
        self._data = mujoco.MjData(self._model)
        self._data.qpos[:] = self._target = np.array(START_RAD)
        self._planned = mujoco.MjData(self._model)  # the pose that the joint targets stand for
        self._site = self._model.site("tcp").id
        self._jacobian, self._quaternion = np.zeros((6, JOINTS)), np.zeros(4)
        self._wrench = np.zeros(6)  # this arm has no force sensor
        self._fault, self._tick = "", 0
        self._opening_m = self._opening_target_m = OPENING_M
        self._measure()
        self._reference = self._data.site_xpos[self._site].copy(), self._quaternion.copy()

    @property
    def braking(self) -> bool:
        return bool(self._fault)

    def warm_up(self) -> None:
        self._data.ctrl[:] = self._target

    def follow(self, command: Record, now_ns: int) -> None:
        self._reference = np.array(command["position"]), np.array(command["quaternion"])
        if not (command["gripper_hold"] or self.braking):
            self._opening_target_m = float(command["gripper"]) * OPENING_M

    def tick(self, now_ns: int) -> None:
        if not self.braking and (np.abs(self._data.qvel) > SPEED_RAD_S).any():
            self.brake("a joint turned too fast; see what moved it, then clear")
        if not self.braking:
            self._target = self._target + self._step()
        self._data.ctrl[:] = self._target
        mujoco.mj_step(self._model, self._data)
        stride = GRIPPER_M_S * PERIOD_S
        self._opening_m += float(np.clip(self._opening_target_m - self._opening_m, -stride, stride))
        self._measure()
        self._tick += 1

    def _step(self) -> np.ndarray:
        """Change of the joint targets towards the reference, which may lead the arm by the clip."""
        position, quaternion = self._reference
        measured_m, planned = self._data.site_xpos[self._site], self._planned
        planned.qpos[:] = self._target
        mujoco.mj_kinematics(self._model, planned)
        mujoco.mj_comPos(self._model, planned)
        jacobian, facing = np.zeros((6, JOINTS)), np.zeros(4)
        mujoco.mj_jacSite(self._model, planned, jacobian[:3], jacobian[3:], self._site)
        mujoco.mju_mat2Quat(facing, planned.site_xmat[self._site])
        wanted_m = np.clip(position, measured_m - self._clip[0], measured_m + self._clip[1])
        off_m = wanted_m - planned.site_xpos[self._site]
        error = np.concatenate([off_m, rotation.minus(quaternion, facing)])
        square = jacobian @ jacobian.T + DAMPING * np.eye(6)
        change = jacobian.T @ np.linalg.solve(square, error) * GAIN_PER_S * PERIOD_S
        return np.clip(change, -SPEED_RAD_S * PERIOD_S, SPEED_RAD_S * PERIOD_S)

    def _measure(self) -> None:
        mujoco.mj_forward(self._model, self._data)
        jacobian = self._jacobian
        mujoco.mj_jacSite(self._model, self._data, jacobian[:3], jacobian[3:], self._site)
        before = self._quaternion.copy()
        mujoco.mju_mat2Quat(self._quaternion, self._data.site_xmat[self._site])
        if before @ self._quaternion < 0.0:
            self._quaternion *= -1.0

    def measure(self, now_ns: int) -> ArmState:
        data = self._data
        return ArmState(
            t_ns=now_ns,
            tick=self._tick,
            q_rad=data.qpos,
            dq_rad_s=data.qvel,
            torque_nm=data.actuator_force,
            position_m=data.site_xpos[self._site],
            quaternion_wxyz=self._quaternion,
            twist=self._jacobian @ data.qvel,
            jacobian=self._jacobian,
            wrench=self._wrench,
            gripper_m=self._opening_m,
            gripper_target_m=self._opening_target_m,
            gripper_moving=self._opening_m != self._opening_target_m,
            limits=0,
            braking=self.braking,
            fault=self._fault,
        )

    def brake(self, why: str) -> None:
        if not self.braking:
            self._fault, self._target = why, self._data.qpos.copy()
            self._opening_target_m = self._opening_m

    def clear(self) -> str:
        away_m = float(np.linalg.norm(self._reference[0] - self._data.site_xpos[self._site]))
        if away_m > CLEAR_M:
            return f"the reference is {away_m * 1e3:.0f} mm from the arm; hold first"
        self._fault = ""
        return ""

    def close(self) -> None:
        pass


def describe(_settings: ExampleArmSettings) -> ArmDescription:
    return ArmDescription(
        joint_names=tuple(f"j{number}" for number in range(1, JOINTS + 1)),
        position_min_rad=(-RANGE_RAD,) * JOINTS,
        position_max_rad=(RANGE_RAD,) * JOINTS,
        velocity_rad_s=(SPEED_RAD_S,) * JOINTS,
        torque_nm=(TORQUE_NM,) * JOINTS,
        acceleration_rad_s2=(ACCELERATION_RAD_S2,) * JOINTS,
        shape=shape(),
        watchdog="host",
        gripper=GripperDescription(max_opening_m=OPENING_M, speed_m_s=GRIPPER_M_S),
        period_ns=round(PERIOD_S * 1e9),
    )


def open_arm(settings: ExampleArmSettings, launch: ArmLaunch) -> Arm:
    return ExampleArm(settings, launch)


ARM = ArmDriver(settings=ExampleArmSettings, describe=describe, open=open_arm)
