"""Autonomy that nobody attends ends by the task's rule, whoever or whatever is away."""

from uuid import uuid4

import pytest

from robot_rl.config import load_cell, load_task
from robot_rl.daemon.control.arm_watch import ArmCondition
from robot_rl.daemon.control.authority import Authority
from robot_rl.daemon.control.settings import control_settings
from robot_rl.daemon.messages import BeginAutonomy
from robot_rl.schema.live.client_message import AcquireLease
from robot_rl.schema.live.robot_command import FromClient
from robot_rl.schema.message import new_id
from safety.faults import FaultCode
from safety.lease import MS, SECOND
from safety.modes import ModeState
from safety.vocabulary import Mode

LIMIT_NS = 10 * SECOND


def autonomous(unattended_ns: int | None) -> Authority:
    authority = Authority(ModeState(), resumes=True, unattended_ns=unattended_ns)
    authority.intent(BeginAutonomy(), 0)
    assert authority.mode.mode is Mode.AUTONOMOUS
    return authority


def pass_time(authority: Authority, begin_ns: int, end_ns: int) -> None:
    for now_ns in range(begin_ns, end_ns + 1, 5 * MS):
        authority.tick(now_ns, 0.0, None, None)


@pytest.mark.injects(FaultCode.NETWORK_CUT)
def test_without_a_person_autonomy_pauses() -> None:
    authority = autonomous(LIMIT_NS)
    pass_time(authority, 0, LIMIT_NS)
    assert authority.mode.mode is Mode.AUTONOMOUS
    pass_time(authority, LIMIT_NS, LIMIT_NS + 5 * MS)
    assert authority.mode.mode is Mode.PAUSED
    assert "nobody has attended" in (authority.mode.cause or "")


@pytest.mark.parametrize(
    "unattended_ns",
    [pytest.param(None, marks=pytest.mark.unprotected(FaultCode.NETWORK_CUT)), LIMIT_NS],
)
@pytest.mark.injects(FaultCode.NETWORK_CUT)
def test_a_console_that_goes_away_starts_the_time(unattended_ns: int | None) -> None:
    authority = autonomous(unattended_ns)
    client, now_ns = uuid4(), 0
    request = AcquireLease(request_id=new_id())
    authority.request(FromClient(client_id=client, user="ada", message=request), 0, ArmCondition())
    for sequence in range(1, 300):
        now_ns += 50 * MS
        authority.admit_drive(
            client,
            epoch=authority.lease.state.epoch,
            sequence=sequence,
            echoed_ns=now_ns,
            dead_man=False,
            arm=0,
            now_ns=now_ns,
        )
        authority.tick(now_ns, 0.0, None, None)
    assert now_ns > LIMIT_NS
    assert authority.mode.mode is Mode.AUTONOMOUS
    pass_time(authority, now_ns, now_ns + LIMIT_NS)
    assert authority.mode.mode is Mode.AUTONOMOUS
    pass_time(authority, now_ns + LIMIT_NS, now_ns + LIMIT_NS + SECOND)
    assert (authority.mode.mode is Mode.PAUSED) == (unattended_ns is not None)


def test_the_simulated_cell_goes_on_and_a_task_may_say_otherwise() -> None:
    cell, task = load_cell("simulation"), load_task("lift_cube")
    assert control_settings(cell, task).unattended_ns is None
    rule = task.interventions.model_copy(update={"unattended_s": 5.0})
    strict = task.model_copy(update={"interventions": rule})
    assert control_settings(cell, strict).unattended_ns == 5 * SECOND
