"""The consistency head: its formulas by hand, how it acts, travels and is refused."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from robot_rl.config.document import load_task
from robot_rl.policy.checkpoint import load_policy, write_head_on
from robot_rl.policy.consistency_head import (
    SIGMA_MAX,
    SIGMA_MIN,
    ConsistencyHead,
    ConsistencyPolicy,
    karras_scales,
)
from robot_rl.policy.folder import read_manifest
from robot_rl.policy.head import Head, HeadSettings
from robot_rl.policy.starting import shapes, write_untrained
from robot_rl.policy.weights import decode_head, encode_head, read_metadata

SHAPE = HeadSettings(
    kind="consistency", features=2, size=7, axes=(0, 2), gripper_columns=(6,), width=16
)


def constant(head: ConsistencyHead, values: list[float], grippers: list[float]) -> None:
    """Whatever comes in, the network says this."""
    assert head.gripper is not None
    for layer, bias in ((head.denoised, values), (head.gripper, grippers)):
        torch.nn.init.zeros_(layer.weight)
        layer.bias.data.copy_(torch.tensor(bias))


def test_the_scales_are_those_of_karras() -> None:
    scales = karras_scales()
    assert scales.shape == (40,)
    seventh = (1 - 12 / 39) * 80 ** (1 / 7) + (12 / 39) * 0.002 ** (1 / 7)
    assert scales[[0, 12, 39]].tolist() == pytest.approx([80.0, seventh**7, 0.002], rel=1e-4)


def test_at_the_smallest_scale_it_changes_nothing() -> None:
    head, noisy = ConsistencyHead(SHAPE), torch.tensor([[0.3, -2.0]])
    same = head(torch.zeros(1, 2), noisy, torch.tensor([SIGMA_MIN]))
    assert same[0].tolist() == pytest.approx([0.3, -2.0], abs=1e-6)


def test_what_it_says_is_weighed_against_what_it_is_given() -> None:
    head = ConsistencyHead(SHAPE)
    constant(head, [0.4, -0.6], [0.0, 1.0, 0.0])
    denoised = head(torch.zeros(1, 2), torch.tensor([[1.0, 2.0]]), torch.tensor([0.502]))
    keep, change = 0.25 / (0.25 + 0.25), 0.5 * 0.5 / math.sqrt(0.502**2 + 0.25)
    expected = [keep * 1.0 + change * 0.4, keep * 2.0 - change * 0.6]
    assert denoised[0].tolist() == pytest.approx(expected, abs=1e-6)


def test_it_draws_in_one_step_from_the_greatest_scale_and_stays_in_range() -> None:
    head = ConsistencyHead(SHAPE)
    constant(head, [0.4, -6.0], [0.0, 1.0, 0.0])
    action = head.draw(torch.zeros(1, 2), torch.tensor([[1.5, 0.0]]))
    keep = 0.25 / ((SIGMA_MAX - SIGMA_MIN) ** 2 + 0.25)
    change = (SIGMA_MAX - SIGMA_MIN) * 0.5 / math.sqrt(SIGMA_MAX**2 + 0.25)
    expected = keep * SIGMA_MAX * 1.5 + change * 0.4
    assert action[0].tolist() == pytest.approx([expected, -1.0], abs=1e-6)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A policy folder with such a head."""
    task = load_task("lift_cube")
    manifest = write_untrained(tmp_path, task, seed=3)
    _, shape = shapes(task)
    torch.manual_seed(7)
    write_head_on(
        tmp_path,
        backbone=manifest.backbone,
        head=ConsistencyHead(shape.model_copy(update={"kind": "consistency"})),
        task=task.name,
        instruction=task.instruction,
        algorithm="conrft",
    )
    return tmp_path


def test_it_acts_from_a_folder_with_the_callers_noise_only(folder: Path) -> None:
    policy = load_policy(folder)
    assert isinstance(policy, ConsistencyPolicy)
    features = np.random.default_rng(0).normal(size=policy.backbone.size).astype(np.float32)

    def decide(seed: int, deterministic: bool) -> list[float]:
        torch.manual_seed(seed)  # what torch would draw must not matter
        rng = np.random.default_rng(seed // 10)
        return policy.decide(features, rng, deterministic=deterministic).tolist()

    assert decide(10, False) == decide(11, False)
    assert decide(10, False) != decide(20, False)
    assert decide(10, True) == decide(20, True)
    drawn = np.array([decide(10 * each, False) for each in range(20)])
    assert np.all(np.abs(drawn) <= 1)
    assert np.all(drawn[:, 3:6] == 0), "lift_cube does not rotate"
    assert set(drawn[:, 6]) <= {-1.0, 0.0, 1.0}


def test_it_travels_bit_for_bit_and_says_what_it_is(folder: Path) -> None:
    policy = load_policy(folder)
    wire = encode_head(policy.head, policy.backbone.sha256)
    arrived = decode_head(wire, policy.backbone)
    assert isinstance(arrived, ConsistencyHead)
    assert all(
        torch.equal(value, arrived.state_dict()[name])
        for name, value in policy.head.state_dict().items()
    )


def test_a_gaussian_head_is_written_as_before_there_were_others(folder: Path) -> None:
    """So that a robot of the release before loads it, and its hash is the same."""
    _, shape = shapes(load_task("lift_cube"))
    described = read_metadata(encode_head(Head(shape), "0" * 64), "head")["robot_rl.head"]
    assert json.loads(described).keys() == {"features", "size", "axes", "gripper_columns", "width"}
    assert read_manifest(folder).algorithm == "conrft"


def test_without_a_gripper_it_has_no_logits() -> None:
    head = ConsistencyHead(SHAPE.model_copy(update={"gripper_columns": ()}))
    assert head.grippers(torch.zeros(3, 2)).shape == (3, 0, 3)
    assert not [name for name, _ in head.named_parameters() if "gripper" in name]
