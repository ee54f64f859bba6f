"""From the outputs of a policy to the columns of a task's action: units, axes, grippers."""

import math

import numpy as np
from numpy.typing import NDArray

from robot_rl.config.action import ActionSpace
from robot_rl.config.policy_mapping import OutputMapping
from robot_rl.policy.interface import Observation
from robot_rl.schema.step import prefix
from safety.vocabulary import ONLY_ARM

GRIPPER_THRESHOLD = 0.5  # beyond ± this a continuous gripper output opens or closes
_METRES = {"m_rad": 1.0, "mm_deg": 1e-3}
_RADIANS = {"m_rad": 1.0, "mm_deg": math.pi / 180}
_POSE = 6  # columns of an arm before its gripper's, in the space `tcp_delta`


def to_actions(
    raw: NDArray[np.float64],
    columns: tuple[int | None, ...],
    action: ActionSpace,
    meaning: OutputMapping | None = None,
    observation: Observation | None = None,
) -> NDArray[np.float64]:
    """(steps, action): a policy's outputs in these columns, clipped, grippers in three ways.

    `observation`: needed where the policy moves in the axes of the hand.
    """
    meaning = meaning or OutputMapping()
    outputs = [output for output, column in enumerate(columns) if column is not None]
    actions = np.zeros((len(raw), action.size))
    actions[:, [column for column in columns if column is not None]] = raw[:, outputs]
    grippers = list(action.gripper_columns)
    orders = _orders(actions[:, grippers], meaning) if _moves(columns, grippers) else 0.0
    if meaning.unit != "normalised" or meaning.frame != "tcp_in_base":
        scale = _scale(action)
        metric = actions * (scale if meaning.unit == "normalised" else _units(action, meaning.unit))
        if meaning.frame == "tcp":
            assert observation is not None
            metric = _in_base(metric, action, observation)
        actions = np.divide(metric, scale, out=np.zeros_like(metric), where=scale > 0)
    actions = np.clip(actions, -1.0, 1.0)
    actions[:, grippers] = orders
    return actions


def _moves(columns: tuple[int | None, ...], grippers: list[int]) -> bool:
    return any(column in columns for column in grippers)


def _orders(said: NDArray[np.float64], meaning: OutputMapping) -> NDArray[np.float64]:
    """−1 close, 0 stay, +1 open."""
    if meaning.gripper in ("open_share", "closed_share"):
        said = 2.0 * said - 1.0
    if meaning.gripper in ("closes", "closed_share"):
        said = -said
    return np.sign(said) * (np.abs(said) > GRIPPER_THRESHOLD)


def _scale(action: ActionSpace) -> NDArray[np.float64]:
    """(action,): metres or radians per normalised unit; 0 for grippers and what is not used."""
    scale = np.zeros((max(1, len(action.arms)), len(action.arm_names)))
    scale[:, : len(action.scale)] = action.scale
    return scale.ravel()


def _units(action: ActionSpace, unit: str) -> NDArray[np.float64]:
    """(action,): metres or radians in one of the policy's units."""
    columns = np.full((max(1, len(action.arms)), len(action.arm_names)), _RADIANS[unit])
    if action.space == "tcp_delta":
        columns[:, :3] = _METRES[unit]
    return columns.ravel()


def _in_base(
    metric: NDArray[np.float64], action: ActionSpace, observation: Observation
) -> NDArray[np.float64]:
    """(steps, action) changes, m and rad, in the axes of the hand → in those of the base. The hand
    turns with what it was told before.
    """
    from safety.rotation import plus, rotate  # numba: where no policy acts it need not be there

    named = dict(zip(observation.state_names, observation.state.tolist(), strict=True))
    width, found = len(action.arm_names), metric.copy()
    for number, arm in enumerate(action.arms or (ONLY_ARM,)):
        start = number * width
        hand = np.array([named[f"{prefix(arm)}tcp_quaternion_{axis}"] for axis in "wxyz"])
        for change in found[:, start : start + _POSE]:
            change[:3], change[3:] = (
                rotate(hand, change[:3].copy()),
                rotate(hand, change[3:].copy()),
            )
            hand = plus(hand, change[3:].copy())
    return found
