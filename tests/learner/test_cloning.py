"""Cloning: its labels, and that a seeded run writes a policy that loads and carries what it saw."""

from pathlib import Path

import numpy as np
import pytest
import torch

from robot_rl.config.document import load_task
from robot_rl.learner.cloning import CloneSettings, clone
from robot_rl.learner.demonstrations import decode_trajectories
from robot_rl.learner.seeing.examples import NotEnoughDemonstrations, subgoals
from robot_rl.policy.checkpoint import load_policy
from robot_rl.policy.folder import read_file, read_manifest
from robot_rl.schema.episode import Purpose
from robot_rl.schema.segment import RecordedStep, decode_segment
from tests.learner.lab import Lab, record_episode

QUICK = CloneSettings(seed=4, encoder_updates=3, encoder_batch=4, head_updates=5, feature_copies=1)


def demonstrations(count: int, steps: int) -> list[list[RecordedStep]]:
    task = load_task("lift_cube")
    episodes: list[list[RecordedStep]] = []
    for seed in range(count):
        lab = Lab()
        human = tuple(range(steps))
        record_episode(lab, task, seed, steps=steps, human=human, purpose=Purpose.DEMONSTRATION)
        episodes.append([r for data in lab.segments.values() for r in decode_segment(data)])
    return episodes


def test_the_subgoal_is_where_the_gripper_next_changes_or_the_end() -> None:
    (episode,) = demonstrations(1, 6)
    orders = [0.0, 0.0, -1.0, -1.0, -1.0, 0.0]
    edited = [
        RecordedStep(
            step=record.step.model_copy(
                update={
                    "human_action": None if index == 6 else (0.0,) * 6 + (orders[index],),
                    "arms": {
                        name: arm.model_copy(update={"tcp_position_m": (float(index), 0.0, 0.0)})
                        for name, arm in record.step.arms.items()
                    },
                }
            ),
            images=record.images,
        )
        for index, record in enumerate(episode)
    ]
    assert subgoals(edited, ("arm",), (6,))[:, 0].tolist() == [2.0, 1.0, 0.0, 3.0, 2.0, 1.0, 0.0]


def test_the_same_seed_gives_the_same_policy(tmp_path: Path) -> None:
    """Up to rounding, which can turn the sign of a vanishing gradient: Adam then moves a weight the
    other way, by its learning rate in each of the updates (5 of 3e-4 in the head).
    """
    task, episodes = load_task("lift_cube"), demonstrations(3, 20)
    for run in range(2):
        clone(episodes, task, tmp_path / str(run), QUICK)
    policy, again = load_policy(tmp_path / "0"), load_policy(tmp_path / "1")
    for name, tensor in policy.head.state_dict().items():
        assert torch.allclose(tensor, again.head.state_dict()[name], rtol=0, atol=0.003), name
    stored = read_manifest(tmp_path / "0").demonstrations
    assert stored is not None
    data = read_file(tmp_path / "0", stored)
    trajectories = decode_trajectories(
        data,
        "test",
        task=task.name,
        backbone_sha256=policy.backbone.sha256,
        features=policy.backbone.size,
        action=task.action.size,
    )
    assert [len(each) for each in trajectories] == [21, 21, 21]
    assert not np.isnan(trajectories[0]["human"][:-1]).any()
    assert np.isnan(trajectories[0]["human"][-1]).all()
    assert sum(path.stat().st_size for path in (tmp_path / "0").iterdir()) < 5_000_000


def test_a_demonstration_with_an_unseen_step_is_not_given_to_the_learner(tmp_path: Path) -> None:
    task, episodes = load_task("lift_cube"), demonstrations(3, 20)
    unseen = episodes[1][7]
    episodes[1][7] = RecordedStep(step=unseen.step, images={})
    clone(episodes, task, tmp_path, QUICK)
    stored = read_manifest(tmp_path).demonstrations
    assert stored is not None
    data = read_file(tmp_path, stored)
    backbone = load_policy(tmp_path).backbone
    kept = decode_trajectories(
        data,
        "test",
        task=task.name,
        backbone_sha256=backbone.sha256,
        features=backbone.size,
        action=7,
    )
    assert [len(each) for each in kept] == [21, 21]


def test_too_few_demonstrations_are_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(NotEnoughDemonstrations, match="record at least 5 whole ones"):
        clone(demonstrations(1, 8), load_task("lift_cube"), tmp_path, QUICK)


def test_a_step_that_nobody_saw_is_left_out_of_a_demonstration(tmp_path: Path) -> None:
    """The actor came too late for it; the person drove on."""
    task, episodes = load_task("lift_cube"), demonstrations(3, 20)
    episodes[0][7] = RecordedStep(step=episodes[0][7].step, images={})
    clone(episodes, task, tmp_path, QUICK)
    assert read_manifest(tmp_path).report["steps"] == 59


def test_a_window_in_which_the_driver_changed_is_not_cloned_from(tmp_path: Path) -> None:
    """The person took over in the middle of it: what they did is a part of what was executed."""
    task, episodes = load_task("lift_cube"), demonstrations(3, 20)
    step = episodes[1][4].step
    assert step.human_action is not None
    part = (*(axis / 2 for axis in step.human_action[:3]), *step.human_action[3:])
    episodes[1][4] = RecordedStep(
        step=step.model_copy(update={"human_action": part}), images=episodes[1][4].images
    )
    clone(episodes, task, tmp_path, QUICK)
    assert read_manifest(tmp_path).report["steps"] == 59
