"""A person's input devices: a remote one through the link, one at the robot. No input or output."""

from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from hardware.arm import ArmState
from hardware.memory import Record
from robot_rl.daemon.control.authority import Authority
from robot_rl.daemon.control.dead_man import DeadManReleases, DeviceInput
from robot_rl.daemon.topics import NO_ARM
from safety import lease as leases
from safety.drive import DriveInput, DriveSettings, DriveState, shape
from safety.lease import LeaseState
from safety.proposal import Hold, Twist
from safety.vocabulary import DriveFrame

type Vector = NDArray[np.float64]

DEAD_MAN_BUTTON, GRIPPER_BUTTON = 0, 1
"""At the robot: hold the left button to drive, press the right one to open or close."""


class OperatorInput:
    """The newest input of each device, and what of it may become a twist."""

    def __init__(
        self, remote: DriveSettings, local: DriveSettings, scale: Vector, *, local_arm: int = 0
    ) -> None:
        self._settings = {"remote": remote, "local": local}
        self._states = {"remote": DriveState(), "local": DriveState()}
        # Axes that the task does not use do not move; the others keep the task's proportions.
        largest = np.repeat([max(scale[:3].max(), 1e-12), max(scale[3:].max(), 1e-12)], 3)
        self._share = scale / largest
        self._local_arm = local_arm
        self._remote: Record | None = None
        self._local: Record | None = None
        self._pressed = False
        self._toggled = 0.0  # gripper entry of the press that is being held
        self.rejected = dict.fromkeys(leases.Admission, 0)

    def receive_drive(self, drive: Record, authority: Authority, now_ns: int) -> None:
        """A drive message: only the lease holder's, in order and of this lease, counts."""
        admission = authority.admit_drive(
            UUID(bytes=bytes(drive["client_id"])),
            epoch=int(drive["lease_epoch"]),
            sequence=int(drive["sequence"]),
            echoed_ns=int(drive["echo_t_ns"]),
            dead_man=bool(drive["deadman"]),
            arm=int(drive["arm"]),
            now_ns=now_ns,
        )
        if admission is leases.Admission.ACCEPTED:
            self._remote = drive
        else:
            self.rejected[admission] += 1

    def receive_local(self, local: Record) -> None:
        """The newest reading of the device at the robot."""
        self._local = local

    def client_gone(self, client_id: UUID) -> None:
        """A client is gone: its last input must not go on driving."""
        if self._remote is not None and bytes(self._remote["client_id"]) == client_id.bytes:
            self._remote = None

    def reset_shaping(self) -> None:
        """Authority changed: axes have to wake up again."""
        self._states = {"remote": DriveState(), "local": DriveState()}
        self._toggled = 0.0

    def driven_arm(self, releases: DeadManReleases, *, at_robot: bool) -> int:
        """Which arm the device drives, in the order of the cell.

        A remote one drives only the arm that its client named when it last let go.
        """
        if at_robot:
            return self._local_arm
        if self._remote is None:
            return NO_ARM
        wanted = int(self._remote["arm"])
        named = releases.arm_of(UUID(bytes=bytes(self._remote["client_id"])))
        return wanted if wanted == named else NO_ARM

    def remote_input(self, now_ns: int, lease: LeaseState) -> DeviceInput | None:
        """What the remote device says under this lease; what it said under another one is void."""
        drive = self._remote
        if drive is None or int(drive["lease_epoch"]) != lease.epoch:
            return None
        return DeviceInput(
            device=bytes(drive["device"]).decode(errors="replace"),
            dead_man=bool(drive["deadman"]),
            fresh=now_ns - int(drive["received_ns"]) <= leases.SILENCE_NS,
        )

    def local_input(self, now_ns: int) -> DeviceInput | None:
        local = self._local
        if local is None or not bool(local["connected"]):
            return None
        settings = self._settings["local"]
        deflected = bool((np.abs(local["axes"]) > settings.dead_band).any())
        return DeviceInput(
            device=bytes(local["device"]).decode(errors="replace"),
            dead_man=bool(local["buttons"][DEAD_MAN_BUTTON])
            or (settings.deflection_is_dead_man and deflected),
            fresh=now_ns - int(local["t_ns"]) <= leases.SILENCE_NS,
        )

    def twist(
        self,
        gripper_now: float,
        arm: ArmState,
        lease: LeaseState,
        *,
        at_robot: bool,
        epoch: int,
        scale: float,
        round_trip_s: float,
        gripper_used: bool,
        now_ns: int,
    ) -> Twist | Hold:
        """What the driving person wants now; a hold while nothing may count.

        `at_robot`: which kind of device the takeover began with; the other one never counts. A
        device at the robot counts only as long as the lease holder's console is heard.
        """
        if leases.silent(lease, now_ns):
            return Hold()
        kind = "local" if at_robot else "remote"
        record = self._local if at_robot else self._remote
        said = self.local_input(now_ns) if at_robot else self.remote_input(now_ns, lease)
        if record is None or said is None or not said.dead_man:
            return Hold()
        received_ns = int(record["t_ns" if at_robot else "received_ns"])
        tool_frame = not at_robot and bool(record["tool_frame"])
        reading = DriveInput(
            axes=np.array(record["axes"]),
            dead_man=True,
            age_s=(now_ns - received_ns) * 1e-9,
            speed_scale=scale
            * leases.speed_share(round_trip_s)
            * (1.0 if at_robot else float(record["speed_scale"])),
            frame=DriveFrame.TOOL if tool_frame else DriveFrame.BASE,
        )
        twist, self._states[kind] = shape(
            self._settings[kind], self._states[kind], reading, arm.quaternion_wxyz
        )
        gripper = self._press(record, gripper_now) if at_robot else float(record["gripper"])
        return Twist(
            epoch=epoch,
            received_ns=received_ns,
            twist=twist * self._share,
            gripper=gripper if gripper_used else 0.0,
        )

    def _press(self, local: Record, gripper_now: float) -> float:
        """One press opens or closes, however long the button is held."""
        pressed = bool(local["buttons"][GRIPPER_BUTTON])
        if pressed and not self._pressed:
            self._toggled = -1.0 if gripper_now > 0.5 else 1.0
        elif not pressed:
            self._toggled = 0.0
        self._pressed = pressed
        return self._toggled
