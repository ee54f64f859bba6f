"""What a change of driver does: the account of it, and that the reference does not jump."""

import numpy as np
import pytest
from pydantic import TypeAdapter

from robot_rl.daemon import messages
from robot_rl.daemon.messages import HandoverMeasured
from robot_rl.schema.live.client_message import AcquireLease, EndTakeover, Takeover
from safety.course import Course
from safety.gate import Gate
from safety.vocabulary import ONLY_ARM, Source
from tests.daemon.control.stand import START, ControlStand
from tests.daemon.control.test_commanded import offered

JUMP_M, JUMP_RAD, TORQUE_STEP_NM_MS = 1e-3, np.radians(0.5), 1.0  # docs/safety.md, takeover
DOWN, LEFT = (0.0, 0.0, -0.8, 0.0, 0.0, 0.0, 0.0), (0.0, 0.6, 0.0, 0.0, 0.0, 0.0)
_EVENTS: TypeAdapter[messages.ControlEvent] = TypeAdapter(messages.ControlEvent)


class HandedOver(ControlStand):
    """`found`: every account so far."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[HandoverMeasured] = []

    def tick(self, *requests, late_ns=0, **seen):
        out = super().tick(*requests, late_ns=late_ns, **seen)
        self.found += [each for each in out.out.events if isinstance(each, HandoverMeasured)]
        return out

    def follow(self, windows: int) -> None:
        """The policy pushes down; the stand's arm never moves, so that the reference leads."""
        for number in range(1, windows + 1):
            self.tick(chunk=offered(self, DOWN, number))
            self.run(95)

    def take_over(self) -> None:
        self.drive(dead_man=False)
        self.drive(dead_man=True)
        self.ask(Takeover, device="keyboard")
        self.drive_for(300, dead_man=True, axes=LEFT)
        assert self.mode == "takeover"

    @property
    def changes(self) -> list[tuple[Source, Source]]:
        return [(each.figures.before, each.figures.after) for each in self.found]


@pytest.fixture
def stand() -> HandedOver:
    return HandedOver()


def test_each_change_of_driver_is_told_once_with_the_holds_between(stand: HandedOver) -> None:
    stand.begin_autonomy()
    stand.ask(AcquireLease)
    stand.follow(4)
    stand.take_over()
    stand.ask(EndTakeover)
    stand.run(400)
    assert stand.mode == "autonomous"
    stand.follow(4)
    assert stand.changes == [
        (Source.HOLD, Source.POLICY),
        (Source.POLICY, Source.HUMAN),
        (Source.HUMAN, Source.HOLD),  # until the policy has seen where the person left the robot
        (Source.HOLD, Source.POLICY),
    ]
    assert {each.figures.arm for each in stand.found} == {ONLY_ARM}


def test_a_policy_that_pauses_to_think_is_no_change_of_driver(stand: HandedOver) -> None:
    stand.begin_autonomy()
    for _ in range(3):
        stand.follow(2)
        stand.run(300)  # its chunk ran out: a hold
    assert stand.changes == [(Source.HOLD, Source.POLICY)]


def test_a_takeover_while_the_reference_leads_by_the_whole_clip_does_not_jump(
    stand: HandedOver,
) -> None:
    stand.begin_autonomy()
    stand.ask(AcquireLease)
    stand.follow(12)
    lead_m = START.position_m[2] - stand.controller.channels[0].gate.position_m[2]
    assert lead_m > 0.015, "it presses"
    stand.measure(wrench=np.array([0.0, 0.0, 30.0, 0.0, 0.0, 0.0]))
    stand.tick()
    stand.take_over()
    figures = stand.found[-1].figures
    assert figures.after is Source.HUMAN
    assert 0.0 < figures.jump_m <= JUMP_M
    assert figures.jerk_m_s3 > 0.0
    assert figures.force_before_n == figures.force_n == pytest.approx(30.0)


def test_a_torque_that_is_no_number_is_left_out_of_the_account(stand: HandedOver) -> None:
    """The account must be told whole, or control would end with it."""
    stand.begin_autonomy()
    stand.follow(2)
    stand.measure(torque_nm=np.full(7, np.inf))
    stand.tick()
    stand.measure(torque_nm=np.zeros(7))
    stand.follow(4)
    assert [each.figures.torque_step_nm_ms for each in stand.found] == [0.0]


def test_control_a_reference_that_snaps_to_the_arm_jumps(
    stand: HandedOver, monkeypatch: pytest.MonkeyPatch
) -> None:
    decay = Gate._decay

    def snap(gate: Gate, now_ns: int, time_s: float = 0.1) -> None:
        decay(gate, now_ns, time_s)
        gate._lead.drop()

    stand.begin_autonomy()
    stand.ask(AcquireLease)
    stand.follow(12)
    monkeypatch.setattr(Gate, "_decay", snap)
    monkeypatch.setattr(Course, "toward", lambda _, *poses: poses[2:])
    stand.take_over()
    assert stand.found[-1].figures.jump_m > 5 * JUMP_M


def test_pressing_the_peg_on_its_board_the_robot_is_handed_over_and_back_without_a_bump(
    make_robot,
) -> None:
    robot = make_robot("insert_peg")
    robot.start("arm", "control")
    robot.run(100)
    robot.begin_autonomy()
    for _ in range(25):
        robot.offer([DOWN] * 3)
        robot.run(100)
    pressing_n = np.linalg.norm(robot.arm.read()["wrench"][:3])
    assert pressing_n > 10.0, "it presses"
    robot.take_over()
    robot.drive_for(300, axes=LEFT)
    assert robot.answer_of(EndTakeover).accepted
    for _ in range(10):
        robot.offer([DOWN] * 3)
        robot.run(100)
    events = messages.receive(robot.ring("control_events"), _EVENTS)
    found = [each.figures for each in events if isinstance(each, HandoverMeasured)]
    assert [each.after for each in found][:2] == [Source.POLICY, Source.HUMAN]
    assert found[1].force_before_n > 10.0
    for figures in found:
        assert figures.jump_m <= JUMP_M
        assert figures.jump_rad <= JUMP_RAD
        assert figures.torque_step_nm_ms <= TORQUE_STEP_NM_MS * (1 + 1e-9)
        assert figures.force_n < 1.2 * max(figures.force_before_n, 20.0)
