"""The subgoal's readout by ridge regression, and how much it counts."""

import numpy as np
import pytest
import torch

from robot_rl.config.document import load_task
from robot_rl.learner.seeing.examples import Examples
from robot_rl.learner.seeing.readout import read_by_ridge
from robot_rl.learner.seeing.training import SUBGOAL_SCALE_M, SeeingSettings, raw_features
from robot_rl.policy.keypoint_cnn import KeypointNet
from robot_rl.policy.manifest import EQUAL, KeypointSettings
from robot_rl.policy.starting import BY_THE_SUBGOAL, sees_one_place, shapes

STEPS = 60


def net_of(width: int, arms: int = 1) -> KeypointNet:
    torch.manual_seed(0)
    settings = KeypointSettings(
        cameras=("front",), proprioception=("gripper_m",), image_px=64, channels=8, keypoints=4,
        subgoal_width=width, arms=arms,
    )  # fmt: skip
    return KeypointNet(settings).eval().requires_grad_(False)


def examples_of(net: KeypointNet) -> Examples:
    """Subgoals that are a linear function of what the net sees."""
    rng = np.random.default_rng(0)
    rows = np.arange(STEPS)
    examples = Examples(
        images=[rng.integers(0, 255, (STEPS, 64, 64, 3), dtype=np.uint8)],
        state=rng.normal(size=(STEPS, 1)).astype(np.float32),
        subgoal=np.zeros((STEPS, net.settings.subgoal), np.float32),
        action=np.zeros((STEPS, 7), np.float32),
        acted=rows,
        aimed=rows,
    )
    raw = raw_features(net, examples, rows, None, rng)[:, : net.settings.keypoint_features].numpy()
    matrix = rng.normal(size=(raw.shape[1], net.settings.subgoal))
    scaled = (raw - raw.mean(0)) / (raw.std(0) + 1e-3)
    examples.subgoal[:] = 0.05 * scaled @ matrix + 0.1
    return examples


def test_a_linear_subgoal_is_found_and_the_rest_of_the_net_stays() -> None:
    net = net_of(128)
    examples, rng = examples_of(net), np.random.default_rng(1)
    before = raw_features(net, examples, examples.aimed, None, rng)
    still = SeeingSettings(shift_px=0, brightness=0.0)
    read_by_ridge(net, examples, still, rng)
    after = raw_features(net, examples, examples.aimed, None, rng)
    found = net.subgoal_of(after).numpy() * SUBGOAL_SCALE_M
    spread = examples.subgoal.std(0).max()
    assert np.abs(found - examples.subgoal).max() < 0.1 * spread
    start = net.settings.keypoint_features
    kept = [*range(start), *range(start + net.settings.subgoal, before.shape[1])]
    assert torch.equal(before[:, kept], after[:, kept])


def test_it_is_linear_in_the_keypoints_and_blind_to_the_state() -> None:
    net = net_of(128)
    read_by_ridge(net, examples_of(net), SeeingSettings(), np.random.default_rng(1))
    count = net.settings.keypoint_features
    zero, one = torch.zeros(1, count + 1), torch.randn(1, count + 1)
    line = [net.subgoal(zero + share * (one - zero)) for share in (0.0, 1.0, 10.0)]
    assert torch.allclose(line[2] - line[0], 10 * (line[1] - line[0]), rtol=1e-3, atol=1e-4)
    other = one.clone()
    other[:, count:] += 3.0
    assert torch.equal(net.subgoal(one), net.subgoal(other))


def test_a_readout_that_is_too_narrow_is_refused() -> None:
    net = net_of(16, arms=3)
    with pytest.raises(ValueError, match=r"subgoal_width = 16.*at least 18"):
        read_by_ridge(net, examples_of(net), SeeingSettings(), np.random.default_rng(1))


def test_a_head_goes_by_the_subgoal_where_it_is_one_place() -> None:
    """With a gripper, or without pictures, all features count alike, and nothing says otherwise."""
    peg, lift = load_task("insert_peg"), load_task("lift_cube")
    assert sees_one_place(peg)
    assert not sees_one_place(lift)
    assert not sees_one_place(peg.model_copy(update={"cameras": ()}))
    assert "weights" not in shapes(lift)[0].model_dump_json()
    settings = shapes(peg)[0]
    assert KeypointSettings.model_validate_json(settings.model_dump_json()) == settings
    net, plain = KeypointNet(settings), KeypointNet(settings.model_copy(update={"weights": EQUAL}))
    raw = torch.randn(2, settings.size)
    share = net.standardised(raw) / plain.standardised(raw)
    start = settings.keypoint_features
    assert torch.allclose(share[:, start : start + 3], torch.tensor(BY_THE_SUBGOAL[1]))
    assert torch.allclose(share[:, :start], torch.tensor(BY_THE_SUBGOAL[0]))
    assert torch.allclose(share[:, start + 3 :], torch.tensor(BY_THE_SUBGOAL[2]))
    assert set(net.state_dict()) == set(plain.state_dict())
