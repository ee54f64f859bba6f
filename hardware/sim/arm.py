"""`SimArm`: the simulated arm as control sees it, through shared memory."""

from pathlib import Path

import numpy as np

from hardware.arm import ArmLost, ArmState
from hardware.clock import Clock
from hardware.memory import Record
from hardware.sim import topics
from hardware.sim.panda import JOINTS
from safety.command import CartesianTarget, SafeCommand


class SimArm:
    """Implements `hardware.arm.Arm` for one process; `requester` names its request ring."""

    joints = JOINTS

    def __init__(
        self,
        folder: Path,
        clock: Clock,
        *,
        requester: str = "control",
        lost_after_s: float = 0.25,
        start_timeout_s: float = 60.0,
    ) -> None:
        self._clock = clock
        self._lost_after_ns = round(lost_after_s * 1e9)
        self._state = topics.open_slot(folder, "arm_state")
        self._command = topics.open_slot(folder, "arm_command")
        self._requests = topics.open_requests(folder, requester)
        if not self._state.wait_beyond(0, start_timeout_s):
            raise ArmLost(
                f"The simulated arm did not start within {start_timeout_s:.0f} s: "
                "see its process in the daemon's log."
            )

    def state(self) -> ArmState:
        """The newest measurement. Raises ArmLost when it is older than `lost_after_s`."""
        record = self._state.read()
        age_ns = self._clock.now_ns() - int(record["t_ns"])
        if age_ns > self._lost_after_ns:
            raise ArmLost(
                f"The simulated arm has been silent for {age_ns / 1e9:.2f} s: "
                "see its process in the daemon's log."
            )
        return arm_state(record)

    def send(self, command: SafeCommand) -> None:
        """Publish a Cartesian target. Raises TypeError for other kinds: this arm has none."""
        if not isinstance(command, CartesianTarget):
            raise TypeError(
                f"{type(command).__name__}: the simulated arm accepts CartesianTarget only"
            )
        record = np.zeros((), topics.COMMAND)
        record["sequence"] = command.sequence
        record["t_ns"] = command.t_robot_ns
        record["valid_until_ns"] = command.valid_until_ns
        record["epoch"] = command.epoch
        record["position"] = command.position_m
        record["quaternion"] = command.quaternion
        record["clip_m"] = command.clip_m
        record["clip_rad"] = command.clip_rad
        record["gripper"] = command.gripper
        record["hold"] = command.hold
        self._command.write(record)

    def clear_fault(self) -> None:
        """Ask the arm to leave braking; `state().fault` says why when it refuses."""
        self._requests.push(topics.request("clear_fault"))

    def close(self) -> None:
        """Stop sending; the arm's watchdog brakes it."""


def arm_state(record: Record) -> ArmState:
    """An `arm_state` record as the seam's type; its arrays are views of the record."""
    return ArmState(
        t_ns=int(record["t_ns"]),
        tick=int(record["tick"]),
        q_rad=record["q"],
        dq_rad_s=record["dq"],
        torque_nm=record["torque"],
        position_m=record["position"],
        quaternion_wxyz=record["quaternion"],
        twist=record["twist"],
        wrench=record["wrench"],
        gripper_m=float(record["gripper_m"]),
        gripper_target_m=float(record["gripper_target_m"]),
        gripper_moving=bool(record["gripper_moving"]),
        limits=int(record["limits"]),
        braking=bool(record["braking"]),
        fault=bytes(record["fault"]).decode(errors="replace"),
    )
