"""Where a client's message goes: the drive slot, control, the actor, or the link itself."""

from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

import numpy as np

from hardware.clock import Clock
from hardware.memory import Ring, Slot
from robot_rl.daemon import topics
from robot_rl.daemon.link.lockstep import Turns
from robot_rl.daemon.link.mailbox import LiveOutbound
from robot_rl.daemon.messages import send
from robot_rl.schema.live.client_message import (
    BeginReset,
    ConfirmReset,
    Drive,
    JoinLockstep,
    Label,
    LeaveLockstep,
    Ready,
    Request,
    StartEpisode,
    Stop,
)
from robot_rl.schema.live.robot_command import ClientGone, FromClient
from robot_rl.schema.live.robot_message import CommandResult
from safety.vocabulary import ONLY_ARM, DriveFrame

_ACTOR = (StartEpisode, Label, BeginReset, ConfirmReset)
_NOBODY = bytes(16)


class Router:
    """Decides only where a message goes: control judges lease, age and authority."""

    def __init__(
        self,
        folder: Path,
        clock: Clock,
        turns: Turns,
        control: Slot,
        mailbox: LiveOutbound,
        *,
        arms: Sequence[str] = (ONLY_ARM,),
        first_arm: str = ONLY_ARM,
    ) -> None:
        """arms: of the cell, in its order. first_arm: driven where a message names none."""
        self._arms, self._first_arm = list(arms), first_arm
        self._clock, self._turns, self._control, self._mailbox = clock, turns, control, mailbox
        self._drive = topics.open_slot(folder, "drive")
        self._control_requests = topics.open_ring(folder, "control_requests")
        self._stop_requests = topics.open_ring(folder, "stop_requests")
        self._actor_requests = topics.open_ring(folder, "actor_requests")

    def route(self, command: FromClient) -> None:
        """Hand over one message of a client."""
        message = command.message
        match message:
            case Drive():
                self._write_drive(command.client_id, message)
            case Ready():
                self._turns.ready(command.client_id, message.t_ns, message.next_t_ns)
            case JoinLockstep():
                if self._clock.virtual:
                    self._turns.join(command.client_id, command.user)
                    self._answer(command, message, "")
                else:
                    self._answer(command, message, "the robot does not run in lock-step")
            case LeaveLockstep():
                self._turns.leave(command.client_id)
                self._answer(command, message, "")
            case Stop():
                self._push(self._stop_requests, command, message, "control")
            case _:
                to_actor = isinstance(message, _ACTOR)
                ring = self._actor_requests if to_actor else self._control_requests
                self._push(ring, command, message, "the actor" if to_actor else "control")

    def gone(self, client: UUID) -> None:
        """A client's socket closed: control lets its lease run out."""
        send(self._control_requests, ClientGone(client_id=client))

    def _push(self, ring: Ring, command: FromClient, message: Request, whose: str) -> None:
        try:
            taken = send(ring, command)
        except ValueError:
            self._answer(command, message, "the message is too long: shorten the note")
            return
        if not taken:
            self._answer(command, message, f"{whose} does not answer: see the daemon's log")

    def _answer(self, command: FromClient, message: Request, refusal: str) -> None:
        kind: str = getattr(message, "kind", type(message).__name__)
        self._mailbox.answer(
            CommandResult(
                request_id=message.request_id,
                client_id=command.client_id,
                command=kind,
                accepted=not refusal,
                reason=refusal,
                t_ns=self._clock.now_ns(),
            )
        )

    def _arm_number(self, name: str | None) -> int:
        """Its place in the cell; one that is not there is no arm, and nothing moves."""
        wanted = name or self._first_arm
        return self._arms.index(wanted) if wanted in self._arms else topics.NO_ARM

    def _write_drive(self, client: UUID, drive: Drive) -> None:
        # There is one slot: another client must not overwrite what the lease holder says.
        holder = bytes(self._control.read()["lease_client"])
        if holder not in (_NOBODY, client.bytes):
            return
        record = np.zeros((), topics.DRIVE)
        record["client_id"] = np.void(client.bytes)
        record["received_ns"] = self._clock.now_ns()
        record["sequence"] = drive.sequence
        record["lease_epoch"] = drive.lease_epoch
        record["echo_t_ns"] = drive.echo_t_ns
        record["deadman"] = drive.deadman
        record["arm"] = self._arm_number(drive.arm)
        record["axes"] = drive.axes
        record["gripper"] = drive.gripper
        record["tool_frame"] = drive.frame is DriveFrame.TOOL
        record["speed_scale"] = drive.speed_scale
        record["device"] = drive.device.encode()[:24]
        self._drive.write(record)
