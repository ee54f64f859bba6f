"""A real ACT policy, as small as LeRobot's classes allow, with random weights."""

from pathlib import Path

import torch
from lerobot.configs import FeatureType, PolicyFeature
from lerobot.policies.act.configuration_act import ACTConfig
from lerobot.policies.act.modeling_act import ACTPolicy
from lerobot.policies.factory import make_pre_post_processors

from robot_rl.policy.manifest import PROPRIOCEPTION

ACTION_SIZE = 4


def stats_of(state: int, action: int) -> dict[str, dict[str, torch.Tensor]]:
    """Such that nothing is changed by them, but for images."""
    plain = {
        name: {
            "mean": torch.zeros(size),
            "std": torch.ones(size),
            "min": -torch.ones(size),
            "max": torch.ones(size),
        }
        for name, size in (("observation.state", state), ("action", action))
    }
    seen = {"mean": torch.full((3, 1, 1), 0.5), "std": torch.full((3, 1, 1), 0.25)}
    images = {f"observation.images.{name}": seen for name in ("front", "wrist")}
    return {**plain, **images}


def write_tiny(
    folder: Path,
    *,
    seed: int = 0,
    cameras: tuple[str, ...] = ("front", "wrist"),
    stats: dict[str, dict[str, torch.Tensor]] | None = None,
) -> None:
    """A whole policy folder, saved by LeRobot itself."""
    state = len(PROPRIOCEPTION)
    config = ACTConfig(
        input_features={
            **{
                f"observation.images.{camera}": PolicyFeature(FeatureType.VISUAL, (3, 64, 64))
                for camera in cameras
            },
            "observation.state": PolicyFeature(FeatureType.STATE, (state,)),
        },
        output_features={"action": PolicyFeature(FeatureType.ACTION, (ACTION_SIZE,))},
        n_action_steps=4,
        pretrained_backbone_weights=None,
        device="cpu",
        chunk_size=8,
        dim_model=32,
        n_heads=2,
        dim_feedforward=64,
        n_encoder_layers=1,
        n_vae_encoder_layers=1,
        latent_dim=8,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        policy = ACTPolicy(config)
    found = stats_of(state, ACTION_SIZE) if stats is None else stats
    before, after = make_pre_post_processors(config, dataset_stats=found)
    for each in (policy, before, after):
        each.save_pretrained(folder)
