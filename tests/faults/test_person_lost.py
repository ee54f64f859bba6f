"""Whoever drives is lost (faults 1, 2, 3, 21), or two want to drive (4): the arm stands in time."""

from collections.abc import Callable
from dataclasses import replace
from uuid import uuid4

import numpy as np
import pytest

from hardware.teleop import DeviceLost, TeleopInput
from robot_rl.daemon import messages, topics
from robot_rl.daemon.devices import teleop
from robot_rl.schema.live.client_message import AcquireLease, Takeover
from robot_rl.schema.live.robot_command import ClientGone
from safety import lease
from safety.faults import FaultCode, bound_ms
from tests.daemon.conftest import MS
from tests.faults.cell import FAST, FaultCell

SPOKE_MS = 20
"""Before the fault: the last message of who drives."""


def socket_closes(cell: FaultCell) -> None:
    """Its client's socket, as the server tells the robot; messages still under way are lost."""
    assert messages.send(cell.ring("control_requests"), ClientGone(client_id=cell.client))


def packets_stop(_: FaultCell) -> None:
    """Of a half-open connection, and of a page that froze: nothing more is heard."""


def tab_is_hidden(cell: FaultCell) -> None:
    """The page lets go of the dead-man; what its axes say is still the last deflection."""
    cell.drive(axes=FAST, deadman=False)


LOSSES = {
    "socket closes": (socket_closes, FaultCode.OPERATOR_LOST, 0),
    # The same to the robot as a half-open connection, and the shorter of the two bounds.
    "packets stop": (packets_stop, FaultCode.PAGE_FROZEN, SPOKE_MS),
    "tab is hidden": (tab_is_hidden, FaultCode.PAGE_FROZEN, 0),
}


def no_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long nothing is heard, what was said last counts."""
    for name in ("SILENCE_NS", "SUSPEND_NS", "RELEASE_NS"):
        monkeypatch.setattr(lease, name, 10**12)


@pytest.mark.injects(FaultCode.OPERATOR_LOST, FaultCode.OPERATOR_HALF_OPEN, FaultCode.PAGE_FROZEN)
@pytest.mark.parametrize("loss", LOSSES)
def test_a_lost_person_holds_in_time_and_their_lease_ends(cell: FaultCell, loss: str) -> None:
    lose, fault, spoke_ms = LOSSES[loss]
    cell.person_drives()
    lost_ns = cell.now_ns - spoke_ms * MS
    lose(cell)
    cell.assert_holds(fault, lost_ns)
    cell.run(300)
    assert cell.mode == "paused"
    if fault is FaultCode.OPERATOR_LOST:
        cell.run(2000 - (cell.now_ns - lost_ns) // MS + 20)
        assert bytes(cell.status["lease_holder"]) == b""
    assert cell.hold_after_ms(lost_ns) <= bound_ms(fault), "it moves again"


@pytest.mark.unprotected(
    FaultCode.OPERATOR_LOST, FaultCode.OPERATOR_HALF_OPEN, FaultCode.PAGE_FROZEN
)
@pytest.mark.parametrize("loss", LOSSES)
def test_control_without_the_protection_the_arm_goes_on(
    cell: FaultCell, loss: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lose, fault, spoke_ms = LOSSES[loss]
    no_silence(monkeypatch)
    controller = cell.loop.controller
    operator_input = controller.operator_input
    monkeypatch.setattr(operator_input, "client_gone", lambda _: None)
    monkeypatch.setattr(controller.authority, "client_gone", lambda *_: None)
    hears = operator_input.receive_drive

    def deaf_to_the_dead_man(drive: np.void, *rest: object) -> None:
        drive["deadman"] = drive["deadman"] or drive["axes"].any()
        hears(drive, *rest)  # pyright: ignore[reportArgumentType, reportCallIssue]

    monkeypatch.setattr(operator_input, "receive_drive", deaf_to_the_dead_man)
    cell.person_drives()
    lost_ns = cell.now_ns - spoke_ms * MS
    lose(cell)
    with pytest.raises(AssertionError, match="the TCP rests after inf"):
        cell.assert_holds(fault, lost_ns)


# --- Two people -----------------------------------------------------------------------------------


def both_ask(cell: FaultCell) -> list[bool]:
    """Ada and bob ask for the lease and to drive in the same tick of control; who was let."""
    bob = uuid4()
    cell.drive(deadman=False)
    cell.run(20)
    asked = [AcquireLease(request_id=uuid4(), echo_t_ns=cell.now_ns) for _ in range(2)]
    for request, client in zip(asked, (cell.client, bob), strict=True):
        cell.ask(request, client=client)
    cell.ask(Takeover(request_id=uuid4(), device="keyboard"), client=bob)
    cell.run(bound_ms(FaultCode.TWO_TAKEOVERS))
    answers = {answer.request_id: answer for answer in cell.answers}
    assert all(request.request_id in answers for request in asked), "both hear of it in time"
    refused = [a.reason for a in answers.values() if not a.accepted]
    assert all("ada holds the lease" in reason for reason in refused), refused
    return [answers[request.request_id].accepted for request in asked]


@pytest.mark.injects(FaultCode.TWO_TAKEOVERS)
def test_of_two_who_take_over_at_once_one_drives_and_the_other_is_told(cell: FaultCell) -> None:
    assert both_ask(cell) == [True, False]
    assert bytes(cell.status["lease_client"]) == cell.client.bytes
    cell.take_over()
    assert bytes(cell.status["lease_holder"]) == b"ada"


@pytest.mark.unprotected(FaultCode.TWO_TAKEOVERS)
def test_control_a_lease_that_is_always_free_goes_to_both(
    cell: FaultCell, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = lease.step

    def free(state: lease.LeaseState, event: lease.LeaseEvent, now_ns: int) -> lease.LeaseOutcome:
        if isinstance(event, lease.LeaseRequest):
            state = replace(state, holder=None, pending=None)
        return step(state, event, now_ns)

    monkeypatch.setattr("safety.lease.step", free)
    assert both_ask(cell) == [True, True]


# --- A device at the robot ------------------------------------------------------------------------


class Puck:
    """A SpaceMouse that is deflected, until it is pulled out."""

    name = "spacemouse"

    def __init__(self, now_ns: Callable[[], int]) -> None:
        self.plugged, self.axes, self.held = True, (0.0,) * 6, False
        self._now_ns = now_ns

    def open(self) -> "Puck":
        if not self.plugged:
            raise DeviceLost("No SpaceMouse could be opened: plug it in.")
        return self

    def read(self) -> TeleopInput:
        if not self.plugged:
            raise DeviceLost("The SpaceMouse was unplugged.")
        return TeleopInput(
            t_ns=self._now_ns(), axes=np.array(self.axes), buttons=(self.held, False)
        )

    def close(self) -> None:
        """Nothing to let go of."""


def driven_by_a_puck(cell: FaultCell) -> Puck:
    """Ada's hand drives at full speed; the teleop process reads every 10 ms."""
    puck = Puck(lambda: cell.now_ns)
    device = teleop.LocalDevice(open=puck.open, log=lambda _: None)
    slot = topics.open_slot(cell.settings.memory, "local_input")

    def look(now_ns: int) -> None:
        if now_ns % (10 * MS) == 0:
            slot.write(device.sample(now_ns))

    cell.moved.append(look)
    assert cell.answer_of(AcquireLease).accepted
    cell.drive_for(40, deadman=False)
    puck.held = True
    cell.drive_for(40, deadman=False)
    cell.ask(Takeover(request_id=uuid4(), device="spacemouse"))
    cell.drive_for(100, deadman=False)
    assert cell.mode == "takeover", cell.cause
    puck.axes = FAST
    cell.drive_for(300, deadman=False)
    assert cell.speed_m_s() > 0.2, "it moves at full speed"
    return puck


def pull_out(cell: FaultCell, puck: Puck) -> float:
    """How long until the arm stands, ms; the console goes on speaking."""
    puck.plugged = False
    lost_ns = cell.now_ns
    cell.drive_for(500, deadman=False)
    return cell.hold_after_ms(lost_ns)


@pytest.mark.injects(FaultCode.DEVICE_LOST)
def test_a_device_pulled_out_while_deflected_holds_in_time(cell: FaultCell) -> None:
    puck = driven_by_a_puck(cell)
    assert pull_out(cell, puck) <= bound_ms(FaultCode.DEVICE_LOST)


@pytest.mark.unprotected(FaultCode.DEVICE_LOST)
def test_control_a_lost_device_that_keeps_its_last_word_drives_on(
    cell: FaultCell, monkeypatch: pytest.MonkeyPatch
) -> None:
    puck = driven_by_a_puck(cell)

    def last_word(now_ns: int) -> np.ndarray:
        said = TeleopInput(t_ns=now_ns, axes=np.array(FAST), buttons=(True, False))
        return teleop.input_record(said, puck.name)

    monkeypatch.setattr(teleop, "lost_record", last_word)
    assert pull_out(cell, puck) == float("inf")
