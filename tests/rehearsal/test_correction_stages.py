"""The three stages from a corrected step to a policy that acts on it, from made-up records."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from robot_rl.config import load_task
from robot_rl.rehearsal.correction_stages import StepsSeen
from robot_rl.rehearsal.record import EpisodeLine, Record
from robot_rl.schema.episode import Outcome, Purpose
from robot_rl.schema.message import new_id
from robot_rl.schema.policy import (
    FirstSampled,
    Part,
    PartRole,
    PolicyManifest,
    PolicyStatus,
    PolicyVersion,
    Update,
    parts_sha256,
)
from robot_rl.schema.step import ArmObservation, Step
from safety.vocabulary import Phase, Source

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
TASK = load_task("lift_cube").model_copy(
    update={
        "step_s": 0.1,
        "action_delay_s": 0.05,
        "learner": load_task("lift_cube").learner.model_copy(update={"start_steps": 2}),
    }
)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def episode(purpose: Purpose, robot: str = "panda") -> EpisodeLine:
    return EpisodeLine(
        episode_id=new_id(), robot=robot, started_t_utc=NOON, purpose=purpose, seed=0,
        started_t_robot_ns=0, ended_t_robot_ns=1, outcome=Outcome.SUCCESS, labeller=None,
        stored_steps=1, steps=1, trainable_steps=1, human_steps=0, interventions=0,
        policy_versions=(),
    )  # fmt: skip


def step(
    of: EpisodeLine, index: int, seconds: float, phase: Phase | None, version: int | None = None
) -> Step:
    return Step(
        episode_id=of.episode_id, index=index, t_robot_ns=0, t_utc=at(seconds), frames={},
        arms={"arm": ArmObservation(
            tcp_position_m=(0.0,) * 3, tcp_quaternion_wxyz=(1.0, 0.0, 0.0, 0.0),
            tcp_twist=(0.0,) * 6, wrench=(0.0,) * 6, gripper_m=0.0, q_rad=(), dq_rad_s=(),
        )},
        executed_action=(0.0,) * 7, source=Source.POLICY if phase is None else Source.HUMAN,
        phase=phase, policy_version=version,
    )  # fmt: skip


def version(number: int, stored_s: float, sampled: dict[UUID, dict[int, float]]) -> PolicyVersion:
    parts = tuple(
        Part(role=role, kind="test", sha256="0" * 64, files=())
        for role in (PartRole.BACKBONE, PartRole.HEAD)
    )
    first_sampled = tuple(
        FirstSampled(episode_id=name, indices=tuple(found), t_utc=tuple(map(at, found.values())))
        for name, found in sampled.items()
    )
    update = Update(
        learner_step=1, env_steps=1, critic_updates=1, actor_updates=1, losses={}, batch_online=1,
        batch_demonstrations=1, new_interventions=(), wall_s=1.0, first_sampled=first_sampled,
    )  # fmt: skip
    manifest = PolicyManifest(
        policy_id=new_id(), task="lift_cube", parent_version=None, algorithm="hil_serl",
        sha256=parts_sha256(parts), size_bytes=0, parts=parts, created_t_utc=NOON, feed_cursor=0,
        update=update,
    )  # fmt: skip
    return PolicyVersion(
        version=number, status=PolicyStatus.CANDIDATE, manifest=manifest, stored_t_utc=at(stored_s)
    )


def test_each_stage_counts_from_the_end_of_the_step() -> None:
    training, frozen = episode(Purpose.TRAINING), episode(Purpose.EVALUATION)
    other = episode(Purpose.TRAINING, "panda-2")
    seen = StepsSeen(TASK, Record(episodes=(training, frozen, other)))
    seen.add(step(training, 0, 0.0, Phase.CORRECTION))  # before training began
    seen.add(step(training, 1, 0.1, None, version=1))
    seen.add(step(training, 2, 10.0, Phase.CORRECTION))  # over at 10.15
    seen.add(step(training, 3, 10.1, Phase.RECOVERY))
    seen.add(step(training, 4, 10.2, Phase.CORRECTION))  # over at 10.35, never acts
    seen.add(step(other, 0, 11.0, None, version=2))  # another robot's
    seen.add(step(frozen, 0, 12.0, None, version=1))
    seen.add(step(frozen, 1, 13.0, None, version=3))
    sampled = {training.episode_id: {0: 1.0, 2: 10.65, 3: 10.7}}
    late = {training.episode_id: {4: 11.35}}
    stages = seen.stages([version(4, 14.35, late), version(2, 11.15, sampled)])
    assert (stages.corrected_steps, stages.before_training) == (2, 1)
    assert (stages.sampled_s.count, stages.sampled_s.max) == (2, pytest.approx(1.0))
    assert stages.sampled_s.p50 == pytest.approx(0.75)
    assert stages.published_s.p50 == pytest.approx(2.5)  # of 1.0 and 4.0
    assert (stages.acting_s.count, stages.acting_s.max) == (1, pytest.approx(13.0 - 10.15))
    assert stages.first_decision_s.max == pytest.approx(12.0 - 10.15)


def test_without_training_there_is_no_stage() -> None:
    training = episode(Purpose.TRAINING)
    seen = StepsSeen(TASK, Record(episodes=(training,)))
    seen.add(step(training, 0, 0.0, Phase.CORRECTION))
    stages = seen.stages([])
    assert (stages.corrected_steps, stages.before_training) == (0, 1)
    assert stages.sampled_s.count == stages.acting_s.count == 0
