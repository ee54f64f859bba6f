"""Before anybody asks, the actor says whether an episode could start; then it answers the same."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from robot_rl.daemon import messages
from robot_rl.schema.live.client_message import BeginReset, ConfirmReset, StartEpisode
from safety.faults import FaultCode, sentence
from tests.daemon.actor.rig import STEP, Rig


@pytest.fixture
def rig(tmp_path: Path, seed: int) -> Iterator[Rig]:
    rig = Rig(tmp_path, seed, max_steps=6)
    yield rig
    rig.outbox.close()


def says(rig: Rig) -> str:
    return bytes(rig.episode.read()["start_refusal"]).decode()


def test_what_keeps_an_episode_from_starting_is_said_before_anybody_asks(rig: Rig) -> None:
    rig.run(1)
    assert says(rig) == ""
    rig.cameras = {"front"}
    rig.run(12)
    lost = sentence(FaultCode.CAMERA_LOST, camera="wrist")
    assert says(rig) == lost
    assert rig.ask(StartEpisode).reason == lost
    rig.cameras = {"front", "wrist"}
    rig.run(1)
    assert says(rig) == ""
    rig.mode("paused")
    rig.run(1)
    assert says(rig) == "An episode starts from idle; the robot is paused."
    rig.mode("idle")
    rig.start()
    rig.run(1)
    assert (rig.stage, says(rig)) == ("running", "")


def test_a_late_picture_keeps_no_episode_from_starting_and_the_policy_waits_for_it(
    rig: Rig,
) -> None:
    """A person pressed start, and the picture of a busy PC happened to be 0.3 s old."""
    rig.run(1)
    rig.cameras = {"front"}
    rig.run(3)
    assert says(rig) == ""
    rig.start()
    rig.run(2)
    assert int(rig.chunks.read()["count"]) == 0, "it decides nothing on old pictures"
    rig.cameras = {"front", "wrist"}
    rig.run(1)
    assert int(rig.chunks.read()["count"]) > 0


def test_an_arm_that_measures_no_number_is_not_said_to_be_so_many_mm_away(rig: Rig) -> None:
    rig.run(1)
    rig.no_position.add((rig.clock.t_ns // STEP + 1) * STEP)
    rig.run(1)
    why = "The arm's measurements cannot be used: not finite: position_m; see its driver."
    assert says(rig) == why
    assert rig.ask(StartEpisode).reason == why
    assert rig.ask(BeginReset).accepted
    rig.happens(messages.HomeReached(t_ns=rig.clock.t_ns))
    rig.no_position.add((rig.clock.t_ns // STEP + 1) * STEP)
    rig.run(1)
    assert rig.stage == "confirm_reset"
    assert rig.ask(ConfirmReset).reason == why


def test_a_scene_that_was_not_reset_is_told_as_well(rig: Rig) -> None:
    rig.start()
    rig.mode("stopped", tell="stopped by ada")
    rig.run(2)
    rig.mode("idle")
    rig.run(1)
    assert rig.stage == "ready"
    assert "has not been reset" in says(rig)
    assert rig.ask(StartEpisode).reason == says(rig)
