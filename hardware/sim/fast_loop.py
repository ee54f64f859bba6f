"""The simulated arm: what it does in every physics step. Implements `hardware.arm.Arm`.

A plain object with time passed in; `hardware.arm_process` gives it a clock, a door and a watchdog.
"""

import numpy as np
from numpy.typing import NDArray

from hardware.arm import ArmState, Scene
from hardware.arm_faults import away_from_reference, state_fault
from hardware.memory import Record
from hardware.sim import gripper
from hardware.sim.physics import Physics
from safety import torque_tick

type Vector = NDArray[np.float64]


class FastLoop:
    """The arm's own loop: interpolates references, looks at its joints, brakes.

    Before the first command it holds its start pose.
    """

    def __init__(self, physics: Physics, control_period_ns: int) -> None:
        self.physics = physics
        self.scene: Scene | None = None  # whoever opens the arm puts it there
        self._control_period_ns = control_period_ns
        self.braking = False
        self.holding = True  # as the newest command says
        self.fault = ""
        self._following = False  # a command has come
        self._newest_ns = 0
        self._ordered_gripper: float | None = None
        self._gripper_held = False  # as the newest command says
        self._keep_grip = False  # the order that stands no longer counts
        self._cell_minus = physics.law.clip_minus.copy()
        self._cell_plus = physics.law.clip_plus.copy()
        self.reference_position = np.zeros(3)
        self.reference_quaternion = np.zeros(4)
        self._from_position, self._to_position = np.zeros(3), np.zeros(3)
        self._from_quaternion, self._to_quaternion = np.zeros(4), np.zeros(4)
        self._anchor()

    # ---- commands ----------------------------------------------------------------------------

    def follow(self, command: Record, now_ns: int) -> None:
        """Walk to the reference of a command that the arm's door let in."""
        self._following, self._newest_ns = True, now_ns
        self._from_position[:] = self.reference_position
        self._from_quaternion[:] = self.reference_quaternion
        self._to_position[:] = command["position"]
        self._to_quaternion[:] = command["quaternion"]
        self.holding = bool(command["hold"])
        clips = np.concatenate([command["clip_m"], command["clip_rad"]], axis=1)
        # A command can only tighten the cell's clips.
        np.minimum(self._cell_minus, clips[0], out=self.physics.law.clip_minus)
        np.minimum(self._cell_plus, clips[1], out=self.physics.law.clip_plus)
        self._order_gripper(float(command["gripper"]), hold=bool(command["gripper_hold"]))

    def _order_gripper(self, opening: float, *, hold: bool) -> None:
        if hold or opening != self._ordered_gripper:
            self._keep_grip = False
        if hold and not self._gripper_held:
            self.physics.gripper.hold()
        self._ordered_gripper, self._gripper_held = opening, hold
        if not (hold or self.braking or self._keep_grip):
            self.physics.gripper.command(opening * gripper.MAX_OPENING_M)

    def warm_up(self) -> None:
        """Compile every kernel of the loop now, so that no tick waits for the compiler."""
        physics = self.physics
        physics.brake()
        physics.step(physics.position_m, physics.quaternion)
        self._walk(0.5)
        self._fit()
        physics.place(physics.seed, with_arm=True)
        physics.tick = 0
        physics.resets = 0

    # ---- one tick ----------------------------------------------------------------------------

    def tick(self, now_ns: int) -> None:
        """Advance the physics by one step, at robot time `now_ns`."""
        if not self.braking and not self._fit():
            self.brake(fault_of(self.physics))
        if self.braking:
            self.physics.brake()
            return
        self._interpolate(now_ns)
        self.physics.step(self.reference_position, self.reference_quaternion, hold=self.holding)

    def _interpolate(self, now_ns: int) -> None:
        # References come at the control rate: walk to the newest one over one control period.
        share = (now_ns - self._newest_ns) / self._control_period_ns
        if not self._following or share >= 1.0:
            self.reference_position[:] = self._to_position
            self.reference_quaternion[:] = self._to_quaternion
            return
        self._walk(max(share, 0.0))

    def _walk(self, share: float) -> None:
        torque_tick.walk(
            share,
            self._from_position,
            self._to_position,
            self._from_quaternion,
            self._to_quaternion,
            self.reference_position,
            self.reference_quaternion,
        )

    def _fit(self) -> bool:
        """Whether `fault_of` would find nothing."""
        physics, limits = self.physics, self.physics.joints
        return torque_tick.fit(
            physics.q,
            physics.dq,
            physics.position_m,
            physics.quaternion,
            physics.twist,
            limits.position_min_rad,
            limits.position_max_rad,
            limits.velocity_rad_s,
        )

    def brake(self, why: str) -> None:
        """Stop and hold until a person's clear arrives; the gripper keeps what it has."""
        if not self.braking:
            self.braking, self.fault = True, why
            self.physics.gripper.hold()
            self._keep_grip = True  # nor does the clear bring its order back

    def clear(self) -> str:
        """Leave braking; why not, while a cause persists and without commands near the arm."""
        physics = self.physics
        if fault := fault_of(physics):
            return fault
        why = away_from_reference(
            physics.position_m, physics.quaternion, self._to_position, self._to_quaternion
        )
        if why:
            return why
        self.braking, self.fault = False, ""
        self.reference_position[:] = self._from_position[:] = self._to_position
        self.reference_quaternion[:] = self._from_quaternion[:] = self._to_quaternion
        return ""

    def close(self) -> None:
        """There is no device to let go of."""

    # ---- what others see ---------------------------------------------------------------------

    def measure(self, now_ns: int) -> ArmState:
        """Views of the physics, of this instant."""
        physics = self.physics
        return ArmState(
            t_ns=now_ns,
            tick=physics.tick,
            q_rad=physics.q,
            dq_rad_s=physics.dq,
            torque_nm=physics.torque_nm,
            position_m=physics.position_m,
            quaternion_wxyz=physics.quaternion,
            twist=physics.twist,
            jacobian=physics.jacobian,
            wrench=physics.wrench,
            gripper_m=physics.gripper.opening_m,
            gripper_target_m=physics.gripper.target_m,
            gripper_moving=physics.gripper.moving,
            limits=physics.acted,
            braking=self.braking,
            fault=self.fault,
        )

    # ---- resets ------------------------------------------------------------------------------

    def reset(self, seed: int, *, with_arm: bool) -> None:
        """Place the objects by `seed`; with_arm also puts the arm at its start pose, holding."""
        self.physics.place(seed, with_arm=with_arm)
        # With an object put into the hand, an order that still stands must not drop it.
        self._keep_grip = self.physics.task.held_at_start is not None
        if with_arm:
            self._anchor()

    def _anchor(self) -> None:
        for target in (self.reference_position, self._from_position, self._to_position):
            target[:] = self.physics.position_m
        for target in (self.reference_quaternion, self._from_quaternion, self._to_quaternion):
            target[:] = self.physics.quaternion


def fault_of(physics: Physics) -> str:
    """Why this arm must stop itself, or nothing."""
    return state_fault(
        physics.joints,
        physics.q,
        physics.dq,
        physics.position_m,
        physics.quaternion,
        physics.twist,
    )
