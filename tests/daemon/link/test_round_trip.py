"""A slow network shows, although its late commands are dropped."""

import math
from uuid import UUID

import pytest

from robot_rl.daemon.control.arm_watch import ArmCondition
from robot_rl.daemon.control.authority import Authority
from robot_rl.schema import live
from robot_rl.schema.message import new_id
from safety import lease as leases
from safety.modes import ModeState

MS = 1_000_000
PERSON = UUID(int=7)


@pytest.fixture
def authority() -> Authority:
    found = Authority(ModeState(), resumes=True)
    request = live.AcquireLease(request_id=new_id())
    found.request(live.FromClient(client_id=PERSON, user="ada", message=request), 0, ArmCondition())
    assert found.lease.holder == str(PERSON)
    return found


def hear(authority: Authority, *, sequence: int, age_ms: int) -> leases.Admission:
    now_ns = 1000 * MS
    return authority.hear(
        PERSON,
        epoch=authority.lease.epoch,
        sequence=sequence,
        echoed_ns=now_ns - age_ms * MS,
        now_ns=now_ns,
    )


@pytest.mark.parametrize(
    ("age_ms", "band"),
    [
        (60, leases.Band.NORMAL),
        (150, leases.Band.AMBER),
        (250, leases.Band.SPEED_CAPPED),
        (400, leases.Band.NO_TAKEOVER),
    ],
)
def test_every_band_can_be_reached(authority: Authority, age_ms: int, band: leases.Band) -> None:
    admission = hear(authority, sequence=1, age_ms=age_ms)
    assert (admission is leases.Admission.ACCEPTED) == (age_ms <= 100)
    assert authority.round_trip_s == pytest.approx(age_ms * 1e-3)
    assert leases.band(authority.round_trip_s) is band


def test_somebody_elses_command_measures_nothing(authority: Authority) -> None:
    authority.hear(UUID(int=8), epoch=authority.lease.epoch, sequence=1, echoed_ns=0, now_ns=MS)
    assert math.isnan(authority.round_trip_s)
