"""The whole robot PC but the link: episodes, recorded in lock-step with the real processes."""

import time
from uuid import uuid4

import numpy as np
import pytest

from robot_rl.daemon.actor import process as actor_process
from robot_rl.daemon.outbox.reader import OutboxReader
from robot_rl.policy.starting import write_untrained
from robot_rl.schema.episode import (
    EpisodeEnded,
    EpisodeStarted,
    InterventionEnded,
    Outcome,
    Purpose,
)
from robot_rl.schema.live.client_message import (
    BeginReset,
    Clear,
    ConfirmReset,
    EndTakeover,
    Label,
    MarkPhase,
    StartEpisode,
    Stop,
)
from robot_rl.schema.segment import RecordedStep
from safety.faults import FaultCode
from safety.vocabulary import Source


@pytest.fixture(scope="module")
def running(make_robot, tmp_path_factory, request):
    folder = tmp_path_factory.mktemp("task")
    robot = make_robot(folder=folder, max_steps=12, path=folder / "task.toml")
    settings = robot.settings
    settings.task.path.write_bytes(b"# the task under test\n")
    seed = request.config.getoption("--seed")
    write_untrained(folder / settings.task.policy.folder, settings.task, seed)
    robot.start("arm", "camera", "control", "actor", actor=actor_process.main)
    robot.run(300)
    assert stage(robot) == "ready"
    robot.after = 0
    return robot


@pytest.fixture
def robot(running):
    """Ready, at the start pose, and only what this test records counts."""
    robot = running
    if robot.mode in ("stopped", "fault"):
        assert robot.answer_of(Clear).accepted
        robot.run(300)
    robot.run(2500)  # any episode and any lease run out
    if stage(robot) == "ready":
        assert robot.answer_of(BeginReset, to="actor", seed=7).accepted
    run_until(robot, "confirm_reset")
    assert robot.answer_of(ConfirmReset, to="actor").accepted
    run_until(robot, "ready")
    recorded(robot)
    return robot


def stage(robot) -> str:
    return bytes(robot.episode.read()["stage"]).decode()


def run_until(robot, wanted: str, limit_ms: int = 20_000) -> None:
    for _ in range(limit_ms // 100):
        robot.run(100)
        if stage(robot) == wanted:
            return
    raise AssertionError(
        f"stage {stage(robot)} and mode {robot.mode} ({robot.cause}), not {wanted}"
    )


def recorded(robot) -> list:
    """What came into the outbox since the last call."""
    reader = OutboxReader(robot.settings.outbox_file)
    found, quiet = [], 0
    while quiet < 8:  # commits linger for 100 ms
        pending = reader.pending(robot.after, 1000)
        if pending is None or not pending.rows:
            quiet += 1
            time.sleep(0.05)
            continue
        quiet = 0
        found += [row.content for row in pending.rows]
        robot.after = pending.rows[-1].number
    reader.close()
    return found


def of(kind, contents):
    return [content for content in contents if isinstance(content, kind)]


def test_a_policy_drives_an_episode_and_every_step_comes_out(robot):
    assert stage(robot) == "ready"
    answer = robot.answer_of(StartEpisode, to="actor")
    assert answer.accepted, answer.reason
    run_until(robot, "confirm_reset")
    answer = robot.answer_of(ConfirmReset, to="actor")
    assert answer.accepted, answer.reason
    run_until(robot, "ready")
    contents = recorded(robot)
    steps = [content.step for content in of(RecordedStep, contents)]
    assert [step.index for step in steps] == list(range(13))
    assert all(step.source is Source.POLICY for step in steps[1:-1])
    assert all(step.executed_action is not None for step in steps[:-1])
    assert steps[-1].executed_action is None
    assert [step.truncated for step in steps] == [False] * 11 + [True, False]
    assert not any(step.terminated for step in steps)
    gaps = np.diff([step.t_robot_ns for step in steps])
    assert set(gaps) == {robot.settings.task.step_ns}
    for record in of(RecordedStep, contents):
        assert set(record.images) == {"front", "wrist"}
        assert all(s.capture_ns == record.step.t_robot_ns for s in record.step.frames.values())
    for step in steps[:-1]:
        assert step.policy_version == 0
        assert step.chunk_index == 0
    proposed = np.array([step.proposed_action for step in steps[:-1]])
    executed = np.array([step.executed_action for step in steps[:-1]])
    np.testing.assert_allclose(proposed[:, :3].sum(0), executed[:, :3].sum(0), atol=1.2)
    (ended,) = of(EpisodeEnded, contents)
    assert (ended.outcome, ended.steps, ended.labeller) == (Outcome.FAILURE, 12, "simulator")
    assert contents.index(ended) > max(contents.index(r) for r in of(RecordedStep, contents))
    assert isinstance(contents[0], EpisodeStarted)


def test_a_person_corrects_an_episode_and_labels_it(robot):
    assert robot.answer_of(StartEpisode, to="actor").accepted
    robot.run(100)
    robot.take_over()
    robot.drive_for(200, axes=(0, 0, 0.5, 0, 0, 0))
    assert robot.answer_of(MarkPhase, phase="correction").accepted
    robot.drive_for(300, axes=(0, 0, 0.5, 0, 0, 0), gripper=-1)
    assert robot.answer_of(EndTakeover).accepted
    robot.drive_for(200, deadman=False)
    answer = robot.answer_of(Label, to="actor", outcome="success")
    assert answer.accepted, answer.reason
    run_until(robot, "confirm_reset")
    contents = recorded(robot)
    steps = [content.step for content in of(RecordedStep, contents)]
    assert [step.index for step in steps] == list(range(len(steps)))
    human = [step for step in steps if step.source is Source.HUMAN]
    assert len(human) >= 5
    assert {step.operator for step in human} == {"ada"}
    assert -1.0 in [step.executed_action[6] for step in human if step.executed_action]
    assert any(step.proposed_action is not None for step in human)  # the policy watches on
    assert steps[-2].terminated
    (ended,) = of(EpisodeEnded, contents)
    assert (ended.outcome, ended.labeller) == (Outcome.SUCCESS, "ada")
    assert ended.steps == len(steps) - 1
    assert ended.human_steps == len(human)
    (intervention,) = of(InterventionEnded, contents)
    assert intervention.first_index == human[0].index
    assert intervention.last_index == human[-1].index
    assert 2 <= intervention.correction_steps < len(human)


def test_a_demonstration_waits_for_a_person_and_evaluation_freezes_the_policy(robot):
    assert robot.answer_of(StartEpisode, to="actor", purpose=Purpose.DEMONSTRATION).accepted
    robot.run(200)
    assert robot.mode == "idle"
    robot.take_over()
    robot.drive_for(200, axes=(0, 0, 0.5, 0, 0, 0))
    run_until(robot, "confirm_reset")
    assert not robot.answer_of(StartEpisode, to="actor").accepted
    (ended,) = of(EpisodeEnded, recorded(robot))
    assert ended.human_steps >= 2


def test_a_stop_ends_the_episode_and_nothing_moves_until_a_person_asks(robot):
    assert robot.answer_of(StartEpisode, to="actor").accepted
    robot.run(400)
    robot.ask(Stop(request_id=uuid4()))
    run_until(robot, "ready")
    refused = robot.answer_of(StartEpisode, to="actor")
    assert not refused.accepted
    assert "latched" in refused.reason
    assert robot.answer_of(Clear).accepted
    robot.run(300)
    refused = robot.answer_of(StartEpisode, to="actor")
    assert not refused.accepted
    assert robot.answer_of(BeginReset, to="actor", seed=5).accepted
    run_until(robot, "confirm_reset")
    assert robot.answer_of(ConfirmReset, to="actor").accepted
    run_until(robot, "ready")
    assert robot.answer_of(StartEpisode, to="actor", seed=5).accepted
    (ended,) = of(EpisodeEnded, recorded(robot))
    assert ended.outcome is Outcome.ABORTED


@pytest.mark.injects(FaultCode.ACTOR_LOST)
def test_when_the_actor_is_killed_the_robot_holds(robot):
    assert robot.answer_of(StartEpisode, to="actor").accepted
    robot.run(400)
    robot.kill("actor")
    robot.run(1000)
    assert bytes(robot.status["source"]) == b"hold"
    assert robot.speed_m_s() < 0.005
