"""Control's core on virtual time, with an arm whose measurements the test writes."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import numpy as np

from hardware.arm import ArmState
from robot_rl.config import load_cell, load_task
from robot_rl.daemon import messages, topics
from robot_rl.daemon.control.controller import Controller, TickInput, TickOutput
from robot_rl.daemon.control.settings import ControlSettings, control_settings
from robot_rl.daemon.control.status import LoopTimes, control_record
from robot_rl.schema.live.client_message import ClientMessage
from robot_rl.schema.live.robot_command import FromClient
from robot_rl.schema.live.robot_message import CommandResult
from safety.modes import ModeState

MS = 1_000_000
ADA = UUID(int=1)
START = ArmState(
    t_ns=0,
    tick=0,
    q_rad=np.array([0.0, 0.2, 0.0, -2.0, 0.0, 2.2, 0.8]),
    dq_rad_s=np.zeros(7),
    torque_nm=np.zeros(7),
    position_m=np.array([0.45, 0.0, 0.2]),
    quaternion_wxyz=np.array([0.0, 1.0, 0.0, 0.0]),
    twist=np.zeros(6),
    wrench=np.zeros(6),
    gripper_m=0.08,
    gripper_target_m=0.08,
    gripper_moving=False,
    limits=0,
    braking=False,
    fault="",
    jacobian=10.0 * np.eye(6, 7),  # of an arm whose joints hardly have to move
)


def without_shapes(wanted: ControlSettings) -> ControlSettings:
    """For START, whose Jacobian is no arm's: the shape of the simulated one would find that out."""
    arms = [replace(each, limits=replace(each.limits, collision=None)) for each in wanted.arms]
    return replace(wanted, arms=tuple(arms))


class ControlStand:
    """A controller; `arm` is what the next ticks measure, None when nothing arrives.

    `others`: what further arms measure, where `settings` name several.
    """

    def __init__(
        self,
        arm: ArmState = START,
        others: Sequence[ArmState] = (),
        pressed: Mapping[str, str] | None = None,
        **settings: Any,
    ) -> None:
        wanted = control_settings(load_cell("simulation"), load_task("lift_cube"))
        self.now_ns = 0
        self.arm: ArmState | None = arm
        self.others: list[ArmState | None] = list(others)
        wanted = without_shapes(replace(wanted, **settings))
        self.controller = Controller(wanted, ModeState(), [arm, *others], 0, pressed=pressed)
        self.answers: list[CommandResult] = []
        self.clears_sent = 0
        self.client = ADA
        self._sequence = 0
        self.last: TickOutput | None = None

    @property
    def mode(self) -> str:
        return self.controller.mode

    @property
    def cause(self) -> str:
        return self.controller.authority.mode.cause or ""

    def measure(self, **fields: Any) -> None:
        self.arm = replace(self.arm or START, **fields)

    def tick(self, *requests: ClientMessage, late_ns: int = 0, **seen: Any) -> TickOutput:
        """One control period; requests come from ada."""
        self.now_ns += 5 * MS
        arms = [
            None if arm is None else replace(arm, t_ns=self.now_ns)
            for arm in (self.arm, *self.others)
        ]
        self.last = self.controller.tick(
            TickInput(
                now_ns=self.now_ns,
                late_ns=late_ns,
                arms=arms,
                requests=[self.from_ada(message) for message in requests],
                **seen,
            )
        )
        results = self.last.out.results
        self.answers += [each for each in results if isinstance(each, CommandResult)]
        self.clears_sent += self.last.clear_arms
        return self.last

    def from_ada(self, message: ClientMessage) -> FromClient:
        return FromClient(client_id=self.client, user="ada", message=message)

    def drive(
        self,
        *,
        dead_man: bool,
        age_ms: float = 0.0,
        axes: Any = (0.0,) * 6,
        late_ns: int = 0,
        arm: int = 0,
        **seen: Any,
    ) -> TickOutput:
        """One tick with a drive message; `age_ms`: of the robot time that it echoes."""
        self._sequence += 1
        now_ns = self.now_ns + 5 * MS
        record = np.zeros(1, topics.DRIVE)[0]
        record["client_id"], record["received_ns"] = np.void(self.client.bytes), now_ns
        record["lease_epoch"] = self.status["lease_epoch"]
        record["sequence"], record["echo_t_ns"] = self._sequence, now_ns - round(age_ms * MS)
        record["deadman"], record["axes"], record["speed_scale"] = dead_man, axes, 1.0
        record["device"], record["arm"] = b"keyboard", arm
        return self.tick(drive=record, late_ns=late_ns, **seen)

    def drive_for(self, duration_ms: int, **fields: Any) -> None:
        """A person at 50 Hz."""
        for _ in range(duration_ms // 20):
            self.drive(**fields)
            self.run(15)

    @property
    def status(self) -> Any:
        return control_record(self.controller, LoopTimes(), 0, self.now_ns)

    def run(self, duration_ms: int) -> None:
        for _ in range(duration_ms // 5):
            self.tick()

    def ask(self, kind: type[Any], **fields: Any) -> UUID:
        """Ask for something in the next tick; the request's id."""
        request = kind(request_id=uuid4(), echo_t_ns=self.now_ns, **fields)
        self.tick(request)
        return request.request_id

    def answer(self, request_id: UUID) -> CommandResult | None:
        found = [each for each in self.answers if each.request_id == request_id]
        assert len(found) <= 1, "a request is answered once"
        return found[0] if found else None

    def begin_autonomy(self) -> None:
        self.tick(intents=[messages.BeginAutonomy()])
