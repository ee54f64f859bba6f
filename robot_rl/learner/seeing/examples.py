"""What an encoder learns to see from: recorded pictures, what was done there, and the subgoal: how
far the TCP was from where the gripper next changed (or the demonstration ended). Both come from
what a robot records; no simulator truth enters.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from robot_rl.config.task import Task
from robot_rl.errors import BadInput
from robot_rl.policy.images import observe, square
from robot_rl.policy.manifest import KeypointSettings
from robot_rl.schema.segment import RecordedStep
from robot_rl.schema.transition import is_example, own_action


class NotEnoughDemonstrations(BadInput):
    """There is too little to clone from: the message says what is missing."""


class Pictures(Protocol):
    """Of one camera, as arrays or still to be decoded."""

    def __getitem__(self, rows: NDArray[np.int64], /) -> NDArray[np.uint8]:
        """(rows, px, px, 3) RGB."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Examples:
    """Recorded steps in arrays; the last record of an episode has no action."""

    images: Sequence[Pictures]  # per camera
    state: NDArray[np.float32]  # (records, proprioception), SI
    subgoal: NDArray[np.float32]  # (records, 3 · arms), m
    action: NDArray[np.float32]  # (records, action)
    acted: NDArray[np.int64]  # (steps,) records with a human action
    aimed: NDArray[np.int64]  # (steps,) records whose subgoal is known


def gather(
    episodes: Sequence[Sequence[RecordedStep]], task: Task, settings: KeypointSettings
) -> Examples:
    """Decode and label every record. Raises NotEnoughDemonstrations."""
    images: list[list[NDArray[np.uint8]]] = [[] for _ in task.cameras]
    state: list[NDArray[np.float64]] = []
    subgoal: list[NDArray[np.float64]] = []
    action: list[NDArray[np.float64]] = []
    acted: list[int] = []
    for episode in episodes:
        subgoal.append(subgoals(episode, task.acting_arms, task.action.gripper_columns))
        for record in episode:
            seen = observe(record, task.instruction, task.cameras)
            picks = [seen.state_names.index(name) for name in settings.proprioception]
            for camera, name in enumerate(task.cameras):
                images[camera].append(square(seen.images[name], settings.image_px))
            own = own_action(record.step)
            if is_example(record.step, demonstration=True):
                acted.append(len(state))
            state.append(seen.state[picks])
            action.append(np.zeros(task.action.size) if own is None else np.clip(own, -1.0, 1.0))
    if len(acted) < 50:
        raise NotEnoughDemonstrations(
            f"{len(episodes)} demonstrations with {len(acted)} human steps are too few to clone "
            "from; record at least 5 whole ones (20 to 30 are better)"
        )
    return Examples(
        images=[np.stack(camera) for camera in images],
        state=np.array(state, np.float32),
        subgoal=np.concatenate(subgoal).astype(np.float32),
        action=np.array(action, np.float32),
        acted=np.array(acted, np.int64),
        aimed=np.array(acted, np.int64),
    )


def subgoals(
    episode: Sequence[RecordedStep], arms: Sequence[str], gripper_columns: Sequence[int]
) -> NDArray[np.float64]:
    """Of a demonstration, (records, 3 · arms) m: see `displacements`."""
    still = (0.0,) * len(gripper_columns)
    orders = [_orders(record, gripper_columns) or still for record in episode]
    return displacements(episode, arms, orders)


def displacements(
    episode: Sequence[RecordedStep], arms: Sequence[str], orders: Sequence[tuple[float, ...]]
) -> NDArray[np.float64]:
    """(records, 3 · arms) m: of the TCP to where a gripper next gets another order, or to the
    end.
    """
    position = np.array(
        [[x for arm in arms for x in record.step.arms[arm].tcp_position_m] for record in episode]
    )
    target = len(episode) - 1
    result = np.empty_like(position)
    for index in range(len(episode) - 1, -1, -1):
        begins = any(orders[index]) and (index == 0 or orders[index - 1] != orders[index])
        if begins and index > 0:
            target = index
        result[index] = position[target] - position[index]
        if index == target and not begins:
            result[index] = 0.0
    return result


def _orders(record: RecordedStep, columns: Sequence[int]) -> tuple[float, ...] | None:
    action = record.step.human_action
    return None if action is None else tuple(action[column] for column in columns)
