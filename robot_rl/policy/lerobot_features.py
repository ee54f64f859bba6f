"""A frozen SmolVLA as a backbone: the same head that stands on the small encoder stands on a VLA.

Features: the hidden states of its vision-language model after the last layer, averaged over image
and instruction tokens, and the state token's own, which has attended to all of them.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lerobot.policies.common.vla_utils import make_att_2d_masks
from numpy.typing import NDArray
from torch import nn

from robot_rl.policy.folder import MODEL, file_sha256
from robot_rl.policy.interface import Observation
from robot_rl.policy.lerobot import LoadedPolicy
from robot_rl.policy.lerobot_config import resolve
from robot_rl.policy.manifest import BadCheckpoint, LeRobotBackbone

KIND = "smolvla"
_LANGUAGE = "observation.language"


class SmolVlaFeatures:
    """`kind` smolvla; `sha256` is that of its model.safetensors."""

    kind = KIND

    def __init__(self, loaded: LoadedPolicy, sha256: str) -> None:
        if loaded.config.type != KIND:
            raise BadCheckpoint(
                f"{loaded.source}: features can be taken of a SmolVLA; this is a "
                f"{loaded.config.type} policy, which can only act as it is (policy.kind lerobot)"
            )
        self._loaded = loaded
        self._policy: Any = loaded.model
        self.module: nn.Module = loaded.model
        self.sha256 = sha256
        self.cameras = tuple(loaded.cameras.values())
        self.state = loaded.state
        text = self._policy.model.vlm_with_expert.config.text_config
        self.size = 2 * int(text.hidden_size)

    def features(self, observation: Observation) -> NDArray[np.float32]:
        return self.features_of([observation])[0]

    def features_of(self, observations: Sequence[Observation]) -> NDArray[np.float32]:
        batches = [self._loaded.batch(each) for each in observations]
        found = np.empty((len(batches), self.size), np.float32)
        for places in alike(batches):
            found[places] = self._hidden_states(together([batches[place] for place in places]))
        return found

    def _hidden_states(self, batch: dict[str, Any]) -> NDArray[np.float32]:
        policy, model = self._policy, self._policy.model
        with torch.inference_mode():
            images, masks = policy.prepare_images(batch)
            embedded, padding, attention = model.embed_prefix(
                images,
                masks,
                batch[f"{_LANGUAGE}.tokens"],
                batch[f"{_LANGUAGE}.attention_mask"],
                state=policy.prepare_state(batch),
            )
            (hidden, _), _ = model.vlm_with_expert.forward(
                attention_mask=make_att_2d_masks(padding, attention),
                position_ids=torch.cumsum(padding, dim=1) - 1,
                past_key_values=None,
                inputs_embeds=[embedded, None],
                use_cache=True,
            )
            weights = padding[..., None].to(hidden.dtype)
            mean = (hidden * weights).sum(1) / weights.sum(1)
            last = hidden[torch.arange(len(hidden)), padding.sum(1) - 1]
        return torch.cat([mean, last], -1).float().cpu().numpy()


def alike(batches: Sequence[dict[str, Any]]) -> Iterable[list[int]]:
    """Places of batches whose tensors have the same shapes. Images come in several sizes, and
    LeRobot pads an instruction only to the longest of its own batch.
    """
    places: dict[tuple[torch.Size, ...], list[int]] = {}
    for place, batch in enumerate(batches):
        shapes = tuple(each.shape for each in batch.values() if isinstance(each, torch.Tensor))
        places.setdefault(shapes, []).append(place)
    return places.values()


def together(batches: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Batches of one, of the same shapes, as one batch."""
    return {
        key: torch.cat([batch[key] for batch in batches])
        if isinstance(value, torch.Tensor)
        else value
        for key, value in batches[0].items()
    }


def load_feature_backbone(folder: Path, described: LeRobotBackbone) -> SmolVlaFeatures:
    """Raises BadCheckpoint."""
    return SmolVlaFeatures(load_described(folder, described), described.sha256)


def load_described(folder: Path, described: LeRobotBackbone) -> LoadedPolicy:
    """The LeRobot policy that a manifest in `folder` names. Raises BadCheckpoint."""
    source = resolve(described.source, folder)
    sha256 = described.sha256
    if Path(source).is_dir():
        found = file_sha256(Path(source) / MODEL)
        if found != sha256:
            raise BadCheckpoint(
                f"{source}/{MODEL}: its SHA-256 is {found[:12]}… and the manifest says "
                f"{sha256[:12]}…; the head was trained on another model, copy it again"
            )
    return LoadedPolicy(source)
