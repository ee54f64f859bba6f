"""Rewinding in control: who and what begins it, what is recorded, how it ends."""

from dataclasses import replace
from typing import Any
from uuid import UUID

import numpy as np
import pytest

from robot_rl.config.rewind import RewindSection
from robot_rl.daemon import messages
from robot_rl.daemon.control.rewinding import NOTHING
from robot_rl.daemon.request_age import too_late
from robot_rl.schema.live.client_message import (
    AcquireLease,
    EndTakeover,
    Pause,
    Request,
    Resume,
    Rewind,
    Stop,
    Takeover,
)
from safety.vocabulary import Limit
from tests.daemon.control.stand import MS, START, ControlStand
from tests.daemon.control.test_commanded import STEP_NS
from tests.daemon.control.test_risk import judged

BOB = UUID(int=2)
FORWARD = (0.4, 0.2, 0.0, 0.0, 0.0, 0.0, 0.0)


class FollowingStand(ControlStand):
    """Its arm is where its reference was a tick ago."""

    def tick(self, *requests: Any, **seen: Any) -> Any:
        done = super().tick(*requests, **seen)
        gate = self.controller.channels[0].gate
        before_m = (self.arm or START).position_m
        twist = np.concatenate([(gate.position_m - before_m) / 0.005, np.zeros(3)])
        self.measure(
            position_m=gate.position_m.copy(),
            quaternion_wxyz=self.quaternion_length * gate.quaternion,
            twist=twist,
        )
        self.results += done.step_results
        self.events += done.out.events
        return done

    def __init__(self, **settings: Any) -> None:
        self.results: list[Any] = []
        self.events: list[Any] = []
        self.quaternion_length = 1.0  # as measured
        super().__init__(**settings)

    @property
    def here_m(self) -> np.ndarray:
        return self.controller.channels[0].gate.position_m.copy()

    def follow_policy(self, steps: int, *, risk: float = 0.1, begin: int = 1) -> None:
        for number in range(begin, begin + steps):
            chunk: Any = judged(self, number, risk, 0.5)
            chunk["actions"][0] = FORWARD
            self.tick(chunk=chunk)
            self.run(STEP_NS // MS - 5)

    def asked(self, kind: type[Request] = Rewind) -> str:
        """What is answered; nothing: it is done."""
        answer = self.answer(self.ask(kind))
        assert answer is not None
        return answer.reason

    def set(self, **rewind: Any) -> None:
        self.controller.authority.rewinding.settings = RewindSection(**rewind)


@pytest.fixture
def stand() -> FollowingStand:
    """The policy has driven 0.16 m."""
    stand = FollowingStand()
    stand.begin_autonomy()
    stand.follow_policy(16)
    assert np.linalg.norm(stand.here_m - START.position_m) > 0.15
    return stand


def finish(stand: FollowingStand) -> None:
    for _ in range(1000):
        stand.tick()
        if stand.mode != "rewinding":
            return
    raise AssertionError(stand.cause)


def sources(stand: FollowingStand) -> list[bytes]:
    return [bytes(each["source"]) for each in stand.results]


def test_on_request_it_goes_back_the_way_it_came_and_is_paused(stand: FollowingStand) -> None:
    farthest_m, stand.results = stand.here_m, []
    assert stand.asked() == ""
    assert (stand.mode, stand.cause) == ("rewinding", "Rewinds: asked for by ada.")
    finish(stand)
    assert stand.mode == "paused"
    assert stand.cause.startswith("Went back by 1")
    assert stand.cause.endswith("asked for by ada.")
    back_m = farthest_m - stand.here_m
    assert np.linalg.norm(back_m) == pytest.approx(0.1, abs=0.01)
    np.testing.assert_allclose(back_m[1] / back_m[0], 0.5, atol=0.02)
    stand.run(300)
    assert set(sources(stand)) == {b"policy", b"rewind", b"hold"}
    assert not any(each["has_human"] for each in stand.results)


def test_what_it_did_is_recorded_as_asked_for_and_done(stand: FollowingStand) -> None:
    stand.run(400)  # the policy's last window is over
    stand.results = []
    begin_m = stand.here_m
    stand.asked()
    finish(stand)
    stand.run(200)
    executed = np.sum([each["executed"] for each in stand.results], axis=0)
    np.testing.assert_allclose(executed[:3] * 0.025, stand.here_m - begin_m, atol=2e-3)
    for each in stand.results:
        if bytes(each["source"]) == b"rewind":
            np.testing.assert_allclose(each["commanded"], each["executed"], atol=0.02)


def test_asked_again_it_goes_on_back_to_where_it_began_and_no_further(
    stand: FollowingStand,
) -> None:
    for _ in range(2):
        assert stand.asked() == ""
        finish(stand)
    assert np.linalg.norm(stand.here_m - START.position_m) < 0.005
    assert stand.asked() == NOTHING
    assert stand.mode == "paused"


def test_a_person_resumes_and_nothing_else_does(stand: FollowingStand) -> None:
    stand.asked()
    finish(stand)
    stand.run(2000)
    assert stand.mode == "paused"
    assert stand.asked(Resume) == ""
    assert stand.mode == "autonomous"


def test_where_it_is_refused(stand: FollowingStand) -> None:
    stand.asked(AcquireLease)
    stand.client = BOB
    assert stand.asked() == "ada holds the lease; only ada may rewind."
    stand.client = UUID(int=1)
    stand.tick(intents=[messages.EndMotion(reason="over")])
    assert stand.asked() == (
        "A rewind begins from autonomous, takeover or paused; the robot is idle."
    )
    stand.begin_autonomy()
    assert stand.asked() == NOTHING, "what was before idle is forgotten"
    stand.asked(Stop)
    assert "Clear it first" in stand.asked()


def test_a_request_that_comes_late_is_not_carried_out() -> None:
    assert too_late(Rewind(request_id=UUID(int=9), echo_t_ns=1), 60_000 * MS) is not None


@pytest.mark.parametrize(
    ("kind", "mode"), [(Stop, "stopped"), (Pause, "paused")], ids=["stop", "pause"]
)
def test_it_is_interrupted_like_any_motion(
    stand: FollowingStand, kind: type[Request], mode: str
) -> None:
    stand.asked()
    stand.run(600)
    stand.ask(kind)
    assert stand.mode == mode
    stand.run(300)
    rests_m = stand.here_m
    stand.run(500)
    np.testing.assert_allclose(stand.here_m, rests_m, atol=1e-6)
    if mode == "paused":  # and goes on from there
        assert stand.asked() == ""
        finish(stand)
        assert rests_m[0] - stand.here_m[0] > 0.03


def test_one_that_is_interrupted_and_asked_for_anew_in_one_tick_goes_on(
    stand: FollowingStand,
) -> None:
    stand.asked()
    stand.run(600)
    stand.tick(
        Pause(request_id=UUID(int=8)),
        Rewind(request_id=UUID(int=9), echo_t_ns=stand.now_ns),
    )
    assert stand.mode == "rewinding"
    finish(stand)
    assert stand.cause.startswith("Went back by ")


def test_a_measurement_that_is_no_number_is_ridden_out(stand: FollowingStand) -> None:
    """Also where it comes in the very tick in which the arm would set off, and later."""
    stand.asked(Pause)
    stand.run(300)
    asked: tuple[Request, ...] = (Rewind(request_id=UUID(int=9), echo_t_ns=stand.now_ns),)
    for _ in range(100):
        known = stand.arm or START
        stand.arm = replace(known, position_m=np.full(3, np.nan), twist=np.full(6, np.nan))
        ControlStand.tick(stand, *asked)  # pyright: ignore[reportArgumentType]
        asked = ()
        stand.arm = known
        stand.tick()
        stand.tick()
    finish(stand)
    assert stand.cause.startswith("Went back by 1"), stand.cause


def drive_by_hand(stand: ControlStand) -> None:
    stand.ask(AcquireLease)
    stand.drive_for(40, dead_man=False)
    stand.ask(Takeover, device="keyboard")
    stand.drive_for(60, dead_man=True)
    assert stand.mode == "takeover"


def test_the_driver_may_ask_and_the_intervention_is_over(stand: FollowingStand) -> None:
    drive_by_hand(stand)
    stand.drive_for(400, dead_man=True, axes=(0.0, 0.0, 0.5, 0.0, 0.0, 0.0))
    up_m = stand.here_m[2]
    assert stand.asked() == ""
    over = [each for each in stand.events if isinstance(each, messages.InterventionOver)]
    assert [each.why for each in over] == ["rewind"]
    finish(stand)
    assert stand.here_m[2] < up_m - 0.02, "a person's motion is gone back too"


def test_a_person_may_take_over_from_it(stand: FollowingStand) -> None:
    stand.asked()
    stand.run(500)
    drive_by_hand(stand)
    assert stand.asked(EndTakeover) == ""


def test_how_long_it_went_back_is_no_motion_of_the_way_that_is_left(stand: FollowingStand) -> None:
    """A person takes over half way, moves a little and asks again."""
    stand.set(speed_m_s=0.015)
    assert stand.asked() == ""
    stand.run(4000)
    drive_by_hand(stand)
    stand.drive_for(300, dead_man=True, axes=(0.0, 0.0, 0.5, 0.0, 0.0, 0.0))
    here_m = stand.here_m
    assert 0.03 < np.linalg.norm(here_m - START.position_m) < 0.15
    stand.set(speed_m_s=0.05)
    assert stand.asked() == ""
    finish(stand)
    assert np.linalg.norm(here_m[:2] - stand.here_m[:2]) > 0.06, stand.cause


def test_an_arm_that_stands_leaves_no_trail_whatever_the_length_of_its_quaternion() -> None:
    """A measured one of nearly unit length is usable."""
    stand = FollowingStand()
    stand.quaternion_length = 1.0 - 2e-4
    stand.begin_autonomy()
    stand.follow_policy(16)
    stand.run(1000)
    here_m = stand.here_m
    assert stand.asked() == ""
    finish(stand)
    assert np.linalg.norm(here_m - stand.here_m) == pytest.approx(0.1, abs=0.01), stand.cause


# ---- an alarm ------------------------------------------------------------------------------------


def held_back(stand: FollowingStand, *, steps: int = 8) -> None:
    """Every action is too risky."""
    stand.follow_policy(steps, risk=0.9, begin=100)


@pytest.mark.parametrize(("on_alarm", "mode"), [("rewind", "paused"), ("hold", "autonomous")])
def test_a_critic_that_holds_every_action_back_is_an_alarm(
    stand: FollowingStand, on_alarm: str, mode: str
) -> None:
    stand.set(on_alarm=on_alarm)
    held_back(stand, steps=4)
    assert stand.mode == "autonomous", "not at once"
    held_back(stand, steps=22)
    assert stand.mode == mode
    changes = [each for each in stand.events if isinstance(each, messages.ModeChanged)]
    rewinds = [each for each in changes if each.mode == "rewinding"]
    assert [each.cause for each in rewinds] == (
        ["Rewinds: every action of the policy was too risky."] if mode == "paused" else []
    )
    assert (b"rewind" in sources(stand)) == (mode == "paused")


def test_one_action_that_is_not_held_back_begins_the_count_anew(stand: FollowingStand) -> None:
    stand.set(on_alarm="rewind")
    for _ in range(3):
        held_back(stand, steps=4)
        stand.follow_policy(1, begin=200)
    assert stand.mode == "autonomous"


def pressing(stand: FollowingStand, force_n: float, ticks: int) -> None:
    stand.measure(wrench=np.array([0.0, 0.0, force_n, 0.0, 0.0, 0.0]))
    stand.run(5 * ticks)


@pytest.fixture
def watched(stand: FollowingStand) -> FollowingStand:
    """A force beyond 20 N is unsafe."""
    stand.set(on_alarm="rewind")
    channel = stand.controller.channels[0]
    channel.settings = replace(channel.settings, unsafe_force_n=20.0)
    return stand


def test_a_force_that_lasts_is_an_alarm_and_one_that_does_not_is_none(
    watched: FollowingStand,
) -> None:
    pressing(watched, 25.0, 3)
    pressing(watched, 5.0, 3)
    pressing(watched, 19.0, 20)
    assert watched.mode == "autonomous"
    pressing(watched, 25.0, 8)
    assert (watched.mode, watched.cause) == (
        "rewinding", "Rewinds: the contact force was beyond 20 N.",
    )  # fmt: skip
    pressing(watched, 0.0, 1)
    finish(watched)
    assert watched.mode == "paused"


def test_it_ends_where_it_presses_on_something_else(watched: FollowingStand) -> None:
    assert watched.asked() == ""
    watched.run(600)
    pressing(watched, 30.0, 8)
    assert watched.mode == "paused"
    assert watched.cause.startswith("Pressed on something after ")


def test_an_alarm_with_nothing_behind_it_pauses(watched: FollowingStand) -> None:
    watched.tick(intents=[messages.EndMotion(reason="over")])
    watched.run(200)
    watched.begin_autonomy()
    pressing(watched, 30.0, 8)
    assert watched.mode == "paused"
    assert watched.cause == (
        "Paused: the contact force was beyond 20 N, and there is nothing to retrace."
    )


def test_a_force_that_only_the_driver_calls_too_large_is_an_alarm_without_a_number(
    stand: FollowingStand,
) -> None:
    stand.set(on_alarm="rewind")
    stand.measure(limits=int(Limit.FORCE))
    stand.run(40)
    assert (stand.mode, stand.cause) == (
        "rewinding", "Rewinds: the contact force was too large.",
    )  # fmt: skip


def test_while_a_person_drives_no_alarm_begins_it(watched: FollowingStand) -> None:
    drive_by_hand(watched)
    watched.measure(wrench=np.array([0.0, 0.0, 30.0, 0.0, 0.0, 0.0]))
    watched.drive_for(200, dead_man=True)
    assert watched.mode == "takeover"


def test_an_arm_that_cannot_follow_is_told_of(stand: FollowingStand) -> None:
    """Its measurements stay where it is."""
    assert stand.asked() == ""
    stand.run(400)
    blocked = stand.arm
    for _ in range(1500):
        ControlStand.tick(stand)
        stand.arm = blocked
    assert stand.mode == "paused"
    assert stand.cause.startswith("Blocked after ")
