"""What of a person's devices may count, and under whose lease."""

from uuid import UUID

import numpy as np

from robot_rl.config import load_cell, load_task
from robot_rl.daemon import topics
from robot_rl.daemon.control.arm_watch import ArmCondition
from robot_rl.daemon.control.authority import Authority
from robot_rl.daemon.control.operator_input import DEAD_MAN_BUTTON, OperatorInput
from robot_rl.daemon.control.settings import drive_settings
from robot_rl.schema.live.client_message import AcquireLease, ReleaseLease, Request, Takeover
from robot_rl.schema.live.robot_command import FromClient
from robot_rl.schema.message import new_id
from safety.modes import ModeState
from tests.daemon.control.stand import ControlStand

MS = 1_000_000
ADA, BOB = UUID(int=1), UUID(int=2)


def ask(authority: Authority, client: UUID, kind: type[Request], now_ns: int) -> None:
    message = kind(request_id=new_id(), echo_t_ns=now_ns)
    authority.request(
        FromClient.model_validate({"client_id": client, "user": "x", "message": message}),
        now_ns,
        ArmCondition(),
    )


def test_what_the_last_holder_said_counts_for_nobody_else() -> None:
    cell, task = load_cell("simulation"), load_task("lift_cube")
    settings = drive_settings(cell, task, local=False)
    person = OperatorInput(settings, settings, np.array(task.action.scale))
    authority = Authority(ModeState(), resumes=True)
    ask(authority, ADA, AcquireLease, 0)
    drive = np.zeros(1, topics.DRIVE)
    drive["client_id"], drive["received_ns"] = np.void(ADA.bytes), 10 * MS
    drive["lease_epoch"], drive["sequence"] = authority.lease.state.epoch, 1
    drive["deadman"], drive["echo_t_ns"] = True, 10 * MS
    person.receive_drive(drive[0], authority, 10 * MS)
    said = person.remote_input(10 * MS, authority.lease.state)
    assert said is not None
    assert said.dead_man
    ask(authority, ADA, ReleaseLease, 20 * MS)
    assert person.remote_input(20 * MS, authority.lease.state) is None
    ask(authority, BOB, AcquireLease, 30 * MS)
    assert authority.lease.client == BOB
    assert person.remote_input(30 * MS, authority.lease.state) is None


def test_a_takeover_at_the_robot_holds_when_its_device_is_unplugged() -> None:
    """Fault 21: the page's held key and pushed axis must not drive on in its place."""
    stand = ControlStand()
    local = np.zeros(1, topics.LOCAL_INPUT)[0]
    local["connected"], local["device"] = True, b"spacemouse"

    def both(*, page: bool, hand: bool, ticks: int) -> list[float]:
        """Page and hand push y, each with its dead-man or without; the speeds measured after."""
        axes = (0.0, 1.0, 0.0, 0.0, 0.0, 0.0)
        before_m = stand.controller.channels[0].gate.position_m
        speeds: list[float] = []
        for _ in range(ticks):
            local["t_ns"] = stand.now_ns + 5 * MS
            local["buttons"][DEAD_MAN_BUTTON], local["axes"] = hand, axes
            command = stand.drive(dead_man=page, axes=axes, local=local).commands[0]
            speeds.append(float(np.linalg.norm(command.position_m - before_m)) / 0.005)
            before_m = command.position_m.copy()
            stand.measure(position_m=before_m, quaternion_wxyz=command.quaternion)
        return speeds

    stand.ask(AcquireLease)
    both(page=False, hand=False, ticks=5)
    both(page=False, hand=True, ticks=5)
    request = Takeover(request_id=new_id(), echo_t_ns=stand.now_ns, device="spacemouse")
    stand.tick(request)
    assert both(page=True, hand=True, ticks=60)[-1] > 0.05
    assert stand.mode == "takeover"
    local["connected"] = False
    assert max(both(page=True, hand=True, ticks=60)[40:]) < 1e-4
    local["connected"] = True
    assert both(page=True, hand=True, ticks=60)[-1] > 0.05, "plugged in again it drives on"
