"""What an encoder learns from, and that what stands on it goes on when its features change."""

import hashlib
from collections.abc import Callable
from uuid import UUID

import numpy as np
import pytest
import torch
from torch import nn

from robot_rl.config.task import Task
from robot_rl.learner.critics import Critics
from robot_rl.learner.encoder import Encoder
from robot_rl.learner.human_model import HumanModel
from robot_rl.learner.intake import Intake
from robot_rl.learner.replay import Replay
from robot_rl.learner.seeing.carry_over import Translation, carry_over
from robot_rl.learner.seeing.lessons import examples_of, gripper_orders, lessons_of
from robot_rl.policy.consistency_head import ConsistencyHead
from robot_rl.policy.head import Head
from robot_rl.policy.keypoint_cnn import KeypointCnn, KeypointNet
from robot_rl.policy.starting import shapes
from robot_rl.schema.episode import Outcome, Purpose
from robot_rl.schema.feed import Excluded
from robot_rl.schema.segment import RecordedStep, decode_segment, encode_segment
from tests.learner.lab import NOON, Lab, record_episode


def fetched(lab: Lab) -> Callable[[UUID, str], bytes]:
    return lambda segment_id, _sha256: lab.segments[segment_id]


def replayed(lab: Lab, task: Task) -> Replay:
    """The replay of all that the lab has recorded."""
    backbone = KeypointCnn(KeypointNet(shapes(task)[0]), "none")
    replay = Replay(task, backbone.size)
    intake = Intake(replay, lambda _text: None)
    for delivery in Encoder(backbone, fetched(lab), task=task, one_by_one=False).deliver(lab.items):
        for _ in intake.take(delivery):
            pass
    return replay


def damage(lab: Lab, number: int, index: int) -> None:
    """A picture of a record cannot be decoded any more."""
    segment_id = list(lab.segments)[number]
    records = decode_segment(lab.segments[segment_id])
    broken = dict.fromkeys(records[index].images, b"no picture")
    records[index] = RecordedStep(step=records[index].step, images=broken)
    data = lab.segments[segment_id] = encode_segment(records)
    for place, item in enumerate(lab.items):
        if getattr(item.event, "segment_id", None) == segment_id:
            sha256 = hashlib.sha256(data).hexdigest()
            event = item.event.model_copy(update={"sha256": sha256})
            lab.items[place] = item.model_copy(update={"event": event})


def line(index: int) -> tuple[float, float, float]:
    return (0.01 * index, 0.0, 0.2)


def test_what_an_encoder_learns_from(task: Task) -> None:
    lab, shown = Lab(), Purpose.DEMONSTRATION
    record_episode(lab, task, 1, steps=4, tcp_m=line)
    record_episode(lab, task, 2, steps=4, human=(1, 2), outcome=Outcome.FAILURE)
    record_episode(lab, task, 3, steps=4, outcome=Outcome.FAILURE)
    record_episode(lab, task, 4, steps=4, human=(0, 1, 2, 3), purpose=shown)
    out, _ = record_episode(lab, task, 5, steps=4)
    lab.put(Excluded(episode_id=out, excluded=True, author="anna", t_utc=NOON))
    record_episode(lab, task, 6, steps=4, purpose=Purpose.EVALUATION)
    told = replayed(lab, task).told(10)
    assert [each.number for each in told] == [0, 1, 3], "nothing is told by a failure without help"
    assert [each.succeeded for each in told] == [True, False, True]
    assert [sorted(each.shown) for each in told] == [[], [1, 2], [0, 1, 2, 3]]
    assert [each.number for each in replayed(lab, task).told(2)] == [1, 3], "the newest"

    lessons = lessons_of(told, lab.items)
    assert [each.held_out for each in lessons] == [True, False, False]
    examples = examples_of(lessons, fetched(lab), task, shapes(task)[0])
    assert len(examples.state) == 3 * 5
    assert examples.aimed.tolist() == [*range(5), *range(10, 15)], "where it was going is known"
    assert examples.acted.tolist() == [6, 7, 10, 11, 12, 13]
    assert examples.images[0][np.array([3, 8])].shape == (2, 128, 128, 3)
    assert np.all(examples.action[[0, 5, 14]] == 0.0)
    assert np.any(examples.action[6] != 0.0)


def test_a_picture_that_cannot_be_decoded_is_left_out(task: Task) -> None:
    lab = Lab()
    record_episode(lab, task, 1, steps=5, segment=3)
    damage(lab, 0, 1)
    lessons = lessons_of(replayed(lab, task).told(10), lab.items)
    examples = examples_of(lessons, fetched(lab), task, shapes(task)[0])
    assert len(examples.state) == 5, "six records, of which one cannot be seen"


def test_the_subgoal_is_where_a_gripper_gets_another_order(task: Task) -> None:
    lab = Lab()
    record_episode(lab, task, 1, steps=6, tcp_m=line)
    records = [each for data in lab.segments.values() for each in decode_segment(data)]
    steps = [each.step.model_copy(update={"executed_action": None}) for each in records]
    for index, order in ((0, 1.0), (2, -1.0), (3, -1.0), (5, 1.0)):
        asked = {"executed_action": (*[0.0] * 6, order)}
        steps[index] = steps[index].model_copy(update=asked)
    orders = gripper_orders(steps, task)
    opened = task.grippers_at_start == (1.0,)
    assert opened, "so that the first order, to open, begins nothing"
    assert [each[0] for each in orders] == [0.0, 0.0, -1.0, 0.0, 0.0, 1.0, 0.0]
    for name, data in lab.segments.items():
        first = decode_segment(data)[0].step.index
        changed = [
            RecordedStep(step=steps[first + offset], images=each.images)
            for offset, each in enumerate(decode_segment(data))
        ]
        lab.segments[name] = encode_segment(changed)
    lessons = lessons_of(replayed(lab, task).told(10), lab.items)
    examples = examples_of(lessons, fetched(lab), task, shapes(task)[0])
    wanted = [0.02, 0.01, 0.03, 0.02, 0.01, 0.01, 0.0]  # to step 2, to step 5, to the end
    wanted[2], wanted[5] = 0.0, 0.0
    assert np.allclose(examples.subgoal[:, 0], wanted, atol=1e-6)
    assert np.allclose(examples.subgoal[:, 1:], 0.0)


def near_identity(features: int) -> Translation:
    """Some affine function close to nothing."""
    torch.manual_seed(5)
    matrix = torch.eye(features) + 0.05 * torch.randn(features, features)
    return Translation(matrix=matrix, offset=0.1 * torch.randn(features), unexplained=0.0)


@torch.no_grad()
def test_every_network_that_sees_gives_the_same_on_other_features(task: Task) -> None:
    shape = shapes(task)[1].model_copy(update={"width": 32})
    translation = near_identity(shape.features)
    after = torch.randn(20, shape.features)
    before = after @ translation.matrix + translation.offset
    action = torch.rand(20, len(shape.axes))
    torch.manual_seed(1)
    head, consistency = Head(shape), ConsistencyHead(shape)
    critics = Critics(shape, members=3, width=32)
    human = HumanModel(shape, members=2, width=32)
    noise, sigma = torch.randn(20, len(shape.axes)), torch.full((20,), 3.0)

    def outputs(features: torch.Tensor) -> list[torch.Tensor]:
        return [
            *head.decision(features),
            *consistency.decision(features),
            consistency(features, noise, sigma),
            critics.of(features, action),
            critics.slow_of(features, action),
            critics.grasps(features),
            *human(features),
        ]

    wanted = outputs(before)
    networks = nn.ModuleList([head, consistency, critics, human])
    carry_over(networks, translation)
    for one, other in zip(wanted, outputs(after), strict=True):
        assert torch.allclose(one, other, atol=2e-4), (one - other).abs().max()
    assert not torch.allclose(wanted[0], outputs(before)[0], atol=1e-2), "positive control"


def test_the_translation_is_found_and_knows_what_it_does_not_explain() -> None:
    wanted = near_identity(12)
    torch.manual_seed(2)
    after = torch.randn(500, 12)
    after[:, 3] = 0.7  # never moved
    before = after @ wanted.matrix + wanted.offset
    before[:, 3] = after[:, 3] = 0.7
    found = Translation.fitted(before, after)
    assert torch.allclose(after @ found.matrix + found.offset, before, atol=1e-2)
    assert found.unexplained < 1e-4
    assert found.matrix[3, 3] == pytest.approx(1.0), "where nothing moved, nothing changes"
    noisy = Translation.fitted(before + torch.randn(500, 12), after)
    assert 0.2 < noisy.unexplained < 0.8
