"""A request that was held up somewhere is not carried out when it finally arrives."""

from uuid import uuid4

import pytest

from robot_rl.daemon.control.arm_watch import ArmCondition
from robot_rl.daemon.control.authority import Authority
from robot_rl.daemon.request_age import AT_ANY_AGE, too_late
from robot_rl.schema.episode import Outcome
from robot_rl.schema.live.client_message import (
    AcquireLease,
    BeginReset,
    Clear,
    ConfirmReset,
    Label,
    MarkPhase,
    Resume,
    StartEpisode,
    Takeover,
)
from robot_rl.schema.live.robot_command import FromClient
from robot_rl.schema.live.robot_message import CommandResult
from robot_rl.schema.message import new_id
from safety.lease import REQUEST_AGE_NS, SECOND
from safety.modes import ModeState
from safety.vocabulary import Mode, Phase

NOW_NS = 100 * SECOND
LATE_NS = NOW_NS - REQUEST_AGE_NS - 1
FIELDS = {
    Takeover: {"device": "keyboard"},
    MarkPhase: {"phase": Phase.CORRECTION},
    Label: {"outcome": Outcome.SUCCESS},
}
MOVES = (
    AcquireLease,
    Takeover,
    MarkPhase,
    StartEpisode,
    Resume,
    BeginReset,
    ConfirmReset,
    Clear,
)


def request(kind, echo_ns: int):
    return kind(request_id=new_id(), echo_t_ns=echo_ns, **FIELDS.get(kind, {}))


@pytest.mark.parametrize("kind", MOVES)
def test_what_moves_or_lets_move_has_to_be_recent(kind) -> None:
    assert too_late(request(kind, NOW_NS - REQUEST_AGE_NS), NOW_NS) is None
    refused = too_late(request(kind, LATE_NS), NOW_NS)
    assert refused is not None
    assert "last 2 s" in refused


@pytest.mark.parametrize("kind", AT_ANY_AGE)
def test_what_lets_go_counts_at_any_age(kind) -> None:
    assert too_late(request(kind, 0), NOW_NS) is None


def test_control_answers_a_late_request_and_does_nothing_else() -> None:
    authority = Authority(ModeState(mode=Mode.STOPPED, stopped_by="ada"), resumes=True)
    clear = request(Clear, LATE_NS)
    sender = FromClient(client_id=uuid4(), user="ada", message=clear)
    authority.request(sender, NOW_NS, ArmCondition())
    assert authority.mode.mode is Mode.STOPPED
    (answer,) = authority.drain().results
    assert isinstance(answer, CommandResult)
    assert not answer.accepted
    authority.request(
        sender.model_copy(update={"message": request(Clear, NOW_NS)}),
        NOW_NS,
        ArmCondition(),
    )
    assert authority.mode.mode is Mode.IDLE
