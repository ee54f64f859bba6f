"""The lease changes hands: its holder is told who asks, and answers; an engineer can take it."""

from uuid import UUID, uuid4

import pytest

from robot_rl.config import load_cell, load_task
from robot_rl.daemon.control.arm_watch import ArmCondition
from robot_rl.daemon.control.authority import Authority
from robot_rl.daemon.control.controller import Controller
from robot_rl.daemon.control.dead_man import DeviceInput
from robot_rl.daemon.control.settings import control_settings
from robot_rl.daemon.control.status import LoopTimes, control_record
from robot_rl.daemon.messages import BeginAutonomy, LeasePreempted
from robot_rl.schema.live.client_message import (
    AcquireLease,
    AnswerLease,
    Pause,
    ReleaseLease,
    Request,
    Resume,
    Takeover,
)
from robot_rl.schema.live.robot_command import FromClient
from robot_rl.schema.live.robot_message import CommandResult
from safety.lease import MS, TRANSFER_TIMEOUT_NS
from safety.modes import ModeState
from safety.vocabulary import Mode
from tests.daemon.control.stand import START, without_shapes

ADA, BOB, SAM = UUID(int=1), UUID(int=2), UUID(int=3)
NAMES = {ADA: "ada", BOB: "bob", SAM: "sam"}


class Desk:
    """An authority on virtual time, with ada holding the lease and being heard."""

    def __init__(self) -> None:
        self.authority = Authority(ModeState(), resumes=True)
        self.now_ns, self.sequence, self.speed_m_s = 0, 0, 0.0
        self.remote: DeviceInput | None = None
        self.answers: list[CommandResult] = []
        self.events: list[object] = []
        self.ask(ADA, AcquireLease)

    def ask(self, client: UUID, kind: type[Request], **fields: object) -> UUID:
        request = kind(request_id=uuid4(), echo_t_ns=self.now_ns, **fields)  # type: ignore[arg-type]
        sender = FromClient.model_validate(
            {"client_id": client, "user": NAMES[client], "message": request}
        )
        self.authority.request(sender, self.now_ns, ArmCondition())
        return request.request_id

    def run(self, duration_ns: int) -> None:
        until_ns = self.now_ns + duration_ns
        while self.now_ns < until_ns:
            self.now_ns += 20 * MS
            self.sequence += 1
            authority = self.authority
            if authority.lease.client is not None:
                authority.admit_drive(
                    authority.lease.client,
                    epoch=authority.lease.state.epoch,
                    sequence=self.sequence,
                    echoed_ns=self.now_ns,
                    dead_man=self.remote is not None and self.remote.dead_man,
                    arm=0,
                    now_ns=self.now_ns,
                )
            authority.tick(self.now_ns, self.speed_m_s, self.remote, None)
        out = self.authority.drain()
        self.answers += [each for each in out.results if isinstance(each, CommandResult)]
        self.events += out.events

    def take_over(self) -> UUID:
        """Ada asks to drive, with the dead-man held, which she had let go before."""
        self.remote = None
        self.run(20 * MS)
        self.remote = DeviceInput(device="keyboard", dead_man=True, fresh=True)
        asked = self.ask(ADA, Takeover, device="keyboard")
        self.run(20 * MS)
        return asked

    def answers_to(self, request_id: UUID) -> list[tuple[bool, str]]:
        return [(a.accepted, a.reason) for a in self.answers if a.request_id == request_id]


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_the_holder_agrees_and_the_one_who_asked_hears_of_it(desk: Desk) -> None:
    asked = desk.ask(BOB, AcquireLease)
    desk.run(100 * MS)
    assert desk.authority.lease.asked is not None
    assert desk.authority.lease.asked.user == "bob"
    assert "ada keeps it" in desk.answers_to(asked)[0][1]
    consent = desk.ask(ADA, AnswerLease, consent=True)
    desk.run(40 * MS)
    assert desk.authority.lease.client == BOB
    assert desk.answers_to(consent) == [(True, "")]
    assert desk.answers_to(asked)[1:] == [(True, "")]
    assert desk.authority.lease.asked is None


def test_the_holder_keeps_it(desk: Desk) -> None:
    asked = desk.ask(BOB, AcquireLease)
    answered = desk.ask(ADA, AnswerLease, consent=False)
    desk.run(TRANSFER_TIMEOUT_NS + 100 * MS)
    assert desk.authority.lease.client == ADA
    assert desk.answers_to(answered) == [(True, "")]
    assert desk.answers_to(asked)[1:] == [(False, "ada keeps the lease.")]
    assert desk.authority.lease.asked is None


def test_a_holder_who_does_not_answer_agrees(desk: Desk) -> None:
    asked = desk.ask(BOB, AcquireLease)
    desk.run(TRANSFER_TIMEOUT_NS - 40 * MS)
    assert desk.authority.lease.client == ADA
    desk.run(80 * MS)
    assert desk.authority.lease.client == BOB
    assert desk.answers_to(asked)[1:] == [(True, "")]


@pytest.mark.parametrize("client", [BOB, SAM])
def test_only_the_holder_answers(desk: Desk, client: UUID) -> None:
    desk.ask(BOB, AcquireLease)
    answered = desk.ask(client, AnswerLease, consent=True)
    desk.run(100 * MS)
    assert desk.answers_to(answered) == [(False, f"{NAMES[client]} has no request to answer.")]
    assert desk.authority.lease.client == ADA


def test_an_engineer_takes_it_at_rest_and_the_reason_is_recorded(desk: Desk) -> None:
    desk.authority.intent(BeginAutonomy(), desk.now_ns)
    desk.speed_m_s = 0.2
    waited = desk.ask(BOB, AcquireLease)
    taken = desk.ask(SAM, AcquireLease, preempt="ada has left the room")
    desk.run(200 * MS)
    assert desk.authority.lease.client == ADA, "it moves"
    assert desk.authority.mode.mode is Mode.PAUSED
    desk.speed_m_s = 0.0
    desk.run(40 * MS)
    assert desk.authority.lease.client == SAM
    assert desk.answers_to(taken)[-1] == (True, "")
    assert not desk.answers_to(waited)[-1][0]
    (event,) = (each for each in desk.events if isinstance(each, LeasePreempted))
    assert (event.by, event.text) == (
        "sam",
        "sam pre-empted the lease of ada as supervisor. Reason: ada has left the room",
    )


def test_a_driver_cannot_take_over_again_what_an_engineer_has_taken(desk: Desk) -> None:
    desk.authority.intent(BeginAutonomy(), desk.now_ns)
    desk.run(20 * MS)
    desk.take_over()
    assert desk.authority.mode.mode is Mode.TAKEOVER
    desk.speed_m_s = 0.2
    taken = desk.ask(SAM, AcquireLease, preempt="ada drives into the table")
    sentence = "The lease is passing to sam; nothing can start to move before the arm is at rest."
    for _ in range(5):  # her page still has the dead-man held, and asks again and again
        again = desk.take_over()
        resumed = desk.ask(ADA, Resume)
        desk.run(20 * MS)
        assert desk.authority.mode.mode is Mode.PAUSED
        assert desk.answers_to(again) == [(False, sentence)]
        assert desk.answers_to(resumed) == [(False, sentence)]
    desk.speed_m_s = 0.0
    desk.run(20 * MS)
    assert desk.authority.lease.client == SAM
    assert desk.answers_to(taken)[-1] == (True, "")
    assert desk.authority.mode.mode is Mode.PAUSED


def test_a_takeover_that_waits_for_the_dead_man_ends_with_the_transfer(desk: Desk) -> None:
    desk.speed_m_s = 0.2
    waiting = desk.ask(ADA, Takeover, device="keyboard")
    desk.run(40 * MS)
    assert desk.answers_to(waiting) == []
    desk.ask(SAM, AcquireLease, preempt="ada drives into the table")
    desk.take_over()
    assert desk.authority.mode.mode is Mode.IDLE
    assert "passing to sam" in desk.answers_to(waiting)[0][1]


def test_an_episode_that_starts_before_the_arm_rests_does_not_put_off_a_transfer(
    desk: Desk,
) -> None:
    desk.speed_m_s = 0.2
    desk.ask(SAM, AcquireLease, preempt="ada has left the room")
    desk.authority.intent(BeginAutonomy(), desk.now_ns)
    desk.run(20 * MS)
    assert desk.authority.mode.mode is Mode.PAUSED
    desk.speed_m_s = 0.0
    desk.run(20 * MS)
    assert desk.authority.lease.client == SAM


def test_nobody_resumes_while_a_free_lease_waits_for_rest(desk: Desk) -> None:
    desk.authority.intent(BeginAutonomy(), desk.now_ns)
    desk.speed_m_s = 0.2
    desk.ask(BOB, AcquireLease)
    desk.ask(ADA, Pause)
    desk.ask(ADA, ReleaseLease)
    resumed = desk.ask(ADA, Resume)
    desk.run(20 * MS)
    assert "passing to bob" in desk.answers_to(resumed)[0][1]
    desk.speed_m_s = 0.0
    desk.run(20 * MS)
    assert desk.authority.lease.client == BOB


def test_a_request_does_not_take_the_robot_from_who_drives_meanwhile(desk: Desk) -> None:
    asked = desk.ask(BOB, AcquireLease)
    desk.run(2000 * MS)
    desk.take_over()
    assert desk.authority.mode.mode is Mode.TAKEOVER
    assert desk.authority.lease.asked is None
    sentence = "ada is driving; the lease cannot change hands now."
    assert desk.answers_to(asked)[1:] == [(False, sentence)]
    desk.speed_m_s = 0.2
    desk.run(TRANSFER_TIMEOUT_NS)
    assert desk.authority.mode.mode is Mode.TAKEOVER
    again = desk.ask(BOB, AcquireLease)
    desk.run(20 * MS)
    assert desk.answers_to(again) == [(False, sentence)]


def test_who_waits_can_withdraw_and_the_lease_stays_where_it_is(desk: Desk) -> None:
    asked = desk.ask(BOB, AcquireLease)
    desk.run(100 * MS)
    withdrawn = desk.ask(BOB, ReleaseLease)
    desk.run(20 * MS)
    assert desk.answers_to(withdrawn) == [(True, "")]
    assert desk.answers_to(asked)[1:] == [(False, "You have withdrawn this request.")]
    assert desk.authority.lease.asked is None
    desk.run(TRANSFER_TIMEOUT_NS + 100 * MS)
    assert desk.authority.lease.client == ADA
    assert desk.ask(SAM, AcquireLease)
    assert desk.authority.lease.asked is not None
    assert desk.authority.lease.asked.user == "sam", "the next one may ask"


def test_a_decided_transfer_can_be_withdrawn_until_the_arm_rests(desk: Desk) -> None:
    desk.speed_m_s = 0.2
    taken = desk.ask(SAM, AcquireLease, preempt="ada has left the room")
    desk.run(20 * MS)
    desk.ask(SAM, ReleaseLease)
    desk.speed_m_s = 0.0
    desk.run(100 * MS)
    assert desk.authority.lease.client == ADA
    assert desk.answers_to(taken)[-1] == (False, "You have withdrawn this request.")
    texts = [each.text for each in desk.events if isinstance(each, LeasePreempted)]
    assert texts[1:] == ["sam withdrew the pre-emption; ada keeps the lease."]


def test_who_neither_holds_it_nor_waits_has_nothing_to_give_up(desk: Desk) -> None:
    desk.ask(BOB, AcquireLease)
    released = desk.ask(SAM, ReleaseLease)
    desk.run(20 * MS)
    assert desk.answers_to(released) == [(False, "You neither hold the lease nor wait for it.")]
    assert desk.authority.lease.asked is not None


def test_telemetry_names_who_asks_and_how_long_is_left() -> None:
    cell, task = load_cell("simulation"), load_task("lift_cube")
    settings = without_shapes(control_settings(cell, task))
    controller = Controller(settings, ModeState(), [START], 0)
    desk = Desk()
    desk.ask(BOB, AcquireLease)
    controller.authority = desk.authority
    record = control_record(controller, LoopTimes(), 0, 0)
    assert record["lease_asked_by"].item() == b"bob"
    assert bytes(record["lease_asked_client"]) == BOB.bytes
    assert int(record["lease_asked_until_ns"]) == TRANSFER_TIMEOUT_NS
