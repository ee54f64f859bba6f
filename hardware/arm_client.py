"""`ArmClient`: an arm as control sees it, through the shared memory of its process."""

from pathlib import Path

import numpy as np

from hardware import arm_topics
from hardware.arm import ArmLost, ArmState
from hardware.clock import Clock
from safety.command import CartesianTarget, SafeCommand


class ArmClient:
    """The one end that commands. `requester` names its request ring."""

    def __init__(
        self,
        folder: Path,
        joints: int,
        clock: Clock,
        *,
        sensors: int = 0,
        requester: str = "control",
        lost_after_s: float = 0.25,
        start_timeout_s: float = 60.0,
    ) -> None:
        self._clock = clock
        self._lost_after_ns = round(lost_after_s * 1e9)
        self._state = arm_topics.open_state(folder, joints, sensors)
        self._command = arm_topics.open_command(folder)
        self._requests = arm_topics.open_requests(folder, requester)
        if not self._state.wait_beyond(0, start_timeout_s):
            raise ArmLost(
                f"The arm did not start within {start_timeout_s:.0f} s: "
                "see its process in the daemon's log."
            )

    def state(self) -> ArmState:
        """The newest measurement. Raises ArmLost when it is older than `lost_after_s`."""
        record = self._state.read()
        age_ns = self._clock.now_ns() - int(record["t_ns"])
        if age_ns > self._lost_after_ns:
            raise ArmLost(
                f"The arm has been silent for {age_ns / 1e9:.2f} s: "
                "see its process in the daemon's log."
            )
        return arm_topics.arm_state(record)

    def send(self, command: SafeCommand) -> None:
        """Publish a Cartesian target; never blocks. Raises TypeError for any other kind."""
        if not isinstance(command, CartesianTarget):
            raise TypeError(
                f"{type(command).__name__}: an arm process takes CartesianTarget only today"
            )
        record = np.zeros((), arm_topics.COMMAND)
        record["sequence"] = command.sequence
        record["t_ns"] = command.t_robot_ns
        record["valid_until_ns"] = command.valid_until_ns
        record["epoch"] = command.epoch
        record["position"] = command.position_m
        record["quaternion"] = command.quaternion
        record["clip_m"] = command.clip_m
        record["clip_rad"] = command.clip_rad
        record["gripper"] = command.gripper
        record["gripper_hold"] = command.gripper_hold
        record["hold"] = command.hold
        self._command.write(record)

    def clear_fault(self) -> None:
        """Ask the arm to leave braking, after a person cleared it; `state().fault` says why when it
        refuses. It never starts motion.
        """
        self._requests.push(arm_topics.request("clear_fault"))

    def close(self) -> None:
        """Stop sending; the arm's watchdog brakes it."""
