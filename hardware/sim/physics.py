"""Physics of the simulated cell: one step is one tick of the arm's fast loop.

Order within a tick: the torque chosen at t moves the model to t + dt, kinematics are refreshed
there, and the law chooses the next torque. All that can be read therefore belongs to one instant.
"""

from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from hardware.sim import gripper, kinematics, scene, tick
from hardware.sim.panda import JOINTS
from hardware.sim.tasks import Judgement, StartPose
from safety import impedance
from safety.limits import ArmLimits
from safety.vocabulary import Limit

type Vector = NDArray[np.float64]

_WRENCH_S = 0.01  # time constant of the wrench estimate
_ARM = slice(0, JOINTS)


class Physics:
    """The MuJoCo model of one task with the arm's torque law in the loop."""

    def __init__(
        self, task: str, limits: ArmLimits, *, seed: int, physics_dt_s: float = 0.002
    ) -> None:
        self.model, self.task = scene.build(task, physics_dt_s=physics_dt_s)
        self.data = mujoco.MjData(self.model)
        self.dt_s = physics_dt_s
        self.law = impedance.law(limits, kinematics.HOME_RAD, physics_dt_s)
        self.joints = limits.joints
        self.seed = seed
        self.resets = 0
        self.tick = 0
        self.acted = 0  # limits that acted in the last tick
        self.gripper = gripper.SimulatedGripper(gripper.MAX_OPENING_M)

        model, data = self.model, self.data
        self.site = model.site(scene.TCP_SITE).id
        self._fingers = model.actuator("fingers_actuator").id
        # Views into MuJoCo's own arrays; they stay valid for the life of `data`.
        self.q: Vector = data.qpos[_ARM]
        self.dq: Vector = data.qvel[_ARM]
        self._left: Vector = data.geom_xpos[model.geom("left_pad1").id]
        self._right: Vector = data.geom_xpos[model.geom("right_pad1").id]
        self.position_m: Vector = data.site_xpos[self.site]
        self._ctrl: Vector = data.ctrl
        self._bias: Vector = data.qfrc_bias[_ARM]
        self._constraint: Vector = data.qfrc_constraint[_ARM]
        self._site_rotation: Vector = data.site_xmat[self.site]
        self.quaternion = np.zeros(4)
        self._turned = np.zeros(4)  # the engine's own, of either sign
        self.twist = np.zeros(6)
        self.wrench = np.zeros(6)
        self.torque_nm = np.zeros(JOINTS)
        self._previous = np.zeros(JOINTS)
        self._full_jacobian = np.zeros((6, model.nv))
        self.jacobian = np.zeros((6, JOINTS))
        self._full_inertia = np.zeros((model.nv, model.nv))
        self._work = impedance.scratch()
        self._latched = np.zeros(JOINTS)
        self._braking = False
        self._wrench_mix = 1.0 - float(np.exp(-physics_dt_s / _WRENCH_S))
        self._start = self.task.start_pose(seed)
        self.place(seed, with_arm=True)

    # ---- one tick ----------------------------------------------------------------------------

    def step(
        self, target_position_m: Vector, target_quaternion: Vector, *, hold: bool = False
    ) -> None:
        """Advance by one step, then choose the torque that pulls the TCP to the target.

        With `hold` the law also brakes what motion is left.
        """
        self._advance()
        self._braking = False
        if hold:
            mujoco.mj_fullM(self.model, self._full_inertia, self.data.qM)
        self.acted = tick.choose_torque(
            self.law,
            self._constraint,
            self._wrench_mix,
            self.wrench,
            self._full_jacobian,
            self._turned,
            self.q,
            self.dq,
            self.jacobian,
            self.position_m,
            self.quaternion,
            self.twist,
            target_position_m,
            target_quaternion,
            self._full_inertia,
            hold,
            self._bias,
            self._previous,
            self._work,
            self.torque_nm,
        )

    def brake(self) -> None:
        """Advance by one step, then choose the torque that stops the arm and holds it."""
        self._advance()
        if not self._braking:
            self._latched[:] = self.q
            self._braking = True
        self.acted = tick.choose_braking_torque(
            self.law,
            self._constraint,
            self._wrench_mix,
            self.wrench,
            self._full_jacobian,
            self._turned,
            self.q,
            self.dq,
            self.jacobian,
            self.quaternion,
            self.twist,
            self._latched,
            self._bias,
            self._previous,
            self._work,
            self.torque_nm,
        )

    def _advance(self) -> None:
        tick.actuate(
            self.torque_nm,
            self._previous,
            self._ctrl,
            self._fingers,
            self._left,
            self._right,
            self.gripper.state,
            self.dt_s,
        )
        mujoco.mj_step2(self.model, self.data)
        self._measure()
        self.tick += 1

    def _measure(self) -> None:
        """Refresh what the engine derives from its state; `tick` takes it over."""
        mujoco.mj_step1(self.model, self.data)
        full = self._full_jacobian
        mujoco.mj_jacSite(self.model, self.data, full[:3], full[3:], self.site)
        mujoco.mju_mat2Quat(self._turned, self._site_rotation)

    # ---- placing -----------------------------------------------------------------------------

    def start_pose(self) -> StartPose:
        """The start pose of the present seed."""
        return self._start

    def place(self, seed: int, *, with_arm: bool) -> None:
        """Put the objects where `seed` says; with_arm also puts the arm at its start, at rest."""
        self.seed = seed
        self.resets += 1
        start = self._start = self.task.start_pose(seed)
        if with_arm:
            self.data.qpos[_ARM] = kinematics.solve(
                self.model, start.position_m, kinematics.downward(start.yaw_rad)
            )
            self.data.qvel[:] = 0.0
            self._set_fingers(start.opening_m)
            self.gripper.place(start.opening_m)
        self.task.place(self.data, seed)
        mujoco.mj_kinematics(self.model, self.data)
        if self.task.held_at_start:
            self._set_fingers(start.opening_m)
            self.gripper.squeeze(start.opening_m)
            self._put_in_hand(self.task.held_at_start)
        self.data.qacc_warmstart[:] = 0.0
        self._measure()
        tick.observe(
            self._full_jacobian, self._turned, self.dq, self.jacobian, self.quaternion, self.twist
        )
        if with_arm:
            self.torque_nm[:] = self._bias
            self.wrench[:] = 0.0
            self._braking = False

    def _set_fingers(self, opening_m: float) -> None:
        for name, angle in zip(gripper.JOINTS, gripper.joint_angles(opening_m), strict=True):
            joint: Any = self.data.joint(name)
            joint.qpos[0] = angle
            joint.qvel[0] = 0.0

    def _put_in_hand(self, name: str) -> None:
        """Put a body between the fingers: its origin at the TCP, its z axis against the hand's."""
        site: Any = self.data.site(scene.TCP_SITE)
        joint: Any = self.data.joint(name)
        hand, upright = np.zeros(4), np.zeros(4)
        mujoco.mju_mat2Quat(hand, site.xmat)
        mujoco.mju_mulQuat(upright, hand, np.array([0.0, 1.0, 0.0, 0.0]))
        joint.qpos[:3] = site.xpos
        joint.qpos[3:] = upright
        joint.qvel[:] = 0.0

    # ---- what others see ---------------------------------------------------------------------

    @property
    def limits(self) -> Limit:
        return Limit(self.acted)

    def judge(self) -> Judgement:
        return self.task.judge(self.model, self.data)
