"""Two runs with the same seed are equal, step for step; and what tells them apart, does."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest

from benchmarks.recording import recorded
from robot_rl.commands.compare import first_difference
from robot_rl.rehearsal.digest import EpisodeDigest, combined
from robot_rl.rehearsal.session import rehearse
from robot_rl.rehearsal.settings import RehearsalSettings
from robot_rl.rehearsal.timeline import frozen_evaluations
from robot_rl.schema.message import new_id
from robot_rl.schema.segment import RecordedStep
from robot_rl.schema.step import Step
from tests.rehearsal.short_task import short_task

BUSY = "while True: pass"


@pytest.mark.slow
@pytest.mark.beside
@pytest.mark.timeout(900)
def test_two_rehearsals_with_the_same_seed_are_equal() -> None:
    """With the learner and the scripted person at work, on a machine that is busy in another way
    each time.
    """
    with tempfile.TemporaryDirectory(prefix="robot-rl-test-") as folder:
        settings = RehearsalSettings(
            cell="simulation",
            task=os.fspath(short_task(Path(folder))),
            robot_minutes=0.25,
            evaluations=1,
            demonstrations=1,
            evaluate_every_minutes=0.2,
            evaluate_episodes=1,
            patience_s=0.5,
            seed=3,
        )
        one, two = Path(folder) / "one", Path(folder) / "two"
        first = rehearse(settings, one, quiet=True)
        with subprocess.Popen([sys.executable, "-c", BUSY]) as busy:
            try:
                second = rehearse(settings, two, quiet=True)
            finally:
                busy.kill()
        command = [sys.executable, "-m", "robot_rl.cli", "episodes", "compare", str(one), str(two)]
        told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert first.interventions >= 1
    assert len(first.versions_acted) >= 2, "policies that were learned on the way have acted"
    assert first.steps_stored > 100
    assert second.steps_sha256 == first.steps_sha256, told.stdout
    assert second.versions_acted == first.versions_acted
    assert second.timeline == first.timeline
    assert len(frozen_evaluations(first.timeline)) == 3
    assert told.returncode == 0, told.stdout + told.stderr
    assert first.steps_sha256 in told.stdout
    assert "the runs are equal" in told.stdout


def changed(record: RecordedStep, **changes: object) -> RecordedStep:
    return replace(record, step=record.step.model_copy(update=changes))


def digest(records: list[RecordedStep]) -> EpisodeDigest:
    made = EpisodeDigest()
    for record in records:
        made.add(record)
    return made


def episode() -> list[RecordedStep]:
    identity = new_id()
    return [recorded(identity, index) for index in range(4)]


def test_ids_the_wall_clock_and_inference_times_do_not_count() -> None:
    one, two = episode(), episode()
    two = [changed(record, inference_s=0.5) for record in two]
    assert one[0].step.episode_id != two[0].step.episode_id
    assert one[0].step.t_utc != two[0].step.t_utc
    assert digest(one).hexdigest() == digest(two).hexdigest()
    assert combined([digest(one)]) == combined([digest(two)])


def test_interventions_count_by_their_order() -> None:
    def with_interventions(first: UUID, second: UUID) -> str:
        steps = episode()
        ids = (None, first, first, second)
        return digest(
            [changed(step, intervention_id=each) for step, each in zip(steps, ids, strict=True)]
        ).hexdigest()

    once = with_interventions(new_id(), new_id())
    assert with_interventions(new_id(), new_id()) == once
    same = new_id()
    assert with_interventions(same, same) != once


def moved(step: Step) -> Step:
    x, y, z = step.arms["arm"].tcp_position_m
    arm = step.arms["arm"].model_copy(update={"tcp_position_m": (x, y, z + 1e-15)})
    return step.model_copy(update={"arms": {"arm": arm}})


DIFFERENT: dict[str, Callable[[RecordedStep], RecordedStep]] = {
    "arms": lambda record: replace(record, step=moved(record.step)),
    "image_front": lambda record: replace(record, images={**record.images, "front": b"other"}),
    "policy_version": lambda record: changed(record, policy_version=7),
    "t_robot_ns": lambda record: changed(record, t_robot_ns=record.step.t_robot_ns + 1),
}


@pytest.mark.parametrize("field", DIFFERENT)
def test_everything_else_counts_and_is_named(field: str) -> None:
    one = episode()
    two = [*one[:2], DIFFERENT[field](one[2]), one[3]]
    assert digest(one).hexdigest() != digest(two).hexdigest()
    counts = [
        [(1, made.add(record)) for record in run]
        for run in (one, two)
        for made in [EpisodeDigest()]
    ]
    said = first_difference(*counts)
    assert said.startswith(f"episode 1, step 2 is the first that differs, in {field};"), said
    assert first_difference(counts[0], counts[0]) == ""
    assert "equal for 2 steps" in first_difference(counts[0], counts[0][:2])


def test_where_an_episode_begins_counts() -> None:
    one = episode()
    assert combined([digest(one)]) != combined([digest(one[:2]), digest(one[2:])])
