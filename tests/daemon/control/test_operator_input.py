"""What of a person's devices may count, and under whose lease."""

from uuid import UUID

import numpy as np

from robot_rl.config import load_cell, load_task
from robot_rl.daemon import topics
from robot_rl.daemon.control.arm_watch import ArmCondition
from robot_rl.daemon.control.authority import Authority
from robot_rl.daemon.control.operator_input import OperatorInput
from robot_rl.daemon.control.settings import drive_settings
from robot_rl.schema import live
from robot_rl.schema.message import new_id
from safety.modes import ModeState

MS = 1_000_000
ADA, BOB = UUID(int=1), UUID(int=2)


def ask(authority: Authority, client: UUID, kind: type[live.Request], now_ns: int) -> None:
    message = kind(request_id=new_id(), echo_t_ns=now_ns)
    authority.request(
        live.FromClient.model_validate({"client_id": client, "user": "x", "message": message}),
        now_ns,
        ArmCondition(),
    )


def test_what_the_last_holder_said_counts_for_nobody_else() -> None:
    cell, task = load_cell("simulation"), load_task("lift_cube")
    settings = drive_settings(cell, task, local=False)
    person = OperatorInput(settings, settings, np.array(task.action.scale))
    authority = Authority(ModeState(), resumes=True)
    ask(authority, ADA, live.AcquireLease, 0)
    drive = np.zeros(1, topics.DRIVE)
    drive["client_id"], drive["received_ns"] = np.void(ADA.bytes), 10 * MS
    drive["lease_epoch"], drive["sequence"] = authority.lease.state.epoch, 1
    drive["deadman"], drive["echo_t_ns"] = True, 10 * MS
    person.receive_drive(drive[0], authority, 10 * MS)
    said = person.remote_input(10 * MS, authority.lease.state)
    assert said is not None
    assert said.dead_man
    ask(authority, ADA, live.ReleaseLease, 20 * MS)
    assert person.remote_input(20 * MS, authority.lease.state) is None
    ask(authority, BOB, live.AcquireLease, 30 * MS)
    assert authority.lease.client == BOB
    assert person.remote_input(30 * MS, authority.lease.state) is None
