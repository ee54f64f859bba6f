"""A task without cameras: the policy acts on the arm's state alone, and can be cloned."""

from pathlib import Path

import numpy as np
import pytest

from robot_rl.config import Task
from robot_rl.config.document import load_task
from robot_rl.learner.cloning import CloneSettings, clone
from robot_rl.policy.checkpoint import load_policy
from robot_rl.policy.images import observe
from robot_rl.policy.interface import Observation
from robot_rl.policy.manifest import PROPRIOCEPTION, SUBGOAL
from robot_rl.policy.starting import write_untrained
from robot_rl.schema.episode import Purpose
from robot_rl.schema.segment import RecordedStep, decode_segment
from robot_rl.schema.step import state_names
from tests.learner.lab import Lab, record_episode

QUICK = CloneSettings(seed=4, encoder_updates=3, encoder_batch=4, head_updates=5, feature_copies=1)


@pytest.fixture
def task() -> Task:
    return load_task("lift_cube").model_copy(update={"cameras": ()})


def demonstrations(task: Task) -> list[list[RecordedStep]]:
    episodes: list[list[RecordedStep]] = []
    for seed in range(3):
        lab, human = Lab(), tuple(range(20))
        record_episode(lab, task, seed, steps=20, human=human, purpose=Purpose.DEMONSTRATION)
        records = [r for data in lab.segments.values() for r in decode_segment(data)]
        episodes.append([RecordedStep(step=record.step, images={}) for record in records])
    return episodes


def test_an_untrained_policy_acts_on_the_state(
    task: Task, tmp_path: Path, rng: np.random.Generator
) -> None:
    write_untrained(tmp_path, task, seed=3)
    policy = load_policy(tmp_path)
    assert policy.backbone.cameras == ()
    assert policy.backbone.size == SUBGOAL + len(PROPRIOCEPTION)
    names = state_names({"arm": 6})
    observations = [
        Observation(images={}, state=state, state_names=names, instruction="reach", t_ns=0)
        for state in rng.normal(size=(2, len(names)))
    ]
    chunks = [policy.act(each, np.random.default_rng(1)) for each in observations]
    assert chunks[0].actions.shape == (1, 7)
    assert not np.array_equal(chunks[0].actions, chunks[1].actions), "the state decides"


def test_it_is_cloned_from_demonstrations_without_pictures(task: Task, tmp_path: Path) -> None:
    episodes = demonstrations(task)
    manifest = clone(episodes, task, tmp_path, QUICK)
    assert manifest.report["steps"] == 60
    seen = observe(episodes[0][0], task.instruction, task.cameras)
    chunk = load_policy(tmp_path).act(seen, np.random.default_rng(0))
    assert np.isfinite(chunk.actions).all()
