"""After a loss nobody drives with a dead-man that the robot has not seen released (issue: the arm
moved when a page came back with its key still held).
"""

from uuid import UUID, uuid4

import pytest

from robot_rl.schema.live.client_message import AcquireLease, Clear, EndTakeover, Stop, Takeover
from robot_rl.schema.live.robot_command import ClientGone
from robot_rl.schema.live.robot_message import CommandResult
from tests.daemon.control.stand import MS, ControlStand

FORWARD = (0.0, 1.0, 0.0, 0.0, 0.0, 0.0)


def asks_to_drive(stand: ControlStand) -> CommandResult:
    """A takeover, with the dead-man held and the lease already held."""
    request = Takeover(request_id=uuid4(), echo_t_ns=stand.now_ns, device="keyboard")
    stand.tick(request)
    for _ in range(30):
        stand.drive(dead_man=True)
        stand.run(15)
        if (answer := stand.answer(request.request_id)) is not None:
            return answer
    raise AssertionError("the takeover was never answered")


@pytest.fixture
def stand() -> ControlStand:
    stand = ControlStand()
    stand.run(50)
    return stand


def take_over(stand: ControlStand) -> None:
    stand.ask(AcquireLease)
    stand.drive_for(40, dead_man=False)
    stand.drive_for(40, dead_man=True)
    assert asks_to_drive(stand).accepted
    stand.drive_for(100, dead_man=True, axes=FORWARD)
    assert stand.mode == "takeover"


def assert_held_dead_man_is_refused(stand: ControlStand) -> None:
    stand.drive_for(100, dead_man=True, axes=FORWARD)
    answer = asks_to_drive(stand)
    assert not answer.accepted
    assert "Let go of the dead-man, then hold it again" in answer.reason
    assert stand.mode != "takeover"
    stand.drive_for(40, dead_man=False)
    stand.drive_for(40, dead_man=True)
    assert asks_to_drive(stand).accepted, "once it was let go"


def test_after_a_start_of_control(stand: ControlStand) -> None:
    stand.ask(AcquireLease)
    assert_held_dead_man_is_refused(stand)


def test_after_a_lost_lease_as_another_client_of_the_same_page(stand: ControlStand) -> None:
    """The server died while a person drove; the page dials in again, its key still held."""
    take_over(stand)
    gone = ClientGone(client_id=stand.client)
    stand.run(2500)
    assert stand.mode == "paused"
    stand.tick()
    stand.controller.authority.client_gone(gone.client_id, stand.now_ns)
    stand.client = UUID(int=7)
    stand.ask(AcquireLease)
    assert_held_dead_man_is_refused(stand)


def test_after_a_suspension_as_the_same_client(stand: ControlStand) -> None:
    take_over(stand)
    stand.run(700)
    assert stand.mode == "paused"
    assert_held_dead_man_is_refused(stand)


def test_after_a_silence_without_a_takeover(stand: ControlStand) -> None:
    stand.ask(AcquireLease)
    stand.drive_for(100, dead_man=False)
    stand.run(700)
    assert_held_dead_man_is_refused(stand)


def test_after_a_stop_and_its_clear(stand: ControlStand) -> None:
    take_over(stand)
    stand.tick(Stop(request_id=uuid4()))
    stand.ask(Clear)
    assert stand.mode == "idle"
    assert_held_dead_man_is_refused(stand)


def test_after_a_takeover_that_was_given_back(stand: ControlStand) -> None:
    take_over(stand)
    stand.ask(EndTakeover)
    assert_held_dead_man_is_refused(stand)


def test_a_release_from_before_the_loss_that_arrives_after_it_is_none(stand: ControlStand) -> None:
    take_over(stand)
    stand.run(700)
    assert stand.mode == "paused"
    stand.drive(dead_man=False, age_ms=250)  # it had seen nothing of the robot since
    assert_held_dead_man_is_refused(stand)


def test_a_release_may_be_seen_before_the_lease_is_held(stand: ControlStand) -> None:
    """One press is enough: it asks for the lease and then takes over."""
    stand.drive(dead_man=False)
    stand.run(300)
    stand.ask(AcquireLease)
    stand.drive_for(40, dead_man=True)
    assert asks_to_drive(stand).accepted


def test_nobody_elses_release_counts(stand: ControlStand) -> None:
    stand.client = UUID(int=9)
    stand.drive(dead_man=False)
    stand.client = UUID(int=1)
    stand.ask(AcquireLease)
    assert_held_dead_man_is_refused(stand)


def test_within_one_takeover_a_short_silence_asks_for_nothing(stand: ControlStand) -> None:
    take_over(stand)
    stand.run(300)
    assert stand.mode == "takeover"
    stand.drive_for(60, dead_man=True, axes=FORWARD)
    assert stand.last is not None
    assert stand.controller.source == "human"
    assert stand.now_ns < 2000 * MS
