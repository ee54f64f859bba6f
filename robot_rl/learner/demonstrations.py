"""Trajectories with features in place of images: what the replay keeps and a checkpoint carries.

A starting policy's folder holds the demonstrations it was cloned from in this form, so that the
learner begins with them in D_demo, as HIL-SERL does with its 20 demonstrations.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from robot_rl.policy.manifest import BadCheckpoint
from robot_rl.policy.weights import read_metadata
from robot_rl.schema.step import Step
from robot_rl.schema.transition import is_decision, is_example, own_action

_TASK, _BACKBONE = "robot_rl.task", "robot_rl.backbone_sha256"
ABSENT = np.nan  # in every entry of an action that was not given


@dataclass(frozen=True, slots=True, kw_only=True)
class Trajectory:
    """Consecutive records of one episode."""

    features: NDArray[np.float32]  # (records, features)
    executed: NDArray[np.float32]  # (records, 7), NaN where the record has no action
    human: NDArray[np.float32]  # (records, 7), NaN where nobody corrected or demonstrated
    success: NDArray[np.bool_]  # (records,) evidence: the simulator saw the task done
    terminated: NDArray[np.bool_]  # (records,)
    truncated: NDArray[np.bool_]  # (records,)

    @classmethod
    def of(
        cls, steps: Sequence[Step], features: NDArray[np.float32], *, demonstration: bool = False
    ) -> Self:
        """`features` (records, features) of the steps, in the same order.

        In a `demonstration` everything that the person did is shown on purpose.
        """
        return cls(
            features=np.asarray(features, np.float32),
            executed=_actions([_trainable(step) for step in steps]),
            human=_actions([_demonstrated(step, demonstration) for step in steps]),
            success=np.array([step.evidence.simulator_success is True for step in steps]),
            terminated=np.array([step.terminated for step in steps]),
            truncated=np.array([step.truncated for step in steps]),
        )


def own_actions(steps: Sequence[Step]) -> NDArray[np.float32]:
    """(records, 7): what a person did alone, imitated or not; NaN where nobody did."""
    return _actions([own_action(step) for step in steps])


def _trainable(step: Step) -> Sequence[float] | None:
    """What was done in a step; the reset routine's motion is nobody's decision."""
    action = step.executed_action
    return action if is_decision(step.source, acted=action is not None) else None


def _demonstrated(step: Step, demonstration: bool) -> Sequence[float] | None:
    """What a person showed on purpose: in an intervention, not the way back (recovery)."""
    return step.human_action if is_example(step, demonstration=demonstration) else None


def _actions(actions: Sequence[Sequence[float] | None]) -> NDArray[np.float32]:
    return np.array([[ABSENT] * 7 if a is None else a for a in actions], np.float32).reshape(-1, 7)


def encode_trajectories(
    trajectories: Sequence[Trajectory], *, task: str, backbone_sha256: str
) -> bytes:
    """One safetensors file; `task` and the backbone of the features stand in its metadata."""
    names = Trajectory.__slots__
    tensors = {
        name: np.concatenate([getattr(each, name) for each in trajectories]) for name in names
    }
    tensors["length"] = np.array([len(each.features) for each in trajectories], np.int64)
    return save(tensors, {_TASK: task, _BACKBONE: backbone_sha256})


def decode_trajectories(
    data: bytes, name: str, *, task: str, backbone_sha256: str, features: int
) -> list[Trajectory]:
    """Raises BadCheckpoint: the file is damaged, or is of another task, backbone or size."""
    found = read_metadata(data, name)
    for what, key, wanted in (
        ("task", _TASK, task),
        ("backbone", _BACKBONE, backbone_sha256),
    ):
        if found.get(key) != wanted:
            named = (
                f"the {what} {found[key]}" if key in found else f"a {what} that it does not name"
            )
            raise BadCheckpoint(
                f"{name}: its demonstrations are of {named} and {wanted} is needed; "
                "make the policy again with `robot-rl clone`"
            )
    try:
        tensors = load(data)
        ends = np.cumsum(tensors.pop("length"))
        whole = Trajectory(**tensors)
    except (SafetensorError, KeyError, TypeError) as error:
        raise BadCheckpoint(f"{name}: these are not demonstrations of robot-rl: {error}") from error
    if whole.features.shape != (ends[-1], features):
        raise BadCheckpoint(
            f"{name}: it holds features of shape {whole.features.shape}, "
            f"({ends[-1]}, {features}) expected; make the policy again with `robot-rl clone`"
        )
    starts = [0, *ends[:-1].tolist()]
    return [
        Trajectory(**{key: getattr(whole, key)[start:end] for key in Trajectory.__slots__})
        for start, end in zip(starts, ends.tolist(), strict=True)
    ]
