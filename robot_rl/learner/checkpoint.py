"""What a learner needs to go on as if it had never stopped: one safetensors file, its state beside
the tensors as JSON metadata. The replay is not in it: it is built again by reading the feed up to
the cursor, which gives the same rows in the same order.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load, save

from robot_rl import durable_file
from robot_rl.errors import BadInput
from robot_rl.learner.hil_serl import HilSerl
from robot_rl.policy.manifest import BadCheckpoint
from robot_rl.policy.weights import read_metadata
from robot_rl.schema.message import Message

FORMAT = 1
_KEY = "robot_rl.learner"


class BadLearnerState(BadInput):
    """A learner's checkpoint cannot be used."""


class Position(Message):
    """Where the learner was."""

    format: int = FORMAT
    task: str
    backbone_sha256: str
    cursor: int  # number of the last feed item that entered
    history: str = ""  # hash over all of them; empty in states from before it was kept
    env_steps: int  # training steps received up to there
    critic_updates: int
    actor_updates: int
    published_env_steps: int
    version: int | None  # the newest one published
    sampled_interventions: tuple[UUID, ...]
    fresh_interventions: tuple[UUID, ...]
    sampled_rows: tuple[int, int] = (0, 0)  # from D_on and D_demo, since the newest version
    dice: str  # JSON of numpy's bit generator: which rows are sampled


def write_state(path: Path, learner: HilSerl, rng: np.random.Generator, position: Position) -> None:
    """Whole or not at all; the previous state stays beside it until the new one is on disk."""
    position = position.model_copy(update={"dice": json.dumps(rng.bit_generator.state)})
    tensors = {f"model.{key}": value for key, value in learner.state_dict().items()}
    tensors["torch_dice"] = learner.rng.get_state()
    for name, optimizer in learner.optimizers.items():
        for index, state in optimizer.state_dict()["state"].items():
            for key, value in state.items():
                tensors[f"optimizer.{name}.{index}.{key}"] = torch.as_tensor(value)
    data = save(
        {key: value.detach().contiguous() for key, value in tensors.items()},
        {_KEY: position.model_dump_json()},
    )
    durable_file.write(path, data)


def read_state(path: Path, learner: HilSerl, rng: np.random.Generator) -> Position | None:
    """Put learner and random generators back to where they were; None when there is no state yet.

    Raises BadLearnerState.
    """
    if not path.is_file():
        return None
    data = path.read_bytes()
    try:
        position = Position.model_validate_json(read_metadata(data, str(path))[_KEY])
        tensors = load(data)
        learner.load_state_dict(_under("model.", tensors))
        for name, optimizer in learner.optimizers.items():
            _restore_optimizer(optimizer, _under(f"optimizer.{name}.", tensors))
        learner.rng.set_state(tensors["torch_dice"])
        rng.bit_generator.state = json.loads(position.dice)
    except (
        BadCheckpoint,
        SafetensorError,
        ValidationError,
        KeyError,
        ValueError,
        RuntimeError,
    ) as error:
        reason = str(error).strip().splitlines()[0]
        raise BadLearnerState(
            f"{path}: the learner's state cannot be used ({reason}); move the file away to start "
            "the learner anew from the recorded data"
        ) from error
    learner.counts.critic, learner.counts.actor = position.critic_updates, position.actor_updates
    return position


def _under(prefix: str, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {
        key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)
    }


def _restore_optimizer(
    optimizer: torch.optim.Optimizer, tensors: Mapping[str, torch.Tensor]
) -> None:
    state: dict[int, dict[str, Any]] = {}
    for key, value in tensors.items():
        index, name = key.split(".", 1)
        state.setdefault(int(index), {})[name] = value
    whole = optimizer.state_dict()
    whole["state"] = state
    optimizer.load_state_dict(whole)
