"""The scripted operator as a client: it asks once, and waits until it sees what became of it."""

from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID, uuid4

import numpy as np
import pytest

from robot_rl.rehearsal import pilot as pilot_module
from robot_rl.rehearsal.client import LiveLost, Seen
from robot_rl.rehearsal.lift_cube import LiftCubeExpert
from robot_rl.rehearsal.operator import OperatorSettings
from robot_rl.rehearsal.pilot import EpisodePlan, Pilot
from robot_rl.schema.episode import Purpose
from robot_rl.schema.live.client_message import ConfirmReset
from robot_rl.schema.live.client_update import TrainingStatus
from robot_rl.schema.live.robot_message import CommandResult, SimulatorTruth, TruthObject
from robot_rl.schema.live.telemetry import EpisodeStage
from robot_rl.schema.policy import LearnerProgress
from robot_rl.schema.transition import RewardSource
from safety.vocabulary import Mode
from tests.server.live_sockets import telemetry

MS = 1_000_000


class Robot:
    """Stands in for the live connection: it keeps what was asked, and says what the test says."""

    def __init__(self) -> None:
        self.id = uuid4()
        self.seen = Seen(welcome=cast(Any, SimpleNamespace(client_id=self.id)))
        self.seen.truth = SimulatorTruth(
            t_ns=0,
            objects=(
                TruthObject(
                    name="cube", position_m=(0.4, 0.1, 0.02), quaternion_wxyz=(1.0, 0.0, 0.0, 0.0)
                ),
            ),
            success=False,
            progress=0.0,
            reset_count=1,
        )
        self.asked: list[str] = []
        self.labels: list[object] = []
        self.dead_man: list[bool] = []

    def succeeds(self) -> None:
        truth = self.seen.truth
        assert truth is not None
        self.seen.truth = truth.model_copy(update={"success": True})

    def shows(self, t_ms: int, mode: Mode, stage: EpisodeStage = EpisodeStage.RUNNING) -> None:
        plain = telemetry(t_ms * MS)
        lease = plain.lease.model_copy(update={"client_id": self.id})
        episode = plain.episode.model_copy(update={"stage": stage})
        self.seen.telemetry = plain.model_copy(
            update={"mode": mode, "lease": lease, "episode": episode}
        )

    def accepts(self, request: UUID, t_ms: int) -> None:
        self.seen.answers[request] = CommandResult(
            request_id=request,
            client_id=self.id,
            command=self.asked[-1],
            accepted=True,
            reason="",
            t_ns=t_ms * MS,
        )

    def post(self, kind: type[Any], **what: object) -> UUID:
        self.asked.append(kind.__name__)
        self.labels += [what["outcome"]] if "outcome" in what else []
        self.request = uuid4()
        return self.request

    def answer(self, request_id: UUID) -> CommandResult | None:
        return self.seen.answers.pop(request_id, None)

    def drive(self, *, deadman: bool, **_what: object) -> None:
        self.dead_man.append(deadman)


class Learning(Robot):
    """A robot that is silent for as many minutes as its learner is learning offline."""

    def __init__(self, minutes: int, *, heard: bool) -> None:
        super().__init__()
        self.minutes, self.heard, self.clock_s = minutes, heard, 0.0

    def pump(self, _timeout_s: float) -> None:
        self.clock_s += 60.0
        self.minutes -= 1
        if self.minutes <= 0:
            self.shows(1000, Mode.IDLE)
        elif self.heard:
            self.seen.training = TrainingStatus(
                progress=LearnerProgress(
                    task="lift_cube",
                    feed_cursor=0,
                    env_steps=0,
                    learner_step=0,
                    steps_per_s=0.0,
                    demonstration_steps=50,
                    replay_steps=0,
                    losses={"clone": float(self.minutes)},
                    version=1,
                    offline=True,
                    paused=True,
                ),
                versions=(),
            )


def pilot_of(
    robot: Robot, purpose: Purpose, *, lockstep: bool, reward: RewardSource = "simulator"
) -> Pilot:
    """In the middle of an episode."""
    pilot = Pilot(
        lambda: cast(Any, robot),
        LiftCubeExpert(step_m=np.full(3, 0.025)),
        OperatorSettings(noise=0.0),
        lockstep=lockstep,
        seed=0,
        reward=reward,
    )
    pilot._plan = EpisodePlan(purpose=purpose, seed=0)
    pilot._started = pilot._placed = True
    return pilot


@pytest.mark.parametrize("heard", [True, False])
def test_it_waits_for_what_the_learner_learns_offline(
    heard: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    robot = Learning(minutes=10, heard=heard)
    monkeypatch.setattr(pilot_module, "time", SimpleNamespace(monotonic=lambda: robot.clock_s))
    pilot = pilot_of(robot, Purpose.TRAINING, lockstep=False)
    if heard:
        pilot.join()
        assert robot.seen.telemetry is not None
    else:
        with pytest.raises(LiveLost, match="no telemetry within 180 s"):
            pilot.join()


@pytest.mark.parametrize("heard", [True, False])
def test_an_episode_waits_for_what_the_learner_learns_offline(
    heard: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In lock-step the robot is heard before it may move, and an offline stage takes minutes."""
    robot = Learning(minutes=10, heard=heard)
    monkeypatch.setattr(
        pilot_module,
        "time",
        SimpleNamespace(monotonic=lambda: robot.clock_s, sleep=lambda _s: None),
    )
    pilot = pilot_of(robot, Purpose.TRAINING, lockstep=True)
    monkeypatch.setattr(pilot, "_done", lambda: robot.minutes <= 0)
    monkeypatch.setattr(pilot, "_live", lambda: robot.pump(0.0))
    plan = EpisodePlan(purpose=Purpose.TRAINING, seed=0)
    if heard:
        pilot.run(plan)
        assert pilot.tally.episodes == 1
    else:
        with pytest.raises(LiveLost, match="not moved on for 120 s"):
            pilot.run(plan)


def test_turns_are_left_out_only_where_nothing_could_be_done() -> None:
    """Wherever the operator may take over it looks in every turn."""

    def rests(purpose: Purpose, mode: Mode, stage: EpisodeStage) -> bool:
        robot = Robot()
        robot.shows(1000, mode, stage)
        pilot = pilot_of(robot, purpose, lockstep=True)
        free = pilot._rests()
        pilot._ask(ConfirmReset)
        assert not pilot._rests(), "it waits for an answer"
        return free

    running, home = EpisodeStage.RUNNING, EpisodeStage.RESETTING
    assert rests(Purpose.EVALUATION, Mode.AUTONOMOUS, running)
    assert rests(Purpose.TRAINING, Mode.RESETTING, home)
    assert not rests(Purpose.TRAINING, Mode.AUTONOMOUS, running)
    assert not rests(Purpose.DEMONSTRATION, Mode.AUTONOMOUS, running)
    assert not rests(Purpose.EVALUATION, Mode.PAUSED, running)
    assert not rests(Purpose.TRAINING, Mode.IDLE, home)
    assert not rests(Purpose.EVALUATION, Mode.IDLE, EpisodeStage.AWAIT_LABEL)


def test_a_takeover_that_telemetry_does_not_show_yet_is_not_asked_for_again() -> None:
    """Telemetry is slower than turns, and a refusal made it let go of the dead-man."""
    robot = Robot()
    pilot = pilot_of(robot, Purpose.DEMONSTRATION, lockstep=False)
    pilot._mind = type(pilot._mind)(demonstrating=True)

    def turn() -> None:
        pilot._turn()

    robot.shows(100, Mode.IDLE)
    turn()
    assert robot.asked == ["Takeover"]
    robot.accepts(robot.request, 112)
    turn()
    turn()
    assert robot.asked == ["Takeover"], "the newest telemetry is from before the answer"
    robot.shows(150, Mode.TAKEOVER)
    turn()
    assert robot.asked == ["Takeover"]
    assert all(robot.dead_man[1:])


@pytest.mark.parametrize("helped", [True, False])
def test_who_only_looks_on_takes_nothing_over(helped: bool) -> None:
    robot = Robot()
    pilot = pilot_of(robot, Purpose.TRAINING, lockstep=True, reward="operator")
    pilot._plan = EpisodePlan(purpose=Purpose.TRAINING, seed=0, helped=helped)
    for t_ms in range(1000, 6000, 50):
        robot.shows(t_ms, Mode.AUTONOMOUS)
        pilot._turn()
    assert robot.asked == (["Takeover"] if helped else [])


@pytest.mark.parametrize("purpose", [Purpose.TRAINING, Purpose.EVALUATION])
def test_it_lets_a_robot_go_on_that_went_back_unless_it_only_watches(purpose: Purpose) -> None:
    robot = Robot()
    pilot = pilot_of(robot, purpose, lockstep=True)
    asks = ["Resume"] if purpose is Purpose.TRAINING else []
    for t_ms, mode in ((50, Mode.PAUSED), (100, Mode.REWINDING), (150, Mode.PAUSED)):
        assert robot.asked == []
        robot.shows(t_ms, mode)
        pilot._turn()
    assert robot.asked == asks
    if asks:
        robot.accepts(robot.request, 170)
        pilot._turn()
    assert robot.asked == asks, "the newest telemetry is from before the answer"
    for t_ms, mode in ((200, Mode.AUTONOMOUS), (250, Mode.PAUSED)):
        robot.shows(t_ms, mode)
        pilot._turn()
    assert robot.asked == asks, "another pause is somebody else's"


@pytest.mark.parametrize(
    ("reward", "purpose", "judges"),
    [
        ("operator", Purpose.EVALUATION, True),
        ("operator", Purpose.TRAINING, True),
        ("simulator", Purpose.EVALUATION, False),
        ("classifier", Purpose.EVALUATION, True),
        ("classifier", Purpose.TRAINING, False),
    ],
)
def test_who_judges_ends_what_is_done_once_and_lets_go(
    reward: RewardSource, purpose: Purpose, judges: bool
) -> None:
    """Else the simulator does, or the classifier, and the person has nothing to say: of the latter
    only in what trains nothing.
    """
    robot = Robot()
    pilot = pilot_of(robot, purpose, lockstep=True, reward=reward)
    for t_ms in range(1000, 2000, 50):
        robot.shows(t_ms, Mode.AUTONOMOUS)
        if purpose is Purpose.EVALUATION:
            assert pilot._rests() is (reward == "simulator"), "a person who rests sees it late"
        if t_ms >= 1200:
            robot.succeeds()
        pilot._turn()
        if t_ms == 1450:
            assert not robot.asked
        if robot.asked and pilot._pending is not None:
            robot.accepts(robot.request, t_ms)
    assert robot.asked == (["Label"] if judges else [])
    assert robot.labels == (["success"] if judges else [])
    assert not any(robot.dead_man)
