"""What is not fit to act: heads judged on recorded states against the one published before."""

import json
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from robot_rl.config.algorithms.hg_dagger import HgDaggerSettings
from robot_rl.config.fitness import FitnessSection
from robot_rl.config.task import Task
from robot_rl.learner.algorithm import Algorithm, Losses
from robot_rl.learner.algorithms.hg_dagger import HgDagger
from robot_rl.learner.fitness import Fitness
from robot_rl.learner.learner import Learner
from robot_rl.learner.refused import KEPT, keep_refused
from robot_rl.learner.replay import CPU, Replay
from robot_rl.policy.head import Head
from tests.learner.algorithms.reaching import cloned, demonstrate, empty
from tests.learner.lab import Lab, record_episode
from tests.learner.test_process import session, whole


class WithValue(HgDagger):
    """Q = −5·|a − 0.2|²."""

    def value(self, features: torch.Tensor, action: torch.Tensor) -> torch.Tensor:
        return -5 * (action - 0.2).square().sum(-1)


class Judged:
    """A start cloned from demonstrations, and published."""

    def __init__(self, critic: bool = False) -> None:
        settings = HgDaggerSettings(batch=16)
        self.data = empty(settings)
        demonstrate(self.data, 1, episodes=8)
        kind = WithValue if critic else HgDagger
        made = kind(settings, cloned(self.data, 2, updates=300), 0, CPU)
        self.algorithm = cast("Algorithm", made)
        self.fitness = Fitness(FitnessSection(), self.algorithm, self.data, 1.0)
        self.fitness.published()
        assert isinstance(made.head, Head)
        self.head = made.head

    @torch.no_grad()
    def fill(self, layer: nn.Linear, bias: list[float]) -> str:
        """Makes the answer of a layer the same everywhere; returns what is said of that."""
        layer.weight.zero_()
        layer.bias.copy_(torch.tensor(bias))
        return self.fitness.refusal()


def test_a_head_that_did_not_change_is_fit() -> None:
    assert Judged(critic=True).fitness.refusal() == ""


def test_an_action_that_is_not_finite_is_named_also_in_the_first_version() -> None:
    judged = Judged()
    states = len(judged.fitness.states().features)
    first = Fitness(FitnessSection(), judged.algorithm, judged.data, 1.0)
    assert first.refusal() == ""
    said = judged.fill(judged.head.mean, [torch.nan, 0.0])
    assert said == f"its action is not finite in {states} of {states} states"
    assert first.refusal() == said


def test_actions_at_their_limit_everywhere_are_refused() -> None:
    judged = Judged()
    assert judged.fill(judged.head.mean, [9.0, -9.0]).startswith(
        "every axis is at its limit in 100% of the recorded states (the version before: "
    )


def test_one_action_for_all_states_is_refused() -> None:
    judged = Judged()
    assert judged.fill(judged.head.mean, [0.1, 0.1]) == (
        "its action is the same in all recorded states"
    )


def test_what_is_far_from_people_is_refused() -> None:
    """Driving away from where people drive to, at the same speeds."""
    judged = Judged()
    with torch.no_grad():
        judged.head.mean.weight.neg_()
        judged.head.mean.bias.neg_()
    states = judged.fitness.states()
    now = judged.fitness.figures(judged.head, states)
    action, _ = judged.head.decision(states.features[: len(states.human)])
    expected = np.square(action.detach().numpy() - states.human.numpy()[:, :2]).mean()
    assert now.error == pytest.approx(expected)
    assert judged.fitness.refusal().startswith(f"its actions are {expected:.2f} from people's")


def test_a_gripper_that_people_do_not_use_so_is_refused() -> None:
    judged = Judged()
    before = judged.fitness.figures(judged.head, judged.fitness.states())
    assert before.right is not None
    assert before.right > 0.6
    layer = judged.head.gripper
    assert isinstance(layer, nn.Linear)
    assert "its gripper does what people did in 0% of their steps" in judged.fill(
        layer, [0.0, 0.0, 9.0]
    )


def test_actions_of_less_value_are_refused() -> None:
    judged = Judged(critic=True)
    states = judged.fitness.states()
    before = judged.fitness.figures(judged.head, states).value
    with torch.no_grad():
        judged.head.mean.bias.sub_(0.3)
    now = judged.fitness.figures(judged.head, states).value
    assert now is not None
    assert before is not None
    strict = FitnessSection(value_margin=0.0, human_error_margin=4.0)
    fitness = Fitness(strict, judged.algorithm, judged.data, 1.0)
    fitness.load_state(judged.fitness.state())
    assert now < before
    assert fitness.refusal() == (
        f"the critics value its actions at {now:.2f} and those of the version before at "
        f"{before:.2f}; 0.00 less is allowed"
    )
    assert judged.fitness.refusal() == "", "the margin is wide"


def test_the_sample_is_the_same_after_a_restart_and_changes_slowly() -> None:
    def rows(data: Replay) -> set[int]:
        return {*data.store.fixed_sample(data.demonstrated.rows, 64).tolist()}

    one, other = empty(HgDaggerSettings()), empty(HgDaggerSettings())
    for data in (one, other):
        demonstrate(data, 1, episodes=20)
    assert rows(one) == rows(other)
    assert len(rows(one)) == 64
    before = rows(one)
    demonstrate(one, 2, episodes=2)
    assert len(rows(one) & before) >= 48
    demonstrate(one, 3, episodes=40)
    after = rows(one)
    assert max(after) > max(before), "new steps are in it too"


def test_only_the_newest_refused_heads_are_kept(tmp_path: Path) -> None:
    for update in range(KEPT + 3):
        keep_refused(tmp_path, update, b"head", f"reason {update}")
    heads = sorted(path.stem for path in tmp_path.glob("*.safetensors"))
    assert heads == [f"update-{update:09d}" for update in range(3, KEPT + 3)]
    abouts = [json.loads(path.read_text())["reason"] for path in sorted(tmp_path.glob("*.json"))]
    assert abouts == [f"reason {update}" for update in range(3, KEPT + 3)]


def test_a_refused_version_is_not_offered_and_also_not_after_a_restart(
    task: Task, tmp_path: Path
) -> None:
    lab = Lab()
    for seed in (1, 2, 3, 4):
        record_episode(lab, task, seed, steps=10, human=tuple(range(10)))

    def spoil(learner: Learner) -> None:
        """Once 36 steps have come, the head says the same everywhere, at its limit."""
        inner = learner.algorithm.update

        def update(data: Replay, rng: np.random.Generator) -> Losses:
            losses = inner(data, rng)
            if learner.replay.received > 35:
                head = learner.algorithm.head
                assert isinstance(head, Head)
                with torch.no_grad():
                    head.mean.weight.zero_()
                    head.mean.bias.fill_(9.0)
            return losses

        learner.algorithm.update = update

    learner = session(lab, task, tmp_path, whole(lab), prepare=spoil)
    published = [m.update.env_steps for m, _, _ in lab.policies if m.update]
    assert max(published) == 35
    assert len(lab.policies) == learner.publisher.version
    message = lab.progress[-1].message
    assert "every axis is at its limit in 100% of the recorded states" in message
    assert f"the robots go on with version {learner.publisher.version}" in message
    kept = sorted((tmp_path / task.name / "refused").glob("*.safetensors"))
    assert kept
    assert load_file(kept[-1])["mean.bias"].tolist() == [9.0] * 3
    record_episode(lab, task, 5, steps=10)
    session(lab, task, tmp_path, whole(lab), prepare=spoil)
    assert len(lab.policies) == learner.publisher.version, "its parent was saved with it"
