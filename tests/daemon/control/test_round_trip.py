"""Driving over a network with a delay, on virtual time: age decides the speed, silence the hold."""

import heapq
import math
from uuid import UUID, uuid4

import numpy as np
import pytest

from robot_rl.daemon.control.authority import Authority
from robot_rl.schema.live.client_message import AcquireLease, Takeover
from safety.faults import FaultCode
from safety.modes import ModeState
from tests.daemon.control.stand import MS, ControlStand

ZERO, FULL = (0.0,) * 6, (0.0, 1.0, 0.0, 0.0, 0.0, 0.0)
ECHO_NS = 20 * MS


class Remote:
    """A page behind a delay in each direction, which answers every echo of the robot's time."""

    def __init__(self, round_trip_ms: int) -> None:
        self.stand = ControlStand()
        self._delay_ns = round_trip_ms * MS // 2
        self._to_page: list[int] = []  # arrival times; what arrives is the time it was sent
        self._to_robot: list[tuple[int, int]] = []  # arrival, echoed robot time
        self.dead_man, self.axes = False, ZERO

    def run(self, duration_ms: int, *, cut: bool = False) -> None:
        """`cut`: what the page sends is lost."""
        stand = self.stand
        for _ in range(duration_ms // 5):
            now_ns = stand.now_ns
            if now_ns % ECHO_NS == 0:
                heapq.heappush(self._to_page, now_ns + self._delay_ns)
            while self._to_page and self._to_page[0] <= now_ns:
                arrived_ns = heapq.heappop(self._to_page)
                if not cut:
                    sent = (arrived_ns + self._delay_ns, arrived_ns - self._delay_ns)
                    heapq.heappush(self._to_robot, sent)
            echoed_ns = None
            while self._to_robot and self._to_robot[0][0] <= now_ns + 5 * MS:
                _, echoed_ns = heapq.heappop(self._to_robot)
            if echoed_ns is None:
                stand.tick()
            else:
                age_ms = (now_ns + 5 * MS - echoed_ns) / MS
                stand.drive(dead_man=self.dead_man, age_ms=age_ms, axes=self.axes)
            gate = stand.controller.channels[0].gate
            stand.measure(position_m=gate.position_m.copy())  # the arm follows

    def take_over(self) -> tuple[bool, str]:
        stand = self.stand
        stand.ask(AcquireLease)
        self.run(600)
        self.dead_man = True
        self.run(400)
        request = Takeover(request_id=uuid4(), echo_t_ns=stand.now_ns, device="keyboard")
        stand.tick(request)
        self.run(600)
        answer = stand.answer(request.request_id)
        assert answer is not None
        return answer.accepted, answer.reason

    def speed_m_s(self) -> float:
        """Of the reference, over 200 ms."""
        gate = self.stand.controller.channels[0].gate
        before_m, began_ns = gate.position_m.copy(), self.stand.now_ns
        self.run(200)
        passed_s = (self.stand.now_ns - began_ns) * 1e-9
        return float(np.linalg.norm(gate.position_m - before_m)) / passed_s


@pytest.mark.parametrize(
    ("round_trip_ms", "share"),
    [(0, 1.0), (60, 1.0), (120, 0.5), (190, 0.5), (200, 0.5), (290, 0.25)],
)
def test_a_person_drives_up_to_290_ms_at_a_speed_that_the_age_allows(
    round_trip_ms: int, share: float
) -> None:
    remote = Remote(round_trip_ms)
    assert remote.take_over() == (True, "")
    remote.axes = FULL
    remote.run(round_trip_ms + 200)
    settings = remote.stand.controller.settings
    full_m_s = settings.remote.speed_m_s * settings.speed_scale
    assert remote.speed_m_s() == pytest.approx(share * full_m_s, rel=0.05)
    assert remote.stand.mode == "takeover"
    assert remote.stand.status["speed_limit"] == pytest.approx(share * full_m_s)
    assert remote.stand.status["round_trip_ms"] == pytest.approx(round_trip_ms, abs=5.1)


def test_at_350_ms_nobody_takes_over_and_the_answer_says_why() -> None:
    accepted, reason = Remote(350).take_over()
    assert not accepted
    assert reason == "The round trip is 350 ms; taking over needs 300 ms or less."


@pytest.mark.parametrize("round_trip_ms", [60, 290])
@pytest.mark.injects(FaultCode.OPERATOR_HALF_OPEN)
def test_silence_decides_the_hold_whatever_the_age(round_trip_ms: int) -> None:
    remote = Remote(round_trip_ms)
    assert remote.take_over()[0]
    remote.run(round_trip_ms // 2, cut=True)  # what is under way still arrives
    assert remote.stand.status["source"] == b"human"
    remote.run(120, cut=True)
    assert remote.stand.status["source"] == b"hold"
    assert remote.stand.mode == "takeover"
    remote.run(420, cut=True)
    assert remote.stand.mode == "paused"
    remote.run(1600, cut=True)
    assert remote.stand.status["lease_holder"] == b""


def test_a_network_that_becomes_too_slow_holds() -> None:
    remote = Remote(120)
    assert remote.take_over()[0]
    remote._delay_ns = 175 * MS
    remote.run(700)
    assert remote.stand.mode == "paused"


def test_somebody_elses_command_measures_nothing() -> None:
    authority = Authority(ModeState(), resumes=True)
    authority.admit_drive(
        UUID(int=8), epoch=0, sequence=1, echoed_ns=0, dead_man=True, arm=0, now_ns=60 * MS
    )
    assert math.isnan(authority.lease.round_trip_s)
