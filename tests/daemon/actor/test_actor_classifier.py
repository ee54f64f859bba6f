"""The success classifier in the actor: its probability is recorded, and where it is the reward it
ends the episode. It judges pictures; of the simulator's word it hears nothing.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
import torch
from torch import nn

from robot_rl.config.reward import ClassifierChoice, Reward
from robot_rl.policy.success_classifier import SuccessClassifier, SuccessNet
from robot_rl.policy.success_manifest import SuccessSettings
from robot_rl.schema.episode import EpisodeEnded, Outcome
from robot_rl.schema.live.client_message import Label
from robot_rl.schema.transition import RewardSource
from tests.daemon.actor.rig import Rig, of, steps_of

BRIGHT, DARK = 200, 90
CHOICE = ClassifierChoice(folder="success", sha256="0" * 12)


def sees_light() -> SuccessClassifier:
    """A network whose weights say success where the pictures are brighter than the middle."""
    net = SuccessNet(SuccessSettings(cameras=("front", "wrist"), image_px=64, channels=8, width=16))
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.zero_()
        for encoder in net.encoders:
            for layer in cast(nn.Sequential, encoder):
                if isinstance(layer, nn.Conv2d):  # the mean of the colours, unchanged from then on
                    middle = layer.kernel_size[0] // 2
                    layer.weight[0, : 3 if layer.in_channels == 3 else 1, middle, middle] = 0.3
        normal, _, first, _, _, last = net.judge
        for layer, weight in ((normal, 1.0), (first, 0.0), (last, 1.0)):
            cast(torch.Tensor, layer.weight).fill_(weight)
        cast(nn.Linear, first).weight[0, :16] = 1.0
        cast(nn.Linear, last).bias.fill_(-5.0)
    return SuccessClassifier(net=net.eval(), threshold=0.85, consecutive=2)


@pytest.fixture
def rigs(tmp_path: Path, seed: int) -> Iterator[list[Rig]]:
    made: list[Rig] = []
    yield made
    for rig in made:
        rig.outbox.close()


def started(rigs: list[Rig], folder: Path, seed: int, source: RewardSource) -> Rig:
    rig = Rig(folder, seed, max_steps=12, reward=Reward(source=source, classifier=CHOICE))
    rigs.append(rig)
    rig.classifier = sees_light()
    rig.restart()
    rig.start()
    rig.run(2)
    return rig


def test_as_the_reward_it_ends_the_episode_with_what_it_saw_last(
    rigs: list[Rig], tmp_path: Path, seed: int
) -> None:
    rig = started(rigs, tmp_path, seed, "classifier")
    rig.judge("success")  # which nobody hears
    rig.run(2)
    assert rig.stage == "running"
    rig.brightness = BRIGHT
    rig.run(4)
    assert rig.stage == "resetting", "nobody is waited for"
    contents = rig.recorded()
    (ended,) = of(EpisodeEnded, contents)
    assert (ended.outcome, ended.labeller) == (Outcome.SUCCESS, "classifier")
    assert ended.classifier_success is True
    steps = steps_of(contents)
    assert {step.evidence.simulator_success for step in steps} == {None}
    said = [step.evidence.classifier_probability for step in steps]
    assert all(value is not None for value in said)
    assert [value is not None and value > 0.85 for value in said] == [False] * (len(said) - 2) + [
        True,
        True,
    ]
    assert ended.steps == len(steps) - 1
    assert [step.terminated for step in steps] == [False] * (len(steps) - 2) + [True, False]
    assert steps[-1].executed_action is None


def test_with_the_operators_reward_it_is_evidence_and_the_disagreement_is_recorded(
    rigs: list[Rig], tmp_path: Path, seed: int
) -> None:
    rig = started(rigs, tmp_path, seed, "operator")
    rig.brightness = BRIGHT
    rig.run(4)
    assert rig.stage == "running"
    assert rig.episode.read()["success_seen"]
    assert rig.ask(Label, outcome="failure").accepted
    rig.run(3)
    contents = rig.recorded()
    (ended,) = of(EpisodeEnded, contents)
    assert (ended.outcome, ended.labeller) == (Outcome.FAILURE, "ada")
    assert ended.classifier_success is True
    steps = steps_of(contents)
    assert all(step.evidence.classifier_probability is not None for step in steps)


def test_a_camera_that_is_gone_is_judged_by_nobody(
    rigs: list[Rig], tmp_path: Path, seed: int
) -> None:
    rig = started(rigs, tmp_path, seed, "classifier")
    rig.cameras.discard("wrist")
    rig.run(4)  # until its last image is stale
    rig.brightness = BRIGHT
    rig.run(4)
    assert rig.stage == "running"
    rig.run(5)
    contents = rig.recorded()
    (ended,) = of(EpisodeEnded, contents)
    assert (ended.outcome, ended.labeller) == (Outcome.FAILURE, "classifier")
    assert ended.classifier_success is False
    unseen = [step for step in steps_of(contents) if step.stale_cameras]
    assert unseen
    assert {step.evidence.classifier_probability for step in unseen} == {None}


def test_without_a_classifier_nothing_is_said(tmp_path: Path, seed: int) -> None:
    rig = Rig(tmp_path, seed, max_steps=3)
    rig.start()
    rig.run(6)
    contents = rig.recorded()
    (ended,) = of(EpisodeEnded, contents)
    assert ended.classifier_success is None
    assert "classifier_success" not in ended.model_dump_json()
    assert {step.evidence.classifier_probability for step in steps_of(contents)} == {None}
    rig.outbox.close()
