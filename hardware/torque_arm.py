"""An arm with a torque interface, driven by our own loop: `hardware.arm.Arm` without a gripper.

A driver makes one in its `open`, from a `TorqueSeam`; a driver with a gripper keeps this as a part
and adds what its gripper measures. `ArmDescription.torque_period_ns` says that it has such a loop:
then the arm's process refuses a real arm where this machine's timing is poor.
"""

import sys

import numpy as np
from numpy.typing import NDArray

from hardware.arm import ArmLaunch, ArmLost, ArmState, Scene
from hardware.arm_faults import away_from_reference, state_fault
from hardware.arm_topics import arm_folder
from hardware.loop_times import Lateness
from hardware.memory import Record
from hardware.torque_loop import PRIORITY, TorqueLoop, TorqueSeam
from safety.torque_tick import Cause

type Vector = NDArray[np.float64]

_SAID = {
    Cause.SILENT: "no fresh reference: the arm's own loop stopped it; see that control runs, "
    "then clear",
    Cause.LOST: "its measurements stopped arriving; see its cable and controller, then clear",
    Cause.UNSENT: "it did not take the torque; see its cable and controller, then clear",
    Cause.LATE: "its loop stood still; find what held the machine up, then clear",
}


class TorqueArm:
    """Implements `hardware.arm.Arm`; every method returns at once."""

    scene: Scene | None = None

    def __init__(
        self, seam: TorqueSeam, posture_rad: Vector, launch: ArmLaunch, *, period_ns: int
    ) -> None:
        """posture_rad (7,): where the nullspace pulls to.

        Raises LimitError for another number of joints, and ValueError in lock-step.
        """
        if launch.virtual:
            raise ValueError(
                "a torque loop runs on the machine's own clock and cannot be stepped: run this "
                "cell in real time"
            )
        self.loop = TorqueLoop(
            seam,
            launch.limits,
            posture_rad,
            arm_folder(launch.folder, launch.name),
            period_ns=period_ns,
            control_period_ns=launch.control_period_ns,
            watchdog_ns=launch.watchdog_ns,
            latch_ns=launch.latch_ns,
        )
        self._joints = launch.limits.joints
        self._why = ""  # it brakes because of this, beside what the loop itself finds
        self._target: tuple[Vector, Vector] | None = None  # the newest command's
        self._newest: Record = self.loop.newest()

    @property
    def braking(self) -> bool:
        return bool(self._why) or self._newest["cause"] != Cause.NONE

    def warm_up(self) -> None:
        """Compile the loop and begin it: from here on it holds the arm."""
        for sentence in self.loop.start(PRIORITY):
            print(f"torque loop: {sentence}", file=sys.stderr, flush=True)

    def follow(self, command: Record, now_ns: int) -> None:  # noqa: ARG002 (the loop has a clock)
        self._target = np.array(command["position"]), np.array(command["quaternion"])
        self.loop.refer(
            *self._target,
            np.concatenate([command["clip_m"], command["clip_rad"]], axis=1),
            made_ns=int(command["t_ns"]),
            valid_until_ns=int(command["valid_until_ns"]),
            hold=bool(command["hold"]),
        )

    def tick(self, now_ns: int) -> None:  # noqa: ARG002
        """Look at what the loop did meanwhile. Raises ArmLost when it ended."""
        if not self.loop.running:
            raise ArmLost("its torque loop ended: start the daemon again")
        self._newest = self.loop.newest()

    def measure(self, now_ns: int) -> ArmState:  # noqa: ARG002
        at = self._newest
        return ArmState(
            t_ns=int(at["measured_ns"]),
            tick=int(at["tick"]),
            q_rad=at["q"],
            dq_rad_s=at["dq"],
            torque_nm=at["torque"],
            position_m=at["position"],
            quaternion_wxyz=at["quaternion"],
            twist=at["jacobian"] @ at["dq"],
            jacobian=at["jacobian"],
            wrench=np.zeros(6),
            gripper_m=0.0,
            gripper_target_m=0.0,
            gripper_moving=False,
            limits=int(at["limits"]),
            braking=self.braking,
            fault=self._fault(),
        )

    def _fault(self) -> str:
        return self._said(Cause(int(self._newest["cause"]))) or self._why

    def _said(self, cause: Cause) -> str:
        """What is wrong, of a cause that its loop found by itself, and what to do."""
        if cause is not Cause.UNFIT:
            return _SAID.get(cause, "")
        at = self._newest
        rest = (at["position"], at["quaternion"], at["jacobian"])
        unfit = state_fault(self._joints, at["q"], at["dq"], *rest)
        return unfit or "a joint was beyond its limits; see what moved it, then clear"

    def brake(self, why: str) -> None:
        if not self._why:
            self._why = why
            self.loop.stop()

    def clear(self) -> str:
        at = self._newest
        if fault := self._said(Cause(int(at["standing"]))):
            return fault
        if self._target is None:
            return "no reference has come yet; see that control runs"
        why = away_from_reference(at["position"], at["quaternion"], *self._target)
        if why:
            return why
        if self._why and at["cause"] == Cause.NONE:
            return "its loop has not begun to brake yet; clear again"
        self._why = ""
        self.loop.release()
        self.loop.clear(int(at["trips"]))  # the trip that was looked at: no later one
        return ""

    def close(self) -> None:
        """The loop ends, and with it the torque: the arm's own controller must hold it."""
        self.loop.close()

    def loop_times(self) -> Lateness:
        """Of the loop since this was last asked."""
        return self.loop.counts.times_since_last()
