"""The subgoal, read from the keypoints by ridge regression in place of the network that was trained
with them: for tasks that aim at one place (robot_rl.policy.starting), where a plane can follow it.

A few demonstrations hold only places where a person goes. Beside those the network's answer is
arbitrary, while a plane through the same keypoints goes on in the same direction (docs/results.md).
"""

import numpy as np
import torch

from robot_rl.learner.seeing.examples import Examples
from robot_rl.learner.seeing.training import SUBGOAL_SCALE_M, SeeingSettings, raw_features
from robot_rl.policy.keypoint_cnn import KeypointNet

WEIGHT = 0.1  # of the ridge, on standardised keypoints
COPIES = 4  # augmented ones of every picture: a keypoint that jumps with the light is trusted less
FLOOR = 1e-3  # of a keypoint's standard deviation


def read_by_ridge(
    net: KeypointNet, examples: Examples, settings: SeeingSettings, rng: np.random.Generator
) -> None:
    """Replace the subgoal's readout; nothing else of the network changes. The two layers compute
    a linear map exactly, as x = relu(x) − relu(−x), so that the file's format stays.

    Raises ValueError for a readout too narrow to hold one.
    """
    rows, count = examples.aimed, net.settings.keypoint_features
    seen = [raw_features(net, examples, rows, None, rng)]
    seen += [raw_features(net, examples, rows, settings, rng) for _ in range(COPIES)]
    keypoints = torch.cat(seen)[:, :count].double()
    wanted = torch.from_numpy(examples.subgoal[rows]).double() / SUBGOAL_SCALE_M
    wanted = wanted.repeat(len(seen), 1)
    mean, spread = keypoints.mean(0), keypoints.std(0) + FLOOR
    scaled, middle = (keypoints - mean) / spread, wanted.mean(0)
    gram = scaled.T @ scaled + WEIGHT * torch.eye(count).double()
    matrix = torch.linalg.solve(gram, scaled.T @ (wanted - middle)) / spread[:, None]
    _put(net, matrix.T.float(), (middle - mean @ matrix).float())


@torch.no_grad()
def _put(net: KeypointNet, matrix: torch.Tensor, offset: torch.Tensor) -> None:
    """matrix: (subgoal, keypoints); offset: (subgoal,)."""
    first, _, second = net.subgoal
    assert isinstance(first, torch.nn.Linear)
    assert isinstance(second, torch.nn.Linear)
    size, count = matrix.shape
    if first.out_features < 2 * size:
        raise ValueError(
            f"subgoal_width = {first.out_features}: a subgoal of {size} numbers needs at least "
            f"{2 * size}"
        )
    for layer in (first, second):
        layer.weight.zero_()
        layer.bias.zero_()
    first.weight[:size, :count] = matrix
    first.weight[size : 2 * size, :count] = -matrix
    second.weight[:, :size] = torch.eye(size)
    second.weight[:, size : 2 * size] = -torch.eye(size)
    second.bias.copy_(offset)
