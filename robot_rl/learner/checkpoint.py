"""What a learner needs to go on as if it had never stopped: one safetensors file, its state beside
the tensors as JSON metadata. The replay is not in it: it is built again by reading the feed up to
the cursor, which gives the same rows in the same order.
"""

import json
from pathlib import Path
from uuid import UUID

import numpy as np
import torch
from pydantic import Field
from safetensors import SafetensorError
from safetensors.torch import load, save

from robot_rl import durable_file
from robot_rl.errors import BadInput
from robot_rl.learner.algorithm import Algorithm, Counts, not_finite
from robot_rl.learner.fitness import PUBLISHED, Fitness
from robot_rl.learner.risk.learner import RiskLearner
from robot_rl.learner.shaping import Shaping
from robot_rl.policy.manifest import BadCheckpoint
from robot_rl.policy.weights import read_metadata
from robot_rl.schema.message import Message
from robot_rl.schema.policy import FirstSampled

FORMAT = 1
RISK, SHAPING = "risk.", "shaping."
"""How the tensors of the risk critic and of the progress model are named in a state file."""
_RELEASED = "risk.released"
"""The bytes of the critic that was published last, as a tensor."""
_KEY = "robot_rl.learner"


class BadLearnerState(BadInput):
    """A learner's checkpoint cannot be used."""


class NotFinite(ValueError):
    """A state that no learner could go on from."""


class Position(Message):
    """Where the learner was. Names on disk are the first release's, so that its states go on."""

    format: int = FORMAT
    task: str
    algorithm: str = ""  # empty in states from before there was a choice
    backbone_sha256: str
    cursor: int  # number of the last feed item that entered
    history: str = ""  # hash over all of them; empty in states from before it was kept
    env_steps: int  # training steps received up to there
    updates: int | None = None  # None in older states: every update was one of the critics
    critic_updates: int
    actor_updates: int
    published_env_steps: int
    version: int | None  # the newest one published
    sampled_interventions: tuple[UUID, ...]
    fresh_interventions: tuple[UUID, ...]
    sampled_rows: tuple[int, int] = (0, 0)  # from D_on and D_demo, since the newest version
    unsampled: tuple[int, ...] = ()  # rows of people's steps that were in no batch yet
    waiting: tuple[int, ...] = ()  # those of them that can be sampled, the oldest first
    first_sampled: tuple[FirstSampled, ...] = ()  # since the newest version
    refreshed_env_steps: int = 0  # when the encoder was last refreshed, or refused
    sampling_rng: str = Field(default="", alias="dice")  # JSON of numpy's bit generator

    @property
    def counts(self) -> Counts:
        """How much was learned."""
        updates = self.critic_updates if self.updates is None else self.updates
        return Counts(updates=updates, critic=self.critic_updates, actor=self.actor_updates)


def write_state(
    path: Path,
    algorithm: Algorithm,
    rng: np.random.Generator,
    position: Position,
    fitness: Fitness | None = None,
    risk: RiskLearner | None = None,
    shaping: Shaping | None = None,
) -> None:
    """Whole or not at all; the previous state stays beside it until the new one is on disk.

    Raises NotFinite, which `read_state` would refuse; OSError.
    """
    tensors = algorithm.state() | (fitness.state() if fitness else {})
    if risk:
        tensors |= {f"{RISK}{key}": value for key, value in risk.state().items()}
        if risk.released is not None:
            tensors[_RELEASED] = torch.frombuffer(bytearray(risk.released), dtype=torch.uint8)
    if shaping:
        tensors |= {f"{SHAPING}{key}": value for key, value in shaping.state().items()}
    wrong = not_finite(tensors)
    if wrong:
        raise NotFinite(f"the tensor {wrong} holds values that are not finite")
    position = position.model_copy(update={"sampling_rng": json.dumps(rng.bit_generator.state)})
    data = save(
        {key: value.detach().cpu().contiguous() for key, value in tensors.items()},
        {_KEY: position.model_dump_json(by_alias=True)},
    )
    durable_file.write(path, data)


def read_state(
    path: Path,
    algorithm: Algorithm,
    name: str,
    rng: np.random.Generator,
    fitness: Fitness | None = None,
    risk: RiskLearner | None = None,
    shaping: Shaping | None = None,
) -> Position | None:
    """Put the algorithm (`name`), random generators and what was published back to where they were;
    None when there is no state yet.

    Raises BadLearnerState.
    """
    if not path.is_file():
        return None
    data = path.read_bytes()
    position = _position(path, data)
    try:
        if position.algorithm not in ("", name):
            raise ValueError(
                f"it was trained with {position.algorithm} and the task file names {name}"
            )
        tensors = load(data)
        wrong = not_finite(tensors)
        if wrong:
            raise ValueError(f"its tensor {wrong} holds values that are not finite")
        published = {key: tensors.pop(key) for key in [*tensors] if key.startswith(PUBLISHED)}
        # A task that has got a critic since begins with a new one; one that has none any more lets
        # it go.
        released = tensors.pop(_RELEASED, None)
        judged = {key: tensors.pop(key) for key in [*tensors] if key.startswith(RISK)}
        shaped = {key: tensors.pop(key) for key in [*tensors] if key.startswith(SHAPING)}
        algorithm.load_state(tensors)
        if shaping:
            shaping.load_state({key.removeprefix(SHAPING): each for key, each in shaped.items()})
        if risk and judged:
            risk.load_state({key.removeprefix(RISK): value for key, value in judged.items()})
            risk.released = None if released is None else released.numpy().tobytes()
        if fitness:
            fitness.load_state(published)
        rng.bit_generator.state = json.loads(position.sampling_rng)
    except (SafetensorError, KeyError, ValueError, RuntimeError) as error:
        raise _unusable(path, error) from error
    counts = position.counts
    algorithm.counts.updates, algorithm.counts.critic = counts.updates, counts.critic
    algorithm.counts.actor = counts.actor
    return position


def read_position(path: Path) -> Position | None:
    """Of a state file alone; None when there is none yet. Raises BadLearnerState."""
    return _position(path, path.read_bytes()) if path.is_file() else None


def _position(path: Path, data: bytes) -> Position:
    try:
        return Position.model_validate_json(read_metadata(data, str(path))[_KEY])
    except (BadCheckpoint, KeyError, ValueError) as error:
        raise _unusable(path, error) from error


def _unusable(path: Path, error: Exception) -> BadLearnerState:
    reason = str(error).strip().splitlines()[0]
    return BadLearnerState(
        f"{path}: the learner's state cannot be used ({reason}); move the file away to start the "
        "learner anew from the recorded data"
    )
