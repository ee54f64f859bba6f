"""Stops, the end of the software, resets and requests, as the actor keeps and answers them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from robot_rl.config.task import Reward
from robot_rl.daemon import messages
from robot_rl.daemon.control.authority import Authority, Running
from robot_rl.schema.episode import (
    EpisodeEnded,
    EpisodeStarted,
    InterventionEnded,
    Outcome,
    ResetEnded,
    SafetyEvent,
)
from robot_rl.schema.live.client_message import BeginReset, ConfirmReset, Label, StartEpisode
from robot_rl.schema.message import new_id
from safety.modes import ModeState
from safety.vocabulary import LATCHED, Mode
from tests.daemon.actor.rig import SEED, Rig, of, steps_of

STOPPED = "Stopped by the supervisor, because control ended unexpectedly (signal SIGKILL)."


@pytest.fixture
def rig(tmp_path: Path, seed: int) -> Iterator[Rig]:
    rig = Rig(tmp_path, seed, max_steps=6)
    yield rig
    rig.outbox.close()


def ends(rig: Rig) -> list[messages.EndMotion]:
    return of(messages.EndMotion, rig.intents())


# ---- control started again: it says STOPPED ------------------------------------------------------


def test_an_episode_whose_control_was_restarted_is_aborted(rig: Rig) -> None:
    rig.start()
    rig.run(2)
    rig.mode("stopped", tell=STOPPED)
    rig.run(14)
    assert rig.stage == "ready"
    contents = rig.recorded()
    (ended,) = of(EpisodeEnded, contents)
    assert (ended.outcome, ended.labeller, ended.cause) == (Outcome.ABORTED, "robot", STOPPED)
    (stopped,) = of(SafetyEvent, contents)
    assert (stopped.code, stopped.episode_id) == ("stop", ended.episode_id)
    assert rig.ask(StartEpisode).accepted is False


@pytest.mark.parametrize("latched", ["stopped", "fault"])
def test_a_latch_that_stands_when_the_software_starts_is_no_new_event(
    rig: Rig, latched: str
) -> None:
    rig.mode(latched)
    rig.restart()
    for _ in range(2):  # control starts with the latch, and is started again
        rig.mode(latched, tell=STOPPED, previous=latched)
        rig.run(1)
    assert not of(SafetyEvent, rig.recorded())
    assert not rig.said.sentences


def test_a_control_that_comes_back_stopped_is_told_once_and_ends_the_episode(
    rig: Rig,
) -> None:
    rig.start()
    rig.run(2)
    for _ in range(2):
        rig.mode("stopped", tell=STOPPED, previous="stopped")
        rig.run(7)
    contents = rig.recorded()
    (ended,) = of(EpisodeEnded, contents)
    (stopped,) = of(SafetyEvent, contents)
    assert (ended.outcome, ended.cause) == (Outcome.ABORTED, STOPPED)
    assert (stopped.code, stopped.cause, stopped.episode_id) == ("stop", STOPPED, ended.episode_id)


@pytest.mark.parametrize("leg", ["home", "place", "start"])
def test_a_reset_whose_control_was_restarted_does_not_hang(rig: Rig, leg: str) -> None:
    assert rig.ask(BeginReset, seed=SEED).accepted
    if leg != "home":
        rig.happens(messages.HomeReached(t_ns=0))
        rig.run(1)
        assert rig.ask(ConfirmReset).accepted
    if leg == "start":
        rig.place()
        rig.run(1)
    assert rig.stage == "resetting"
    rig.mode("stopped", tell=STOPPED)
    rig.run(1)
    assert rig.stage == "ready"
    if leg == "place":
        rig.place()  # too late: that reset is over
        rig.run(1)
    rig.mode("idle")
    refused = rig.ask(StartEpisode)
    assert "has not been reset" in refused.reason
    assert not of(ResetEnded, rig.recorded())
    rig.reset()
    assert rig.ask(StartEpisode).accepted


# ---- the actor started again ---------------------------------------------------------------------


@pytest.mark.parametrize("mode", list(Mode))
def test_a_restarted_actor_leaves_no_episode_to_return_to(rig: Rig, mode: Mode) -> None:
    rig.start()
    rig.run(1)
    before = rig.intents()
    rig.mode(mode)
    rig.restart()
    control = Authority(ModeState(), resumes=True)
    for intent in before:
        control.intent(intent, 0)
    assert (control.running, control.mode.mode) == (Running.EPISODE, Mode.AUTONOMOUS)
    control.machine.state = ModeState(mode=mode, epoch=control.mode.epoch)
    for intent in rig.intents():
        control.intent(intent, 0)
    assert control.running is Running.NOTHING
    assert control.mode.mode is (mode if mode in LATCHED else Mode.IDLE)


# ---- SIGTERM -------------------------------------------------------------------------------------


def test_the_end_of_the_software_closes_the_running_episode(rig: Rig) -> None:
    rig.start()
    rig.run(3)
    rig.intents()
    rig.end()
    assert ends(rig), "nothing moves any more"
    contents = rig.recorded()
    (ended,) = of(EpisodeEnded, contents)
    assert (ended.outcome, ended.labeller) == (Outcome.ABORTED, "robot")
    steps = steps_of(contents)
    assert (ended.steps, len(steps), ended.complete) == (2, 3, True)
    assert [step.executed_action is None for step in steps] == [False, False, True]
    assert [step.truncated for step in steps] == [False, False, True]
    assert not any(step.terminated for step in steps)
    assert contents[-1] is ended


def test_it_ends_an_intervention_with_the_episode(rig: Rig) -> None:
    rig.start()
    rig.run(1)
    intervention = new_id()
    rig.takes_over(intervention)
    rig.run(3)
    rig.end()
    contents = rig.recorded()
    (over,) = of(InterventionEnded, contents)
    (ended,) = of(EpisodeEnded, contents)
    assert over.intervention_id == intervention
    assert ended.human_steps >= 1
    assert contents.index(over) < contents.index(ended)


def test_the_end_before_anything_was_seen_leaves_an_incomplete_episode(rig: Rig) -> None:
    rig.start()
    rig.end()
    contents = rig.recorded()
    (ended,) = of(EpisodeEnded, contents)
    assert (ended.outcome, ended.steps, ended.complete) == (Outcome.ABORTED, 0, False)
    assert not steps_of(contents)


def test_the_end_drives_nowhere_even_when_the_episode_had_just_ended(rig: Rig) -> None:
    rig.start()
    rig.run(3)
    assert rig.ask(Label, outcome="success").accepted
    rig.intents()
    rig.end()
    intents = rig.intents()
    assert not of(messages.GoHome, intents)
    assert isinstance(intents[-1], messages.EndMotion)
    (ended,) = of(EpisodeEnded, rig.recorded())
    assert (ended.outcome, ended.labeller) == (Outcome.SUCCESS, "ada")


def test_an_episode_that_waited_for_its_label_is_kept_whole(tmp_path: Path, seed: int) -> None:
    rig = Rig(tmp_path, seed, max_steps=6, reward=Reward(source="operator"))
    rig.start()
    rig.run(8)
    assert rig.stage == "await_label"
    rig.end()
    contents = rig.recorded()
    (ended,) = of(EpisodeEnded, contents)
    assert (ended.outcome, ended.complete, ended.steps) == (Outcome.ABORTED, True, 6)
    assert ended.cause.startswith("The limit of 6 steps was reached.")
    rig.outbox.close()


def test_the_end_of_a_reset_and_of_nothing(rig: Rig) -> None:
    assert rig.ask(BeginReset, seed=SEED).accepted
    rig.intents()
    rig.end()
    assert ends(rig)
    assert not rig.recorded()


# ---- resets --------------------------------------------------------------------------------------


def test_a_reset_is_told_with_what_it_cleared_and_who_confirmed(rig: Rig) -> None:
    rig.start()
    rig.run(10)
    assert rig.stage == "resetting"
    rig.reset()
    contents = rig.recorded()
    (started,) = of(EpisodeStarted, contents)
    (reset,) = of(ResetEnded, contents)
    assert (reset.episode_id, reset.by) == (started.episode_id, "ada")
    assert reset.started_t_utc < reset.ended_t_utc
    rig.reset()
    (reset,) = of(ResetEnded, rig.recorded())
    assert (reset.episode_id, reset.seed) == (None, SEED), "nothing lay there to clear away"


def test_a_reset_that_does_not_come_home_says_so(rig: Rig) -> None:
    assert rig.ask(BeginReset, seed=SEED).accepted
    rig.happens(messages.HomeMissed(why="The arm is 80 mm away; look what is in its way.", t_ns=1))
    rig.run(1)
    assert rig.stage == "ready"
    contents = rig.recorded()
    (event,) = of(SafetyEvent, contents)
    assert (event.code, event.by) == ("reset", "robot")
    assert "80 mm away" in event.cause
    assert not of(ResetEnded, contents)


# ---- requests ------------------------------------------------------------------------------------


def test_an_old_request_to_move_is_refused_and_an_old_label_is_not(rig: Rig) -> None:
    rig.clock.t_ns *= 10
    for kind in (StartEpisode, BeginReset, ConfirmReset):
        refused = rig.ask(kind, age_ms=2001)
        assert not refused.accepted
        assert "last 2 s" in refused.reason
    assert rig.stage == "ready"
    rig.sense(rig.clock.t_ns)
    rig.start(age_ms=1999)
    rig.run(2)
    assert rig.ask(Label, age_ms=8_000, outcome="failure").accepted


@pytest.mark.parametrize("ended", [False, True])
@pytest.mark.parametrize("why", ["late", "lease", "latched", "halted"])
def test_a_label_that_may_move_nothing_is_recorded_and_moves_nothing(
    tmp_path: Path, seed: int, ended: bool, why: str
) -> None:
    """It is from seconds ago, from somebody without the lease, or the robot was halted since."""
    rig = Rig(tmp_path, seed, max_steps=6, reward=Reward(source="operator"))
    rig.clock.t_ns *= 10
    rig.sense(rig.clock.t_ns)
    rig.start()
    rig.run(8 if ended else 3)
    assert rig.stage == ("await_label" if ended else "running")
    age_ms = 0
    match why:
        case "late":
            age_ms = 2001
        case "lease":
            rig.mode("idle" if ended else "autonomous", holder=new_id())
        case "latched":
            rig.mode("stopped")
        case _ if ended:  # stopped and cleared, while the episode waited
            rig.mode("stopped", tell=STOPPED)
            rig.run(1)
            rig.mode("idle")
    rig.intents()
    answer = rig.ask(Label, age_ms=age_ms, outcome="failure")
    assert answer.accepted, answer.reason
    if why == "halted" and not ended:  # after the label, before the last record
        rig.mode("stopped", tell=STOPPED)
        rig.loop.actor.attend(rig.clock.t_ns)
        rig.mode("idle")
    rig.run(3)
    assert not of(messages.GoHome, rig.intents())
    assert rig.stage == "ready"
    (told,) = of(EpisodeEnded, rig.recorded())
    assert (told.outcome, told.labeller) == (Outcome.FAILURE, "ada")
    assert rig.loop.actor.state.placed_seed is None  # a reset has to be asked for
    rig.outbox.close()


@pytest.mark.parametrize("ended", [False, True])
def test_a_timely_label_of_who_may_move_the_robot_drives_it_home(
    tmp_path: Path, seed: int, ended: bool
) -> None:
    rig = Rig(tmp_path, seed, max_steps=6, reward=Reward(source="operator"))
    rig.start()
    rig.run(8 if ended else 3)
    assert rig.ask(Label, outcome="failure").accepted
    rig.run(3)
    assert of(messages.GoHome, rig.intents())
    assert rig.stage == "resetting"
    rig.outbox.close()
