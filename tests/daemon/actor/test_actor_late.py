"""What the actor does about lateness, blind cameras and results that never come."""

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from hardware.memory import Record
from robot_rl.daemon import topics
from robot_rl.daemon.actor.process import nearest
from robot_rl.daemon.control.chunk import ChunkPlan
from robot_rl.daemon.messages import EndMotion
from robot_rl.daemon.outbox.reader import OutboxReader
from robot_rl.learner.columns import Trajectory
from robot_rl.schema.episode import EpisodeEnded, InterventionEnded, Outcome
from robot_rl.schema.message import new_id
from robot_rl.schema.segment import RecordedStep, decode_segment, encode_segment
from safety.faults import FaultCode
from safety.vocabulary import Source
from tests.daemon.actor.rig import DELAY, MS, STEP, Rig, of, steps_of


@pytest.fixture
def rig(tmp_path: Path, seed: int) -> Iterator[Rig]:
    rig = Rig(tmp_path, seed, max_steps=6)
    yield rig
    rig.outbox.close()


@pytest.mark.parametrize(
    ("late_ms", "met"), [(0, 0), (20, 0), (50, 0), (51, 1), (140, 1), (230, 2), (1270, 13)]
)
def test_an_instant_is_met_within_half_a_step_or_not_at_all(late_ms: int, met: int) -> None:
    assert nearest(7 * STEP, 7 * STEP + late_ms * MS, STEP) == (7 + met) * STEP


def test_what_was_slept_through_is_a_hold_without_images_and_the_lag_is_gone(
    rig: Rig,
) -> None:
    rig.start()
    rig.run(2)
    late_ns = (rig.clock.t_ns // STEP + 1) * STEP
    rig.late_ns[late_ns] = 230 * MS
    rig.run(8)
    contents = rig.recorded()
    records = of(RecordedStep, contents)
    steps = steps_of(contents)
    assert [step.index for step in steps] == list(range(7))
    assert set(np.diff([step.t_robot_ns for step in steps])) == {STEP}
    assert [step.source for step in steps[:-1]] == [
        *[Source.POLICY] * 2, *[Source.HOLD] * 2, *[Source.POLICY] * 2,
    ]  # fmt: skip
    for index, record in enumerate(records):
        missed = index in (2, 3)
        assert set(record.images) == (set() if missed else {"front", "wrist"})
        assert set(record.step.stale_cameras) == ({"front", "wrist"} if missed else set())
        measured_ns = (1 if missed else index) * STEP + steps[0].t_robot_ns
        assert record.step.arms["arm"].gripper_m == pytest.approx(measured_ns * 1e-12), (
            "never a later one"
        )
        late_by = 30 * MS if index == 4 else 0
        assert all(
            abs(stamp.capture_ns - record.step.t_robot_ns) <= late_by
            for stamp in record.step.frames.values()
        )
    assert any("2 steps were not observed" in sentence for sentence in rig.said.sentences)


def test_a_step_that_nobody_saw_travels_and_is_not_counted_as_training(rig: Rig) -> None:
    rig.start()
    rig.run(1)
    rig.late_ns[(rig.clock.t_ns // STEP + 1) * STEP] = 70 * MS
    rig.run(8)
    records = of(RecordedStep, rig.recorded())
    sent = decode_segment(encode_segment(records[1:]))  # the first of a segment may be the missed
    assert [bool(record.images) for record in sent] == [False, *[True] * 5]
    counts = OutboxReader(rig.settings.outbox_file).counts()
    assert counts.pending_training == 5, "six actions, and one of them without an observation"


@pytest.mark.parametrize("slow_ms", [190, 280, 460])
@pytest.mark.injects(FaultCode.INFERENCE_SLOW)
def test_every_step_is_seen_and_kept_while_the_policy_thinks_too_long(
    rig: Rig, slow_ms: int
) -> None:
    rig.start()
    rig.run(1)
    intervention = new_id()
    rig.takes_over(intervention)
    rig.slow_ns[(rig.clock.t_ns // STEP + 1) * STEP] = slow_ms * MS
    rig.run(10)
    contents = rig.recorded()
    steps = steps_of(contents)
    assert [step.index for step in steps] == list(range(7))
    assert set(np.diff([step.t_robot_ns for step in steps])) == {STEP}
    assert "result_lost" not in {step.reject_reason for step in steps}
    assert all(step.executed_action is not None for step in steps[:-1])
    driven = [step.index for step in steps if step.intervention_id == intervention]
    assert driven == list(range(driven[0], 6)), "every window since ada drives is hers"
    assert all(record.images for record in of(RecordedStep, contents))
    assert not any("not observed" in sentence for sentence in rig.said.sentences)
    (over,) = of(InterventionEnded, contents)
    assert (over.first_index, over.last_index) == (driven[0], 5)


def test_answers_that_come_when_their_actions_are_over_are_said_once(rig: Rig) -> None:
    rig.start()
    rig.run(1)
    first_ns = (rig.clock.t_ns // STEP + 1) * STEP
    rig.slow_ns |= {first_ns + k * STEP: 210 * MS for k in range(6)}
    rig.run(8)
    said = [sentence for sentence in rig.said.sentences if "by then its only action" in sentence]
    assert len(said) == 1


def test_what_is_decided_next_is_decided_on_the_newest_observation(rig: Rig) -> None:
    rig.start()
    rig.run(1)
    slow_ns = (rig.clock.t_ns // STEP + 1) * STEP
    rig.slow_ns[slow_ns] = 230 * MS
    rig.run(4)
    decided = rig.loop.actor.recorder
    assert decided is not None
    ids = [chunk_id - slow_ns // STEP for chunk_id in decided.known_chunks]
    assert ids == [-1, 0, 2, 3], "at 1 it still thought, and 2 was there when it had finished"


@pytest.fixture
def long_rig(tmp_path: Path, seed: int) -> Iterator[Rig]:
    rig = Rig(tmp_path, seed, max_steps=300)
    yield rig
    rig.outbox.close()


def test_a_policy_that_never_answers_is_said_and_ends_its_episode(long_rig: Rig) -> None:
    rig = long_rig
    rig.start()
    rig.run(1)
    rig.slow_ns[(rig.clock.t_ns // STEP + 1) * STEP] = 3600 * 1000 * MS
    rig.run(95)
    said = [sentence for sentence in rig.said.sentences if "has been thinking since" in sentence]
    assert len(said) == 1
    assert "after 10 s the episode is ended" in said[0]
    assert rig.stage == "running"
    rig.run(10)
    contents = rig.recorded()
    (ended,) = of(EpisodeEnded, contents)
    assert ended.outcome is Outcome.ABORTED
    assert ended.cause.startswith("The policy did not answer for 10 s")
    assert EndMotion(reason=ended.cause) in rig.intents()
    assert len(steps_of(contents)) == ended.steps + 1 > 100


def test_while_a_person_drives_nobody_waits_for_the_policy(long_rig: Rig) -> None:
    rig = long_rig
    rig.start()
    rig.run(1)
    rig.slow_ns[(rig.clock.t_ns // STEP + 1) * STEP] = 3600 * 1000 * MS
    rig.takes_over(new_id())
    rig.run(120)
    assert rig.stage == "running"
    assert not any("has been thinking" in sentence for sentence in rig.said.sentences)


def test_what_it_thought_counts_for_nothing_while_it_cannot_see(rig: Rig) -> None:
    rig.start()
    rig.run(1)
    slow_ns = (rig.clock.t_ns // STEP + 1) * STEP
    rig.slow_ns[slow_ns] = 330 * MS
    rig.run(1)
    rig.cameras = {"wrist"}
    rig.run(2)  # the front camera's last image is fresh until then
    rig.run(1)
    rig.cameras = {"front", "wrist"}
    rig.run(1)
    recorder = rig.loop.actor.recorder
    assert recorder is not None
    ids = [chunk_id - slow_ns // STEP for chunk_id in recorder.known_chunks]
    assert ids == [-1, 4], "0 was answered at 3.3, without a fresh image since 3"
    said = [sentence for sentence in rig.said.sentences if "the policy" in sentence]
    assert ["cannot see" in sentence for sentence in said if "see" in sentence] == [True, False]


def test_pictures_that_cannot_be_decoded_are_said_once(rig: Rig) -> None:
    rig.start()
    rig.run(1)
    rig.cameras = {"wrist"}
    for step in range(4):
        t_ns = (rig.clock.t_ns // STEP + 1) * STEP
        rig.frames["front"].write(b"no picture", capture_ns=t_ns, width=128, height=128)
        rig.run(1)
        assert int(rig.chunks.read()["count"]) == 0, step
    assert sum("cannot see" in sentence for sentence in rig.said.sentences) == 1
    assert not any("sees again" in sentence for sentence in rig.said.sentences)


@pytest.mark.parametrize("lag_ms", [250, -250])
def test_an_image_of_another_moment_is_stale_whichever_side_it_is_from(
    rig: Rig, lag_ms: int
) -> None:
    rig.cameras = {"wrist"}
    due_ns = (rig.clock.t_ns // STEP + 1) * STEP
    rig.show("front", due_ns - lag_ms * MS)
    reading = rig.loop.actor.sensors.picture(rig.loop.actor.sensors.look(due_ns))
    assert reading.stale == ("front",)


@pytest.mark.injects(FaultCode.CAMERA_LOST)
def test_a_blind_policy_ends_the_chunk_that_it_sent_before(rig: Rig) -> None:
    rig.start()
    rig.run(2)
    plan = ChunkPlan()
    chunk = rig.chunks.read()
    chunk["count"] = 40  # as of a policy that decides four seconds ahead
    plan.see(chunk)
    rig.cameras = {"wrist"}
    last_image_ns = rig.clock.t_ns // STEP * STEP
    rig.run(3)
    void = rig.chunks.read()
    plan.see(void)
    blind_ns = int(void["valid_from_ns"])
    assert (int(void["count"]), blind_ns) == (0, last_image_ns + 3 * STEP)
    assert plan.at(blind_ns - 1, None) is not None, "what was done until then stays known"
    assert plan.at(blind_ns, None) is None
    assert plan.at(blind_ns + 10 * STEP, None) is None
    rig.cameras = {"front", "wrist"}
    rig.run(1)
    plan.see(rig.chunks.read())
    assert plan.at(rig.clock.t_ns, None) is not None, "it goes on with fresh images"
    blind = [sentence for sentence in rig.said.sentences if "see" in sentence]
    assert blind == ["the policy cannot see: no fresh image of front", "the policy sees again"]


def test_a_blind_policy_ends_its_chunk_when_the_time_granted_meanwhile_is_over(rig: Rig) -> None:
    """In lock-step: how long the decision took must not decide when the arm holds."""
    rig.start()
    rig.cameras = {"wrist"}
    rig.run(5)
    actor, due_ns = rig.loop.actor, (rig.clock.t_ns // STEP + 1) * STEP
    actor.observe(due_ns)
    actor.decide(due_ns + 45 * MS)
    void = rig.chunks.read()
    assert (int(void["count"]), int(void["valid_from_ns"])) == (0, due_ns + 45 * MS)


def test_a_chunk_that_follows_an_empty_one_is_followed() -> None:
    def chunk(k: int, count: int) -> Record:
        record = np.zeros((), topics.chunk_type(7))
        record["chunk_id"], record["count"], record["dt_ns"] = k, count, STEP
        record["valid_from_ns"] = k * STEP + (DELAY if count else 0)
        return cast(Record, record[()])

    plan = ChunkPlan()
    for seen in (chunk(1, 8), chunk(2, 0), chunk(3, 8)):
        plan.see(seen)
    held = [plan.at(t_ns * MS, None) for t_ns in (150, 199, 200, 349, 350)]
    assert [None if found is None else found.chunk_id for found in held] == [1, 1, None, None, 3]
    assert held[1] is not None
    assert held[1].valid_until_ns == 200 * MS


def test_an_action_that_control_never_accounted_for_is_unknown_and_not_trained_on(
    rig: Rig,
) -> None:
    rig.start()
    rig.lost.add((rig.clock.t_ns // STEP + 3) * STEP)
    rig.run(8)
    contents = rig.recorded()
    steps = steps_of(contents)
    assert [step.executed_action is None for step in steps] == [
        *[False] * 2, True, *[False] * 3, True,
    ]  # fmt: skip
    assert steps[2].reject_reason == "result_lost"
    assert steps[2].source is Source.HOLD
    (ended,) = of(EpisodeEnded, contents)
    assert (ended.steps, len(steps), ended.complete) == (6, 7, True)
    trained = Trajectory.of(steps, np.zeros((7, 3), np.float32), action=7)
    assert np.isnan(trained["executed"][2]).all()


def test_an_episode_of_lost_results_still_ends(rig: Rig) -> None:
    rig.start()
    rig.run(2)
    rig.lost |= {rig.clock.t_ns // STEP * STEP + k * STEP for k in range(-1, 20)}
    rig.mode("stopped", tell="Stopped by the supervisor, because control ended unexpectedly.")
    rig.run(20)
    contents = rig.recorded()
    (ended,) = of(EpisodeEnded, contents)
    assert ended.outcome is Outcome.ABORTED
    assert len(steps_of(contents)) == ended.steps + 1


def test_an_actor_that_starts_late_lets_time_reach_the_next_instant(rig: Rig) -> None:
    """In lock-step time runs on without it until it has granted for the first time."""
    rig.late_ns[(rig.clock.t_ns // STEP + 1) * STEP] = 370 * MS
    rig.run(8)  # the clock refuses to wait for what was not granted
    assert rig.clock.t_ns % STEP > DELAY
    assert rig.stage == "ready"


def test_a_measurement_of_the_arm_that_is_no_number_is_a_step_that_nobody_saw(rig: Rig) -> None:
    rig.start()
    rig.run(2)
    bad_ns = (rig.clock.t_ns // STEP + 1) * STEP
    rig.no_number = {bad_ns}
    rig.run(1)
    void = rig.chunks.read()
    assert (int(void["count"]), int(void["valid_from_ns"])) == (0, bad_ns), (
        "nothing runs on blindly"
    )
    rig.run(7)
    contents = rig.recorded()
    steps = steps_of(contents)
    assert [step.index for step in steps] == list(range(7))
    assert set(np.diff([step.t_robot_ns for step in steps])) == {STEP}
    unseen = [not record.images for record in of(RecordedStep, contents)]
    assert unseen == [step.t_robot_ns == bad_ns for step in steps]
    (index,) = (step.index for step in steps if step.t_robot_ns == bad_ns)
    assert steps[index].arms == steps[index - 1].arms, "the last measurement that was numbers"
    said = [sentence for sentence in rig.said.sentences if "see" in sentence]
    assert said == [
        "the policy cannot see: the arm's measurement is not finite: twist",
        "the policy sees again",
    ]
